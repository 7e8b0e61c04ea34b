"""The `policies:` block of a profile: what happens where the standard leaves it to the service provider, and clients differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import yaml

from scimsvc.mapping.reading.yaml_text import Source, did_you_mean

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
_CHOICES = {
    "unknownMembers": ("unknown_members", ("reject", "pending")),
    "replaceMembers": ("replace_members", ("exact", "merge")),
    "groupPatchAnswer": ("group_patch_answer", ("none", "resource")),
    "recreate": ("recreate", ("conflict", "restore")),
    "renameWhenDisabled": ("rename_when_disabled", ("accept", "ignore")),
    "passwords": ("passwords", ("ignore", "argon2")),
    "unknownAttributes": ("unknown_attributes", ("ignore", "reject")),
}
_DAYS = "deleteAfter"


def read_policies(source: Source, node: yaml.Node | None) -> Policies:
    """The block as a profile has it; what it doesn't say is as in DEFAULT."""
    if node is None or node.tag.endswith(":null"):
        return DEFAULT
    found: dict[str, str | int] = {}
    for key, value in source.mapping(node, "policies", (*_CHOICES, _DAYS)).items():
        if key == _DAYS:
            days = source.typed(value, int, key)
            if days is not None and not 0 <= days <= MAX_DAYS:
                source.complain(value, f"{key} must be from 0 to {MAX_DAYS} days")
            found["delete_after"] = days or 0
            continue
        name, choices = _CHOICES[key]
        text = source.text_of(value, key)
        if text is not None and text not in choices:
            source.complain(value, f"{key} must be {' or '.join(choices)}{did_you_mean(text, choices)}")
        found[name] = text or choices[0]
    return Policies(**found)  # type: ignore[arg-type]  # each is one of its choices, or there is a finding


def names() -> dict[str, str]:
    """Return the name that each field of Policies has in a profile: `{"delete_after": "deleteAfter", …}`."""
    return {field: name for name, (field, _) in _CHOICES.items()} | {"delete_after": _DAYS}
