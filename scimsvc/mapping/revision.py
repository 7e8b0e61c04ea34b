"""What a new version of a profile changes in it, in words: rows, uniqueness, attributes, scopes, record, policies."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import asdict
from typing import NamedTuple

from scimsvc.mapping.profile.flow_types import FLOW_TYPES
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile, key_of
from scimsvc.mapping.profile.policies import names as policy_names
from scimsvc.mapping.profile.record import Field, Record
from scimsvc.mapping.words import application_of, default_of, definition_of, flow_of, precedence_of, scope_of
from scimsvc.protocol.filter import Path, meaning
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath

NOTHING = "nothing"


def revisions(former: Profile, new: Profile) -> list[str]:
    """Return one line for each change, such as `users: title: [department] becomes [jobTitle]`."""
    lines = []
    if new.title != former.title and new.name == former.name:
        lines.append(_becomes("title", repr(former.title), repr(new.title)))
    for name, before, after in (("users", former.users, new.users), ("groups", former.groups, new.groups)):
        lines += [f"{name}: {line}" for line in _of_table(before, after)]
    for name, before_type, after_type in _types(former, new):
        lines += [f"{name}: {line}" for line in _of_type(before_type, after_type)]
        lines += [f"{name}: {line}" for line in _of_uniqueness(former, new, before_type, after_type)]
    former_own, own = ({path.name: None for path in one.self_service} for one in (former, new))
    lines += [f"selfService: users may change {name}" for name in own if name not in former_own]
    lines += [f"selfService: users may no longer change {name}" for name in former_own if name not in own]
    return lines + list(_of_record(former.record, new.record)) + list(_of_policies(former, new))


def matching_text(table: ObjectMapping) -> str:
    """Return the matching attributes of a table in their order, such as `externalId (from [objectId])`."""
    return ", then ".join(f"{row.target_text} (from {flow_of(row)})" for row in table.matching()) or NOTHING


def matching_key(table: ObjectMapping) -> Hashable:
    """Return what is the same for two tables by which Entra finds accounts in the same way."""
    return tuple((row.flow_key, row.default) for row in table.matching())


class Unique(NamedTuple):
    """An attribute whose values are unique: what to call it, and where an account has its value."""

    name: str
    path: Path


def unique_attributes(profile: Profile, resource_type: ResourceType) -> dict[Hashable, Unique]:
    """Return the unique attributes of a resource type, by what is the same for all profiles."""
    tables = [table for table in (profile.users, profile.groups) if table.resource_type.name == resource_type.name]
    rows = {key_of(row.target): row for table in tables for row in table.mappings}
    unique: dict[Hashable, Unique] = {}
    for target in profile.unique_paths(resource_type):
        key = target.path.name, target.value_filter and meaning(target.value_filter)
        row = rows.get(key)
        unique[key] = Unique(row.target_text, row.value_path) if row else Unique(target.path.name, Path(target.path))
    return unique


def _becomes(of: str, before: str, after: str) -> str:
    return f"{of}: {before} becomes {after}"


def _of_table(before: ObjectMapping, after: ObjectMapping) -> Iterator[str]:
    if before.is_mapped != after.is_mapped:
        yield "new table" if after.is_mapped else "no table any more, so Entra is to send nothing"
    flows, former_flows = after.flow_types or FLOW_TYPES, before.flow_types or FLOW_TYPES
    if flows != former_flows:
        yield _becomes("flowTypes", ", ".join(former_flows), ", ".join(flows))
    if matching_key(before) != matching_key(after):
        yield _becomes("matching", matching_text(before), matching_text(after))
    if scope_of(before) != scope_of(after):
        yield _becomes("scope", scope_of(before), scope_of(after))
    former_rows = {row.target_key: row for row in before.mappings}
    rows = {row.target_key: row for row in after.mappings}
    for key, row in rows.items():
        former = former_rows.get(key)
        if former is None:
            yield f"new row: {flow_of(row)} to {row.target_text}{_notes(row)}"
            continue
        for describe in (flow_of, precedence_of, default_of, application_of):
            if describe(former) != describe(row):
                yield _becomes(row.target_text, describe(former), describe(row))
    for key, row in former_rows.items():
        if key not in rows:
            yield f"no row for {row.target_text} any more; it was {flow_of(row)}"


def _notes(row: AttributeMapping) -> str:
    notes = [precedence_of(row)] if row.matching else []
    notes += [default_of(row)] if row.default is not None else []
    notes += [application_of(row)] if row.apply == "create" else []
    return f", {', '.join(notes)}" if notes else ""


def _types(former: Profile, new: Profile) -> Iterator[tuple[str, ResourceType | None, ResourceType | None]]:
    """The resource types of both versions side by side, by what they are called in a line."""
    called = {"User": "users", "Group": "groups"}
    before = {one.name: one for one in former.resource_types()}
    after = {one.name: one for one in new.resource_types()}
    for name in {**before, **after}:
        yield called.get(name, name), before.get(name), after.get(name)


def _of_type(before: ResourceType | None, after: ResourceType | None) -> Iterator[str]:
    if before is None or after is None:
        yield f"{'new resource type' if before is None else 'no resource type any more'}"
        return
    if before.endpoint != after.endpoint:
        yield _becomes("endpoint", before.endpoint, after.endpoint)
    former_attributes, attributes = dict(_attributes(before)), dict(_attributes(after))
    for name, attribute in attributes.items():
        former = former_attributes.get(name)
        if former is None:
            yield f"new attribute {name}, {_characteristics(attribute)}"
        elif _characteristics(former) != _characteristics(attribute):
            yield _becomes(f"attribute {name}", _characteristics(former), _characteristics(attribute))
    for name in former_attributes:
        if name not in attributes:
            yield f"no attribute {name} any more"


def _attributes(resource_type: ResourceType) -> Iterator[tuple[str, Attribute]]:
    paths = [AttributePath((one,)) for one in resource_type.root.sub_attributes]
    while paths:
        path = paths.pop()
        yield path.name, path.leaf
        paths += [path.child(one) for one in path.leaf.sub_attributes]


def _characteristics(attribute: Attribute) -> str:
    notes = {
        attribute.mutability: attribute.mutability != "readWrite",
        f"returned {attribute.returned}": attribute.returned != "default",
        f"a reference to {' or '.join(attribute.reference_types)}": bool(attribute.reference_types),
    }
    return ", ".join([definition_of(attribute), *(note for note, holds in notes.items() if holds)])


def _of_uniqueness(former: Profile, new: Profile, before: ResourceType | None, after: ResourceType | None) -> Iterator[str]:
    if before is None or after is None:
        return
    was, becomes = unique_attributes(former, before), unique_attributes(new, after)
    for key, (name, _) in becomes.items():
        if key not in was:
            yield f"{name} becomes unique"
    for key, (name, _) in was.items():
        if key not in becomes:
            yield f"{name} is no longer unique"


def _of_record(before: Record | None, after: Record | None) -> Iterator[str]:
    former_fields, fields = _fields(before), _fields(after)
    for name, field in fields.items():
        former = former_fields.get(name)
        if former is None:
            yield f"record: new field {name}: {field.text}"
        elif former.text != field.text:
            yield _becomes(f"record: {name}", former.text, field.text)
    for name in former_fields:
        if name not in fields:
            yield f"record: no field {name} any more"


def _fields(record: Record | None) -> dict[str, Field]:
    return {field.name: field for field in record.fields} if record else {}


def _of_policies(former: Profile, new: Profile) -> Iterator[str]:
    before, after, called = asdict(former.policies), asdict(new.policies), policy_names()
    for key, value in after.items():
        if value != before[key]:
            yield _becomes(f"policies: {called[key]}", str(before[key]), str(value))
