"""The attribute lists of a schema: what a profile takes from them, and what it can't keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from scimsvc.mapping.entra.directory import Kind, has_source_attribute
from scimsvc.mapping.expression import ExpressionError, parse
from scimsvc.mapping.expression.tree import SourceAttribute, nodes
from scimsvc.mapping.profile.custom_attributes import TYPES, parse_name
from scimsvc.mapping.synchronization.problems import LeftOut
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import resolve

BEHAVIOR = "FlowWhenChanged"
"""The flow behaviour of every row of a profile."""


def losses_of_row(row: Mapping[str, Any], place: str) -> Iterator[LeftOut]:
    """Yield what a row at a place of the schema has, besides its flow type, and a row of a profile does not have."""
    target = str(row.get("targetAttributeName"))
    behavior = row.get("flowBehavior")
    if behavior is not None and str(behavior).lower() != BEHAVIOR.lower():
        yield LeftOut(place, "flowBehavior", target, behavior)
    if row.get("exportMissingReferences") is True:
        yield LeftOut(place, "exportMissingReferences", target, True)


def losses_of_definitions(
    definitions: Iterable[tuple[str, Mapping[str, Any]]], targets: Iterable[str], resource_type: ResourceType
) -> Iterator[LeftOut]:
    """Yield what the definitions of `targets`, which are in lower case, have and a profile does not. Each has its place."""
    wanted = set(targets)
    for place, definition in definitions:
        name = definition.get("name")
        if not isinstance(name, str) or name.lower() not in wanted:
            continue
        yield from (LeftOut(place, key, name, value) for key, value in _losses(definition))
        parsed = parse_name(name)
        standard = resolve(resource_type, f"{parsed.parent}.{parsed.sub}" if parsed and parsed.sub else name) if parsed else None
        by_filter = bool(parsed and parsed.value_filter)
        if definition.get("required") is True and (by_filter or (standard and not standard.leaf.required)):
            yield LeftOut(place, "required", name, True)


def _losses(definition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    default = definition.get("defaultValue")
    if default not in (None, ""):
        yield "defaultValue", default
    mutability = definition.get("mutability")
    if mutability is not None and str(mutability).lower() != "readwrite":
        yield "mutability", mutability
    if definition.get("flowNullValues") is True:
        yield "flowNullValues", True
    if definition.get("apiExpressions"):
        yield "apiExpressions", definition["apiExpressions"]


def source_attributes_in(
    schema: Mapping[str, Any], mapping: Mapping[str, Any], table: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the definitions of source attributes that a table reads, if Entra's objects do not have them by themselves.

    Each has its place.
    """
    object_name = str(mapping.get("sourceObjectName"))
    kind: Kind = "User" if object_name.lower() == "user" else "Group"
    wanted = {name for name in source_names(table) if not has_source_attribute(kind, name) and not _is_unwritable(name)}
    for place, definition in _definitions(schema, object_name):
        name = definition.get("name")
        if not isinstance(name, str) or name not in wanted:
            continue
        wanted.discard(name)
        stated = str(definition.get("type") or "String").lower()
        found: dict[str, Any] = {"name": name, "type": next((known for known in TYPES if known.lower() == stated), "String")}
        yield place, found | ({"multiValued": True} if definition.get("multivalued") is True else {})


def _is_unwritable(name: str) -> bool:
    return not name or any(character in "[]" or character.isspace() for character in name)


def source_names(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the source attributes that the rows and the scope of a table read, as a profile has them."""
    for row in table["mappings"]:
        if "source" in row:
            yield row["source"]
        elif "expression" in row:
            with suppress(ExpressionError):
                yield from (node.name for node in nodes(parse(row["expression"])) if isinstance(node, SourceAttribute))
    for one in table.get("scope", ()):
        yield from (clause["attribute"] for clause in one["clauses"])


def _definitions(schema: Mapping[str, Any], object_name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the definitions of a source object, each with its place. Skip what is not a list of objects."""
    for place, directory in _objects(schema, "directories", ""):
        for where, found in _objects(directory, "objects", place):
            if found.get("name") == object_name:
                yield from _objects(found, "attributes", where)


def _objects(owner: Mapping[str, Any], key: str, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    listed = owner.get(key)
    for number, one in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(one, Mapping):
            yield f"{place}.{key}[{number}]" if place else f"{key}[{number}]", one
