"""A profile into a schema that was downloaded: what the profile does not have stays as it is, row by row.

A row whose meaning is the same goes back as it came. Of another row only what differs is exchanged, so that its flow type, its
flow behaviour and what else Microsoft Graph has there stay. The same holds for scoping filters and attribute definitions.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from scimsvc.mapping.expression import ExpressionError, parse, show
from scimsvc.mapping.expression.tree import Call, Omitted
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.profile.custom_attributes import parse_name
from scimsvc.mapping.profile.flow_types import FLOW_TYPES, flow_types_of
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile, key_of, parse_target
from scimsvc.mapping.synchronization.definitions import source_names
from scimsvc.mapping.synchronization.exporting import (
    KINDS,
    attribute_mapping,
    scope_of,
    source_definitions,
    target_definitions,
)
from scimsvc.mapping.synchronization.importing import clauses_of, row_of
from scimsvc.mapping.synchronization.problems import ImportProblem, Kept
from scimsvc.mapping.synchronization.trees import LearnedKeys
from scimsvc.mapping.synchronization.unwrapping import unwrapped
from scimsvc.protocol.errors import ScimError
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.paths import resolve

Json = dict[str, Any]
_STANDARD_TYPES = {"User": USER_TYPE, "Group": GROUP_TYPE}


def merged(profile: Profile, registry: Registry, content: Any) -> tuple[Json, list[Kept]]:
    """Return the schema in a file's JSON with the tables of a profile, and what stays in it though the profile differs.

    Raise ImportProblem if there is no schema, or no mapping for a table.
    """
    base = unwrapped(content)
    if not isinstance(base, dict) or not isinstance(base.get("synchronizationRules"), list):
        raise ImportProblem("the base must be a JSON object with synchronizationRules")
    schema = copy.deepcopy(base)
    chosen = _chosen(schema)
    tables = profile.tables()
    missing = [KINDS[name] for name in tables if KINDS[name] not in chosen]
    if missing:
        raise ImportProblem(f"the base has no mapping of {' and '.join(sorted(missing))} objects")
    notes: list[Kept] = []
    learned = learned_keys(base)
    for name, kind in KINDS.items():
        if kind not in chosen:
            continue
        rule, mapping = chosen[kind]
        is_enabled = mapping.get("enabled") is not False
        if name not in tables:
            if is_enabled:
                notes.append(Kept(name, "table"))
            continue
        table = tables[name]
        if not is_enabled:
            notes.append(Kept(name, "enabled"))
        flows = flow_types_of(mapping.get("flowTypes"))
        if table.flow_types is None and flows:
            notes.append(Kept(name, "flowTypes", flows))
        former = _Former.of(mapping, table, registry)
        _merge_table(mapping, table, former, registry, learned)
        _merge_definitions(schema, rule, mapping, table, former)
    return schema, notes


def learned_keys(schema: Any) -> LearnedKeys:
    """Return the names that the engine gives to the parameters of functions, as far as the trees in a schema show them.

    They are ordered by function and number of arguments, with the name at each position.
    """
    learned: dict[tuple[str, int], dict[int, str]] = {}
    for tree in _trees(schema, 0):
        call, parameters = None, tree.get("parameters")
        with suppress(ExpressionError):
            call = parse(str(tree.get("expression")))
        if not isinstance(call, Call) or not isinstance(parameters, list):
            continue
        places = [place for place, argument in enumerate(call.arguments) if not isinstance(argument, Omitted)]
        keys = [parameter.get("key") if isinstance(parameter, Mapping) else None for parameter in parameters]
        if len(places) == len(keys):
            known = learned.setdefault((call.name, len(call.arguments)), {})
            for place, key in zip(places, keys, strict=True):
                if isinstance(key, str):
                    known.setdefault(place, key)
    return learned


def _trees(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield every function in a schema, or in a part of one, from the outside in."""
    if depth > 100:
        return
    if isinstance(value, Mapping):
        if str(value.get("type")).lower() == "function":
            yield value
        for below in value.values():
            yield from _trees(below, depth + 1)
    elif isinstance(value, list):
        for below in value:
            yield from _trees(below, depth + 1)


def _chosen(schema: Json) -> dict[str, tuple[Json, Json]]:
    """Return the rule and the object mapping of each kind: the first that is enabled, as an import takes it, else the first."""
    found = [(rule, mapping) for rule in _objects(schema, "synchronizationRules") for mapping in _objects(rule, "objectMappings")]
    chosen: dict[str, tuple[Json, Json]] = {}
    for rule, mapping in sorted(found, key=lambda pair: pair[1].get("enabled") is False):
        for kind in KINDS.values():
            if str(mapping.get("sourceObjectName")).lower() == kind.lower():
                chosen.setdefault(kind, (rule, mapping))
    return chosen


@dataclass(frozen=True)
class _Former:
    """What an object mapping had before: its rows by their targets, and the source attributes that they and its scope read."""

    rows: Mapping[Hashable, Json]
    source_names: frozenset[str]

    @classmethod
    def of(cls, mapping: Json, table: ObjectMapping, registry: Registry) -> _Former:
        rows = _objects(mapping, "attributeMappings")
        by_target = {_key(str(row.get("targetAttributeName")), table): row for row in reversed(rows)}
        read = [found for row in rows if (found := row_of(row, registry)) is not None]
        groups = _objects(mapping.get("scope"), "groups")
        clauses = [clause for group in groups for clause in clauses_of(group, 0)[1] if clause is not None]
        return cls(by_target, frozenset(source_names({"mappings": read, "scope": [{"clauses": clauses}]})))


def _merge_table(mapping: Json, table: ObjectMapping, former: _Former, registry: Registry, learned: LearnedKeys) -> None:
    mapping["attributeMappings"] = [
        _merged_row(former.rows.get(row.target_key), row, registry, learned) for row in table.mappings
    ]
    scope = _merged_scope(mapping.get("scope"), table)
    if scope is not None or "scope" in mapping:
        mapping["scope"] = scope
    if table.flow_types is not None and table.flow_types != (flow_types_of(mapping.get("flowTypes")) or FLOW_TYPES):
        mapping["flowTypes"] = ",".join(table.flow_types)


def _key(target: str, table: ObjectMapping) -> Hashable:
    try:
        return key_of(parse_target(target, table.resource_type, bare_strings=True))
    except ScimError:
        return None


def _merged_row(former: Json | None, row: AttributeMapping, registry: Registry, learned: LearnedKeys) -> Json:
    fresh = attribute_mapping(row, registry, learned)
    if former is None:
        return fresh
    before, after = _meaning(row_of(former, registry)), _meaning(row_of(fresh, registry))
    changed = {key: fresh[key] for key, (was, becomes) in _pairs(before, after).items() if was != becomes}
    return former | changed


def _pairs(before: Json | None, after: Json | None) -> dict[str, tuple[Any, Any]]:
    """Return for each key of Graph what it means in two rows; a row that can't be read differs in everything."""
    keys = {
        "source": ("source", "constant", "expression"),
        "matchingPriority": ("matching",),
        "defaultValue": ("default",),
        "flowType": ("apply",),
    }
    return {
        key: (
            None if before is None else [before.get(name) for name in names],
            [] if after is None else [after.get(name) for name in names],
        )
        for key, names in keys.items()
    }


def _meaning(row: Json | None) -> Json | None:
    """Return a row with its expression in Entra's usual spacing."""
    if row is None or "expression" not in row:
        return row
    try:
        return row | {"expression": show(parse(row["expression"]))}
    except ExpressionError:
        return row


def _merged_scope(former: Any, table: ObjectMapping) -> Any:
    fresh = scope_of(table)
    groups = fresh["groups"] if fresh else []
    before = _objects(former, "groups") if isinstance(former, dict) else []
    meanings = [repr(clauses_of(group, number)) for number, group in enumerate(before, 1)]
    wanted = [repr(clauses_of(group, number)) for number, group in enumerate(groups, 1)]
    if meanings == wanted:
        return former
    known = dict(zip(meanings, before, strict=True))
    merged_groups = [known.get(meaning, group) for meaning, group in zip(wanted, groups, strict=True)]
    if not isinstance(former, dict):
        return fresh
    others = any(below for key, below in former.items() if key != "groups")
    return former | {"groups": merged_groups} if merged_groups or others else None


def _merge_definitions(schema: Json, rule: Json, mapping: Json, table: ObjectMapping, former: _Former) -> None:
    """Add the definitions of what only the profile's rows have, and let those of custom attributes follow the profile."""
    target = str(mapping.get("targetObjectName"))
    for attributes in _attribute_lists(schema, rule.get("targetDirectoryName"), target):
        known = {str(one.get("name")).lower(): one for one in attributes if isinstance(one, dict)}
        for definition in target_definitions(table):
            before = known.get(definition["name"].lower())
            if before is not None and _is_custom(definition["name"], table):
                before |= _changed_characteristics(before, definition)
            elif before is None and not definition["anchor"] and _key(definition["name"], table) not in former.rows:
                attributes.append(definition)
    source = str(mapping.get("sourceObjectName"))
    for attributes in _attribute_lists(schema, rule.get("sourceDirectoryName"), source):
        names = {one.get("name") for one in attributes if isinstance(one, dict)} | former.source_names
        attributes += [one for one in source_definitions(table) if not one["anchor"] and one["name"] not in names]


def _is_custom(name: str, table: ObjectMapping) -> bool:
    return (
        resolve(
            _STANDARD_TYPES[table.resource_type.name], name.partition("[")[0] + name.rpartition("]")[2] if "[" in name else name
        )
        is None
    )


def _changed_characteristics(former: Mapping[str, Any], definition: Mapping[str, Any]) -> Json:
    """Return what a profile says otherwise of a custom attribute: what an import would read from both."""
    name = parse_name(definition["name"])
    changed: Json = {}
    if str(former.get("type") or "String").lower() != definition["type"].lower():
        changed["type"] = definition["type"]
    is_of_one_case = definition["type"] in ("Reference", "Binary")
    for key, counts in (
        ("multivalued", name is not None and name.sub is None),
        ("required", name is not None and name.value_filter is None),
        ("caseExact", not is_of_one_case),
    ):
        if counts and (former.get(key) is True) != definition[key]:
            changed[key] = definition[key]
    if definition["type"] == "Reference" and not former.get("referencedObjects"):
        changed["referencedObjects"] = definition["referencedObjects"]
    return changed


def _attribute_lists(schema: Json, directory: Any, name: str) -> Iterable[list[Any]]:
    """Yield the attribute lists of the object with a name in a directory, or in all if the schema has no such directory."""
    directories = _objects(schema, "directories")
    own = [one for one in directories if one.get("name") == directory]
    for one in own or directories:
        for found in _objects(one, "objects"):
            if found.get("name") == name and isinstance(found.get("attributes"), list):
                yield found["attributes"]


def _objects(owner: Any, key: str) -> list[Json]:
    """Return the objects of a list; what else is in it, or there instead of it, is left alone."""
    found = owner.get(key) if isinstance(owner, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
