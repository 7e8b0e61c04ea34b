"""The policies of a profile: choices that the standard leaves to the service provider, and in which clients differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_DAYS = 3650


@dataclass(frozen=True)
class Policies:
    """What a tenant's resources go through in their lives; the defaults are what Entra expects.

    `unknown_members`: a member that doesn't exist is rejected, with its id named, or pending: it becomes one as soon as a user
    or group with that id or externalId is there, whatever request brings it. `replace_members`: exactly those that are sent, or
    merged with those there are. `group_patch_answer`: none is 204, resource is 200 with the group. `recreate`: a create of
    someone who is there but inactive, or was deleted within the grace period, is a conflict, or restores the account in place
    with its id. `rename_when_disabled`: another value of what is unique by the schema, as the login is, is accepted, or ignored
    while the account is inactive. `delete_after`: the days for which a deleted resource can be restored; 0 is at once.
    `passwords`: are forgotten, or kept as argon2id hashes. `unknown_attributes`: an attribute of a POST or PUT that no schema has
    is ignored, or the request is rejected.
    """

    unknown_members: Literal["reject", "pending"] = "reject"
    replace_members: Literal["exact", "merge"] = "exact"
    group_patch_answer: Literal["none", "resource"] = "none"
    recreate: Literal["conflict", "restore"] = "conflict"
    rename_when_disabled: Literal["accept", "ignore"] = "accept"
    delete_after: int = 0
    passwords: Literal["ignore", "argon2"] = "ignore"
    unknown_attributes: Literal["ignore", "reject"] = "ignore"


DEFAULT = Policies()
CHOICES = {
    "unknownMembers": ("unknown_members", ("reject", "pending")),
    "replaceMembers": ("replace_members", ("exact", "merge")),
    "groupPatchAnswer": ("group_patch_answer", ("none", "resource")),
    "recreate": ("recreate", ("conflict", "restore")),
    "renameWhenDisabled": ("rename_when_disabled", ("accept", "ignore")),
    "passwords": ("passwords", ("ignore", "argon2")),
    "unknownAttributes": ("unknown_attributes", ("ignore", "reject")),
}
DAYS = "deleteAfter"


def names() -> dict[str, str]:
    """Return the key that each field of Policies has in a profile: `{"delete_after": "deleteAfter", …}`."""
    return {field: name for name, (field, _) in CHOICES.items()} | {"delete_after": DAYS}
