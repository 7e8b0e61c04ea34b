"""From what is stored to the JSON that is sent: spliced, not parsed and dumped again."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import orjson

from scimsvc.protocol.etag import etag
from scimsvc.protocol.projection import ALL, Projection, project
from scimsvc.schema.core import GROUPS, MEMBERS, RELATED
from scimsvc.schema.model import ResourceType
from scimsvc.store.membership import GroupOf, Member
from scimsvc.store.resources import Stored

Effect = Literal["disable", "enable", "restore"]
"""What a request does to an account besides changing it, for those who watch."""


class Rendered(NamedTuple):
    """A resource as JSON, empty where it isn't to be shown, its version and its URI, whether a create has restored it, and what
    the request means for the account.
    """

    body: bytes
    version: str
    location: str
    restored: bool = False
    effect: Effect | None = None


class Related(NamedTuple):
    """What the membership table adds to a resource, or to its version; None where neither is wanted."""

    groups: Sequence[GroupOf] | None = None
    members: Sequence[Member] | None = None


NONE = Related()
"""A resource that is a member of nothing and has no members."""


def render(stored: Stored, related: Related, resource_type: ResourceType, projection: Projection, base: str) -> Rendered:
    """One resource. `base` is the absolute URL of the SCIM endpoint without a trailing slash."""
    location = f"{base}{resource_type.endpoint}/{stored.id}"
    parts = [stored.document.encode()[:-1]]
    version = str(stored.version)
    if related.groups:
        groups = orjson.dumps([_group(group, base) for group in related.groups])
        # The groups are no part of the user's own version, but a cached answer is stale once they change.
        version = f"{version}-{zlib.crc32(groups):08x}"
        if projection.wants(GROUPS.name):
            parts.append(b'"%s":%s' % (GROUPS.name.encode(), groups))
    if related.members is not None:
        parts.append(b'"%s":%s' % (MEMBERS.name.encode(), orjson.dumps([_member(member, base) for member in related.members])))
    parts.append(
        b'"meta":{"resourceType":"%s","created":"%sZ","lastModified":"%sZ","location":%s,"version":%s}}'
        % (
            resource_type.name.encode(),
            stored.created.encode(),
            stored.last_modified.encode(),
            orjson.dumps(location),
            orjson.dumps(etag(version)),
        )
    )
    body = b",".join(parts)
    # An attribute that was left out of `related` needs no second look at the document.
    asked = projection is not ALL and not projection.without(*_beside(resource_type)).everything
    if asked or resource_type.has_hidden or _has_secrets(resource_type, body):
        body = orjson.dumps(project(resource_type, orjson.loads(body), projection))
    return Rendered(body, version, location)


def _has_secrets(resource_type: ResourceType, body: bytes) -> bool:
    """Whether there may be values from when the profile had an attribute returned that it now never returns."""
    return any(name in body for name in _secrets(resource_type))


@lru_cache(maxsize=256)
def _secrets(resource_type: ResourceType) -> tuple[bytes, ...]:
    return tuple(b'"%s":' % name.encode() for name in resource_type.never_returned)


@lru_cache(maxsize=256)
def _beside(resource_type: ResourceType) -> list[str]:
    """The attributes that aren't in the document, whose values come only where they are wanted."""
    return [attribute.name for attribute in resource_type.root.sub_attributes if attribute in RELATED]


def _group(group: GroupOf, base: str) -> dict[str, str]:
    entry = {"value": group.id, "$ref": f"{base}/Groups/{group.id}", "type": "direct" if group.direct else "indirect"}
    return entry | {"display": group.display} if group.display is not None else entry


def _member(member: Member, base: str) -> dict[str, str]:
    entry = {"value": member.id, "$ref": f"{base}/{member.resource_type}s/{member.id}", "type": member.resource_type}
    return entry | {"display": member.display} if member.display is not None else entry


def by_owner(rows: Iterable[GroupOf] | Iterable[Member]) -> dict[int, list[GroupOf | Member]]:
    """Rows of the membership table by the resource that they belong to."""
    found: dict[int, list[GroupOf | Member]] = {}
    for row in rows:
        found.setdefault(row.member_seq if isinstance(row, GroupOf) else row.group_seq, []).append(row)
    return found
