"""What differs between two versions of a profile, as facts. `service/words.py` puts them into words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Literal, NamedTuple

from scimsvc.mapping.profile.flow_types import FLOW_TYPES, FlowType
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile, RowSource, key_of
from scimsvc.mapping.profile.policies import names as policy_names
from scimsvc.mapping.profile.record import Record
from scimsvc.mapping.profile.scope import Clause
from scimsvc.protocol.filter import Path, meaning
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath

Part = Literal[
    "title",
    "table",
    "flowTypes",
    "matching",
    "scope",
    "row",
    "source",
    "precedence",
    "default",
    "apply",
    "resourceType",
    "endpoint",
    "attribute",
    "unique",
    "field",
    "policy",
    "selfService",
]
Scope = tuple[tuple[Clause, ...], ...]
"""The clauses of each scoping filter of a table."""
Rows = tuple[AttributeMapping, ...]
Value = str | int | bool | tuple[FlowType, ...] | Scope | Rows | AttributeMapping | RowSource | Attribute
"""What a part is. A table, a resource type, a unique attribute and one that users may change are True if they are there."""


@dataclass(frozen=True)
class Change:
    """A part of a profile that differs between two versions. A value is None if the version does not have the part.

    `within` is `profile`, `users`, `groups`, `record`, `policies`, `selfService`, or the name of another resource type. `name`
    is the target of a row, or the name of an attribute, field or policy; it is empty for what a table has once.
    """

    within: str
    part: Part
    name: str
    before: Value | None
    after: Value | None


class Unique(NamedTuple):
    """An attribute whose values are unique: its name in messages, and the path to its value in a resource."""

    name: str
    path: Path


def changes(former: Profile, new: Profile) -> list[Change]:
    """Return all changes from one version of a profile to another, or from one profile to another one."""
    result = []
    if new.title != former.title and new.name == former.name:
        result.append(Change("profile", "title", "", former.title, new.title))
    result += _of_tables("users", former.users, new.users)
    result += _of_tables("groups", former.groups, new.groups)
    for name, before, after in _types(former, new):
        result += _of_types(name, before, after)
        if before and after:
            result += _of_uniqueness(name, unique_attributes(former, before), unique_attributes(new, after))
    result += _of_self_service(former, new)
    result += _of_records(former.record, new.record)
    result += _of_policies(former, new)
    return result


def matching_key(table: ObjectMapping) -> Hashable:
    """Return a key that is the same for two tables if Entra finds accounts in the same way by both."""
    return tuple((row.flow_key, row.default) for row in table.matching())


def unique_attributes(profile: Profile, resource_type: ResourceType) -> dict[Hashable, Unique]:
    """Return the unique attributes of a resource type, by a key that is the same in all profiles."""
    tables = [table for table in (profile.users, profile.groups) if table.resource_type.name == resource_type.name]
    rows = {key_of(row.target): row for table in tables for row in table.mappings}
    unique: dict[Hashable, Unique] = {}
    for target in profile.unique_paths(resource_type):
        key = target.path.name, target.value_filter and meaning(target.value_filter)
        row = rows.get(key)
        unique[key] = Unique(row.target_text, row.value_path) if row else Unique(target.path.name, Path(target.path))
    return unique


def flow_types_of_table(table: ObjectMapping) -> tuple[FlowType, ...]:
    """Return what Entra may do with the objects of a table: everything, unless the profile says otherwise."""
    return table.flow_types or FLOW_TYPES


def scope_of_table(table: ObjectMapping) -> Scope:
    """Return the clauses of a table's scoping filters. Their names do not matter for what Entra sends."""
    return tuple(scoping_filter.clauses for scoping_filter in table.scope)


def parts_of_rows(before: AttributeMapping, after: AttributeMapping) -> Iterator[tuple[Part, Value | None, Value | None]]:
    """Yield the parts that differ between two rows of one target, each with both values."""
    parts: tuple[tuple[Part, Value | None, Value | None], ...] = (
        ("source", before.value_source, after.value_source),
        ("precedence", before.matching, after.matching),
        ("default", before.default, after.default),
        ("apply", before.apply, after.apply),
    )
    return (part for part in parts if part[1] != part[2])


characteristics = attrgetter("type", "multi_valued", "required", "case_exact", "mutability", "returned", "reference_types")
"""Returns what counts when two declarations of an attribute are compared: not its description, nor its sub-attributes."""


def _of_tables(name: str, before: ObjectMapping, after: ObjectMapping) -> Iterator[Change]:
    if before.is_mapped != after.is_mapped:
        yield Change(name, "table", "", before.is_mapped or None, after.is_mapped or None)
    former_flows, flows = flow_types_of_table(before), flow_types_of_table(after)
    if former_flows != flows:
        yield Change(name, "flowTypes", "", former_flows, flows)
    if matching_key(before) != matching_key(after):
        yield Change(name, "matching", "", tuple(before.matching()), tuple(after.matching()))
    former_scope, scope = scope_of_table(before), scope_of_table(after)
    if former_scope != scope:
        yield Change(name, "scope", "", former_scope, scope)
    former_rows = {row.target_key: row for row in before.mappings}
    rows = {row.target_key: row for row in after.mappings}
    for key, row in rows.items():
        former = former_rows.get(key)
        if former is None:
            yield Change(name, "row", row.target_text, None, row)
        else:
            yield from (Change(name, part, row.target_text, was, becomes) for part, was, becomes in parts_of_rows(former, row))
    yield from (Change(name, "row", row.target_text, row, None) for key, row in former_rows.items() if key not in rows)


def _types(former: Profile, new: Profile) -> Iterator[tuple[str, ResourceType | None, ResourceType | None]]:
    """Yield the resource types of both versions side by side, by the names of their tables or their own."""
    tables = {"User": "users", "Group": "groups"}
    before = {resource_type.name: resource_type for resource_type in former.resource_types()}
    after = {resource_type.name: resource_type for resource_type in new.resource_types()}
    for name in {**before, **after}:
        yield tables.get(name, name), before.get(name), after.get(name)


def _of_types(name: str, before: ResourceType | None, after: ResourceType | None) -> Iterator[Change]:
    if before is None or after is None:
        yield Change(name, "resourceType", "", before is not None or None, after is not None or None)
        return
    if before.endpoint != after.endpoint:
        yield Change(name, "endpoint", "", before.endpoint, after.endpoint)
    former_attributes, attributes = dict(_attributes(before)), dict(_attributes(after))
    for path, attribute in attributes.items():
        former = former_attributes.get(path)
        if former is None or characteristics(former) != characteristics(attribute):
            yield Change(name, "attribute", path, former, attribute)
    for path, former in former_attributes.items():
        if path not in attributes:
            yield Change(name, "attribute", path, former, None)


def _attributes(resource_type: ResourceType) -> Iterator[tuple[str, Attribute]]:
    paths = [AttributePath((attribute,)) for attribute in resource_type.root.sub_attributes]
    while paths:
        path = paths.pop()
        yield path.name, path.leaf
        paths += [path.child(attribute) for attribute in path.leaf.sub_attributes]


def _of_uniqueness(name: str, before: dict[Hashable, Unique], after: dict[Hashable, Unique]) -> Iterator[Change]:
    yield from (Change(name, "unique", unique.name, None, True) for key, unique in after.items() if key not in before)
    yield from (Change(name, "unique", unique.name, True, None) for key, unique in before.items() if key not in after)


def _of_self_service(former: Profile, new: Profile) -> Iterator[Change]:
    before, after = ({path.name: None for path in profile.self_service} for profile in (former, new))
    yield from (Change("selfService", "selfService", name, None, True) for name in after if name not in before)
    yield from (Change("selfService", "selfService", name, True, None) for name in before if name not in after)


def _of_records(before: Record | None, after: Record | None) -> Iterator[Change]:
    former_fields, fields = _fields(before), _fields(after)
    for name in {**fields, **former_fields}:
        if former_fields.get(name) != fields.get(name):
            yield Change("record", "field", name, former_fields.get(name), fields.get(name))


def _fields(record: Record | None) -> dict[str, str]:
    return {field.name: field.text for field in record.fields} if record else {}


def _of_policies(former: Profile, new: Profile) -> Iterator[Change]:
    before, names = asdict(former.policies), policy_names()
    for key, value in asdict(new.policies).items():
        if value != before[key]:
            yield Change("policies", "policy", names[key], before[key], value)
