"""From a synchronizationSchema to a profile's YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from scimsvc.mapping.custom import REFERENCED, TYPES, extended, obstacle, parse_name
from scimsvc.mapping.expression import show
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.synchronization.trees import TreeError, from_tree
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.model import Attribute, ResourceType

_TABLES = {"User": ("users", USER_TYPE), "Group": ("groups", GROUP_TYPE)}
_FLOW_TYPES = {"always": "always", "objectaddonly": "create"}


class ImportProblem(ValueError):
    """The file is no synchronization schema; the message says where and why."""


@dataclass
class Imported:
    """A profile as data, in the order of its keys, and what of the schema it doesn't have."""

    profile: dict[str, Any]
    left_out: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The profile's YAML."""
        return str(yaml.safe_dump(self.profile, sort_keys=False, allow_unicode=True, width=120))


def import_schema(schema: Any, name: str, title: str, registry: Registry) -> Imported:
    """The profile of a schema as the portal's download and Microsoft Graph have it; unknown keys are of no matter.

    Raises ImportProblem.
    """
    imported = Imported({"profile": name, "title": title})
    for place, mapping in _object_mappings(schema):
        kind = _kind(mapping)
        if kind is None:
            imported.left_out.append(f"{place}: objects of {mapping.get('sourceObjectName')!r:.60} have no table in a profile")
            continue
        table, resource_type = _TABLES[kind]
        if mapping.get("enabled") is False:
            imported.left_out.append(f"{place}: the mapping of {table} is not enabled")
            continue
        if table in imported.profile:
            raise ImportProblem(f"{place}: there are two mappings of {table}")
        imported.profile[table] = _table(schema, mapping, resource_type, place, imported, registry)
    for table in ("users", "groups"):
        if table not in imported.profile:
            raise ImportProblem(f"synchronizationRules: there is no enabled mapping of {table}")
    first = {key: imported.profile[key] for key in ("profile", "title", "users", "groups")}
    imported.profile = first
    return imported


def _object_mappings(schema: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(schema, Mapping):
        raise ImportProblem("the file must have a JSON object with synchronizationRules")
    for number, rule in enumerate(_list(schema, "synchronizationRules", "the schema")):
        where = f"synchronizationRules[{number}]"
        for position, mapping in enumerate(_list(rule, "objectMappings", where)):
            yield f"{where}.objectMappings[{position}]", mapping


def _list(owner: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    found = owner.get(key)
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ImportProblem(f"{where}: {key} must be a list of objects")
    return found


def _kind(mapping: Mapping[str, Any]) -> str | None:
    name = str(mapping.get("sourceObjectName", "")).lower()
    return next((kind for kind in _TABLES if name == kind.lower()), None)


def _table(
    schema: Any, mapping: Mapping[str, Any], type_: ResourceType, place: str, imported: Imported, registry: Registry
) -> dict[str, Any]:
    rows = [
        _row(row, f"{place}.attributeMappings[{number}]", imported, registry)
        for number, row in enumerate(_list(mapping, "attributeMappings", place))
    ]
    table: dict[str, Any] = {"mappings": rows}
    attributes = list(_custom_attributes(schema, mapping, type_, [row["target"] for row in rows]))
    if attributes:
        table["attributes"] = attributes
    scope = _scope(mapping.get("scope"), f"{place}.scope", imported)
    if scope:
        table["scope"] = scope
    return table


def _scope(found: Any, place: str, imported: Imported) -> list[dict[str, Any]]:
    if not found:
        return []
    if not isinstance(found, Mapping):
        raise ImportProblem(f"{place} must be an object or null")
    for key in ("inputFilterGroups", "categoryFilterGroups"):
        if found.get(key):
            imported.left_out.append(f"{place}.{key}: a profile has filters by which objects fall out of scope, and no others")
    groups = _list(found, "groups", place) if found.get("groups") else []
    return [
        {
            "name": str(group.get("name") or f"Scoping filter {number + 1}"),
            "clauses": [
                _clause(clause, f"{place}.groups[{number}].clauses[{position}]")
                for position, clause in enumerate(_list(group, "clauses", f"{place}.groups[{number}]"))
            ],
        }
        for number, group in enumerate(groups)
    ]


def _clause(clause: Mapping[str, Any], place: str) -> dict[str, str]:
    attribute, operator = clause.get("sourceOperandName"), clause.get("operatorName")
    operand = clause.get("targetOperand")
    values = (operand.get("values") if isinstance(operand, Mapping) else None) or []
    if not isinstance(attribute, str) or not isinstance(operator, str) or not isinstance(values, list) or len(values) > 1:
        raise ImportProblem(f"{place}: a clause has a sourceOperandName, an operatorName and at most one value")
    return {"attribute": attribute, "operator": operator} | ({"value": str(values[0])} if values else {})


def _row(row: Mapping[str, Any], place: str, imported: Imported, registry: Registry) -> dict[str, Any]:
    target = row.get("targetAttributeName")
    if not isinstance(target, str) or not target:
        raise ImportProblem(f"{place}: there is no targetAttributeName")
    found = _source(row.get("source"), place, registry) | {"target": target}
    priority = row.get("matchingPriority") or 0
    if not isinstance(priority, int) or isinstance(priority, bool) or priority < 0:
        raise ImportProblem(f"{place}: matchingPriority must be a whole number")
    if priority:
        found["matching"] = priority
    default = row.get("defaultValue")
    if default not in (None, ""):
        found["default"] = str(default)
    flow_type = str(row.get("flowType") or "Always")
    if _FLOW_TYPES.get(flow_type.lower()) == "create":
        found["apply"] = "create"
    elif flow_type.lower() not in _FLOW_TYPES:
        imported.left_out.append(f"{place}: flowType {flow_type} of {target}; a profile has always and create")
    return found


def _source(source: Any, place: str, registry: Registry) -> dict[str, Any]:
    if source is None:
        return {}
    if not isinstance(source, Mapping):
        raise ImportProblem(f"{place}: source must be an object or null")
    kind, name, text = str(source.get("type") or "Attribute").lower(), source.get("name"), source.get("expression")
    if kind == "function":
        if isinstance(text, str) and text.strip():
            return {"expression": text}
        try:
            return {"expression": show(from_tree(source, registry))}
        except TreeError as error:
            raise ImportProblem(f"{place}: source: {error}") from None
    if not isinstance(name, str):
        raise ImportProblem(f"{place}: source has no name")
    if kind not in ("attribute", "constant"):
        raise ImportProblem(f"{place}: {kind!r:.40} is no type of a source; there are Attribute, Constant and Function")
    return {"source" if kind == "attribute" else "constant": name}


def _custom_attributes(
    schema: Mapping[str, Any], mapping: Mapping[str, Any], type_: ResourceType, targets: list[str]
) -> Iterator[dict[str, Any]]:
    """What the target directory's attribute list has and the standard schemas don't, where a row needs it."""
    lowered = {target.lower() for target in targets}
    for definition in _definitions(schema, str(mapping.get("targetObjectName"))):
        text = definition.get("name")
        name = parse_name(text) if isinstance(text, str) and text.lower() in lowered else None
        if name is None or obstacle(type_, name):
            continue
        type_ = extended(type_, name, Attribute(name.sub or name.attribute))
        kind = next((known for known in TYPES if known.lower() == str(definition.get("type") or "String").lower()), "String")
        attribute: dict[str, Any] = {"name": text, "type": kind}
        for ours, theirs, wanted in (
            ("multiValued", "multivalued", name.sub is None),
            ("required", "required", name.value_filter is None),
            ("exactCase", "caseExact", True),
        ):
            if wanted and definition.get(theirs) is True:
                attribute[ours] = True
        referenced = _referenced(definition) if kind == "Reference" else []
        yield attribute | ({"referencedObjectAttribute": referenced} if referenced else {})


def _referenced(definition: Mapping[str, Any]) -> list[str]:
    found = definition.get("referencedObjects")
    objects = found if isinstance(found, list) else []
    names = [str(one.get("referencedObjectName")).rpartition(":")[2] for one in objects if isinstance(one, Mapping)]
    return [one for one in REFERENCED if one.partition(".")[0] in names]


def _definitions(schema: Mapping[str, Any], target: str) -> Iterator[Mapping[str, Any]]:
    for directory in schema.get("directories") or []:
        for found in (directory.get("objects") or []) if isinstance(directory, Mapping) else []:
            if isinstance(found, Mapping) and found.get("name") == target:
                yield from (one for one in found.get("attributes") or [] if isinstance(one, Mapping))
