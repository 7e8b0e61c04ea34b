"""Where a profile and a schema of Entra's disagree, as facts. `service/words.py` puts them into words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from scimsvc.mapping.profile.changes import (
    Part,
    Value,
    flow_types_of_table,
    parts_of_rows,
    scope_of_table,
)
from scimsvc.mapping.profile.custom_attributes import portal_definition
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile, TableName


@dataclass(frozen=True)
class Difference:
    """A part of a table that differs between Entra and a profile. A value is None if the part is not there.

    `part` is `table`, `flowTypes`, `scope`, `row`, `attribute`, or a part of a row: `source`, `precedence`, `default`, `apply`.
    `name` is the target of the row; it is empty for what a table has once.
    """

    table: TableName
    part: Part
    name: str
    entra: Value | None
    profile: Value | None


def differences(profile: Profile, entra: Profile) -> list[Difference]:
    """Return all differences between a profile and the one that was imported from Entra's schema."""
    return [
        *_of_tables("users", entra.users, profile.users),
        *_of_tables("groups", entra.groups, profile.groups),
    ]


def _of_tables(name: TableName, entra: ObjectMapping, profile: ObjectMapping) -> Iterator[Difference]:
    if entra.is_mapped != profile.is_mapped:
        yield Difference(name, "table", "", entra.is_mapped or None, profile.is_mapped or None)
        return
    if flow_types_of_table(entra) != flow_types_of_table(profile):
        yield Difference(name, "flowTypes", "", flow_types_of_table(entra), flow_types_of_table(profile))
    if scope_of_table(entra) != scope_of_table(profile):
        yield Difference(name, "scope", "", scope_of_table(entra), scope_of_table(profile))
    their_rows, our_rows = _by_target(entra), _by_target(profile)
    for key, row in their_rows.items():
        if key not in our_rows:
            yield Difference(name, "row", row.target_text, row, None)
    for key, row in our_rows.items():
        other = their_rows.get(key)
        if other is None:
            yield Difference(name, "row", row.target_text, None, row)
        else:
            yield from _of_rows(name, other, row)


def _of_rows(name: TableName, entra: AttributeMapping, profile: AttributeMapping) -> Iterator[Difference]:
    for part, theirs, ours in parts_of_rows(entra, profile):
        yield Difference(name, part, profile.target_text, theirs, ours)
    their_attribute, our_attribute = entra.target.target.leaf, profile.target.target.leaf
    if portal_definition(their_attribute) != portal_definition(our_attribute):
        yield Difference(name, "attribute", profile.target_text, their_attribute, our_attribute)


def _by_target(table: ObjectMapping) -> dict[Hashable, AttributeMapping]:
    return {row.target_key: row for row in table.mappings}
