"""The `selfService:` list of a profile: the attributes that users may change of their own account at /Me."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import yaml

from scimsvc.mapping.profile.model import ObjectMapping, Target
from scimsvc.mapping.profile.record import Record
from scimsvc.mapping.reading.yaml_text import Source
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import Path, parse_path
from scimsvc.schema.paths import AttributePath, resolve

PERSONAL = (
    "displayName",
    "nickName",
    "profileUrl",
    "preferredLanguage",
    "locale",
    "timezone",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
)
"""Attributes of the core User schema (RFC 7643 §4.1) that say nothing about identity, rights or employment."""
PROVISIONED_ONLY = ("id", "externalId", "userName", "active", "roles", "entitlements", "groups", "meta", "schemas", "members")
"""Attributes that identify an account or decide its rights: no profile can let users change them."""


def read_self_service(
    source: Source, node: yaml.Node | None, users: ObjectMapping, record: Record | None, unique: Iterable[Target]
) -> tuple[AttributePath, ...]:
    """Return the paths that users may change. Without a list: the personal attributes that neither a row nor the record uses.

    `unique` are the targets whose values are unique. A path that no profile may allow is a finding.
    """
    of_directory = {row.target.target.steps[0].name for row in users.mappings}
    of_record = {path.target.steps[0].name for path in _paths(record)}
    identifying = {*PROVISIONED_ONLY, *(target.path.steps[0].name for target in unique)}
    if node is None:
        taken = of_directory | of_record | identifying
        paths = (resolve(users.resource_type, name) for name in PERSONAL if name not in taken)
        return tuple(path for path in paths if path is not None and not path.is_read_only)
    allowed: dict[str, AttributePath] = {}
    for entry in source.sequence(node, "selfService"):
        path = _path(source, entry, users)
        if path is None:
            continue
        name = path.steps[0].name
        if name in identifying or path.is_read_only:
            source.complain(entry, f"users can't be allowed to change {name}: it identifies the account or decides its rights")
        elif name in of_directory:
            source.warn(entry, "self-service", f"a mapping row targets {name}, so the directory overwrites what users change")
        elif name in of_record:
            source.warn(entry, "self-service", f"record: reads {name}, so users change what the application sees of them")
        allowed[path.name] = path
    return tuple(allowed.values())


def _path(source: Source, node: yaml.Node, users: ObjectMapping) -> AttributePath | None:
    text = source.text_of(node, "selfService")
    if text is None:
        return None
    try:
        parsed = parse_path(text, users.resource_type)
    except ScimError as error:
        source.complain(node, f"no such SCIM attribute: {error.detail.rstrip('.')}")
        return None
    steps = parsed.target.steps
    if parsed.value_filter is not None or len(steps) > 2 or (len(steps) == 2 and steps[0].multi_valued):
        source.complain(node, f"allow {steps[0].name} as a whole; a part of a list can't be allowed alone")
        return None
    return parsed.target


def _paths(record: Record | None) -> Iterator[Path]:
    for field in record.fields if record else ():
        yield from field.paths.values()
        if field.path is not None:
            yield field.path
