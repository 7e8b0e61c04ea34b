"""From a synchronizationSchema to a profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import yaml

from scimsvc.mapping.expression import show
from scimsvc.mapping.expression.tree import Call, SourceAttribute, Text
from scimsvc.mapping.findings import Finding, ProfileError, marked
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.profile.custom_attributes import REFERENCED, TYPES, extended, obstacle, parse_name
from scimsvc.mapping.profile.flow_types import flow_types_of, unknown_flow_types
from scimsvc.mapping.profile.model import Profile
from scimsvc.mapping.reading.profile import parse_profile
from scimsvc.mapping.synchronization.connectors import other_connector
from scimsvc.mapping.synchronization.definitions import losses_of_definitions, losses_of_row, source_attributes_in
from scimsvc.mapping.synchronization.problems import ImportProblem, LeftOut
from scimsvc.mapping.synchronization.trees import TreeError, from_tree
from scimsvc.mapping.synchronization.unwrapping import unwrapped
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.model import Attribute, ResourceType

_TABLES = {"User": ("users", USER_TYPE), "Group": ("groups", GROUP_TYPE)}
_FLOW_TYPES = {"always": "always", "objectaddonly": "create"}


@dataclass(frozen=True)
class Imported:
    """A profile, its YAML, and what the schema has besides."""

    profile: Profile
    text: str
    left_out: list[LeftOut]


def import_schema(content: Any, name: str, title: str, registry: Registry) -> Imported:
    """Return the profile of a schema as the portal and Microsoft Graph return it, also with the object around it.

    Unknown keys are ignored. Raise ImportProblem.
    """
    reader = _Reader(registry)
    schema = unwrapped(content)
    tables = reader.tables(schema)
    data = {"profile": name, "title": title} | {table: tables[table] for table in ("users", "groups") if table in tables}
    text = _yaml(data, 120)
    problems = reader.problems
    try:
        profile = parse_profile(text, PurePath("the profile"), registry)
    except ProfileError:
        # Unfolded, so that a message shows all of an expression.
        unfolded = _yaml(data, _UNFOLDED)
        rows = _Rows(unfolded, reader.places)
        findings = _findings_in(unfolded, registry)
        found = [(finding, rows.place_of(finding)) for finding in findings if finding.severity == "error"]
        # What is missing because something else could not be read is not a problem of its own.
        problems += [
            f"{place or rows.table_of(finding) or finding.path}: {_shown(finding)}"
            for finding, place in found
            if place or not reader.problems
        ]
        problems[:0] = other_connector(schema, [finding for finding, _ in found], tables)
        raise ImportProblem("\n".join(problems)) from None
    if problems:
        raise ImportProblem("\n".join(problems))
    return Imported(profile, text, reader.left_out)


_UNFOLDED = 1_000_000
"""Characters in a line, which no expression has."""


def _yaml(data: Mapping[str, Any], width: int) -> str:
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=width))


def _findings_in(text: str, registry: Registry) -> list[Finding]:
    try:
        return list(parse_profile(text, PurePath("the profile"), registry).warnings)
    except ProfileError as error:
        return error.findings


def row_of(row: Mapping[str, Any], registry: Registry) -> dict[str, Any] | None:
    """Return a row of Graph as a row of a profile; None if it can't be read."""
    return _Reader(registry).row(row, "")


def clauses_of(group: Mapping[str, Any], number: int) -> tuple[str, list[Any]]:
    """Return what a group of a scope means: its name, and its clauses as a profile has them, None for one that can't be read."""
    clauses = group.get("clauses")
    listed = clauses if isinstance(clauses, list) else []
    reader = _Reader(Registry(()))
    return _name_of(group, number), [reader.clause(one, "") if isinstance(one, Mapping) else None for one in listed]


class _Rows:
    """The places in the schema that the lines of the profile's YAML come from."""

    def __init__(self, text: str, places: Mapping[tuple[str, str], list[str]]) -> None:
        self._ranges: list[tuple[int, int, str]] = []
        self._tables: list[tuple[int, int, str]] = []
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        for key, table in root.value if root else ():
            if isinstance(table, yaml.MappingNode):
                for place in places.get((key.value, ""), []):
                    self._tables.append((table.start_mark.line + 1, table.end_mark.line, place))
                for part, rows in table.value:
                    origins = places.get((key.value, part.value), [])
                    for row, place in zip(rows.value, origins, strict=True) if origins else ():
                        self._ranges.append((row.start_mark.line + 1, row.end_mark.line, place))

    def place_of(self, finding: Finding) -> str | None:
        """Return the place of the row, filter or attribute that a finding is about, or None."""
        return _within(self._ranges, finding)

    def table_of(self, finding: Finding) -> str | None:
        """Return the place of the object mapping that a finding is about, or None."""
        return _within(self._tables, finding)


def _within(ranges: list[tuple[int, int, str]], finding: Finding) -> str | None:
    return next((place for first, last, place in ranges if first <= finding.line <= max(first, last)), None)


def _shown(finding: Finding) -> str:
    """Return the message of a finding, and the text that it is about, with a caret."""
    indent = len(finding.text) - len(finding.text.lstrip(" -"))
    return f"{finding.message}\n{marked(finding.text[indent:], finding.column - indent)}"


@dataclass
class _Reader:
    """Reads a schema. It notes what is wrong and reads on."""

    registry: Registry
    problems: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    places: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def tables(self, schema: Any) -> dict[str, Any]:
        """Return the tables of the profile, `users` and `groups`, as YAML data."""
        found: dict[str, Any] = {}
        if not isinstance(schema, Mapping):
            self.problems.append("the file must have a JSON object with synchronizationRules")
            return found
        for place, mapping, enabled in self._by_enabled(schema):
            kind = _kind(mapping)
            if kind is None:
                self.left_out.append(LeftOut(place, "sourceObjectName", value=mapping.get("sourceObjectName")))
                continue
            table, resource_type = _TABLES[kind]
            if table in found:
                if enabled:
                    self.problems.append(f"{place}: there are two mappings of {table}")
                continue
            if not enabled and not _matches_by_something(mapping):
                if mapping.get("attributeMappings"):
                    self.left_out.append(LeftOut(place, "matchingPriority", table))
                continue
            if not enabled:
                self.left_out.append(LeftOut(place, "enabled", table, False))
            found[table] = self._table(schema, mapping, table, resource_type, place)
        if not found and not self.problems:
            self.problems.append("synchronizationRules: there is no mapping of users or groups")
        return found

    def _by_enabled(self, schema: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], bool]]:
        """Return the object mappings, first those that are enabled."""
        found = [(place, mapping, mapping.get("enabled") is not False) for place, mapping in self._object_mappings(schema)]
        return sorted(found, key=lambda one: not one[2])

    def _object_mappings(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for where, rule in self._list(schema, "synchronizationRules", ""):
            yield from self._list(rule, "objectMappings", where)

    def _list(self, owner: Mapping[str, Any], key: str, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the objects of a list, each with its place. Note other elements as problems."""
        path = f"{where}.{key}" if where else key
        found = owner.get(key)
        if not isinstance(found, list):
            self.problems.append(f"{path} must be a list of objects")
            return
        for number, one in enumerate(found):
            if isinstance(one, Mapping):
                yield f"{path}[{number}]", one
            else:
                self.problems.append(f"{path}[{number}] must be an object")

    def _table(
        self, schema: Mapping[str, Any], mapping: Mapping[str, Any], table: str, type_: ResourceType, place: str
    ) -> dict[str, Any]:
        rows = [(where, row) for where, one in self._list(mapping, "attributeMappings", place) if (row := self.row(one, where))]
        attributes = list(self._custom_attributes(schema, mapping, type_, [row["target"] for _, row in rows]))
        found: dict[str, Any] = {"mappings": [row for _, row in rows]}
        flow_types = flow_types_of(mapping.get("flowTypes"))
        if flow_types:
            found["flowTypes"] = list(flow_types)
        if unknown := unknown_flow_types(mapping.get("flowTypes")):
            self.left_out.append(LeftOut(f"{place}.flowTypes", "flowTypes", table, unknown))
        self.places[table, ""] = [place]
        self.places[table, "mappings"] = [where for where, _ in rows]
        if attributes:
            found["attributes"] = [attribute for _, attribute in attributes]
            self.places[table, "attributes"] = [where for where, _ in attributes]
        scope = list(self._scope(mapping.get("scope"), f"{place}.scope"))
        if scope:
            found["scope"] = [one for _, one in scope]
            self.places[table, "scope"] = [where for where, _ in scope]
        defined = list(source_attributes_in(schema, mapping, found))
        if defined:
            found["sourceAttributes"] = [one for _, one in defined]
            self.places[table, "sourceAttributes"] = [where for where, _ in defined]
        standard = {target.lower() for target in (row["target"] for _, row in rows)}
        self.left_out += losses_of_definitions(self._definitions(schema, str(mapping.get("targetObjectName"))), standard, type_)
        return found

    def _scope(self, found: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if not found:
            return
        if not isinstance(found, Mapping):
            self.problems.append(f"{place} must be an object or null")
            return
        for key in ("inputFilterGroups", "categoryFilterGroups"):
            if found.get(key):
                self.left_out.append(LeftOut(f"{place}.{key}", key))
        for number, (where, group) in enumerate(self._list(found, "groups", place) if found.get("groups") else (), 1):
            clauses = [self.clause(clause, one) for one, clause in self._list(group, "clauses", where)]
            name = _name_of(group, number)
            yield where, {"name": name, "clauses": [one for one in clauses if one]}

    def clause(self, clause: Mapping[str, Any], place: str) -> dict[str, str] | None:
        """Return a clause as a profile has it; None, with a problem, if it can't be read."""
        attribute, operator = clause.get("sourceOperandName"), clause.get("operatorName")
        operand = clause.get("targetOperand")
        values = (operand.get("values") if isinstance(operand, Mapping) else None) or []
        if not isinstance(attribute, str) or not isinstance(operator, str) or not isinstance(values, list) or len(values) > 1:
            self.problems.append(f"{place}: a clause has a sourceOperandName, an operatorName and at most one value")
            return None
        return {"attribute": attribute, "operator": operator} | ({"value": str(values[0])} if values else {})

    def row(self, row: Mapping[str, Any], place: str) -> dict[str, Any] | None:
        """Return a row as a profile has it; None, with a problem, if it can't be read."""
        before = len(self.problems)
        target, priority = row.get("targetAttributeName"), row.get("matchingPriority") or 0
        found = self._source(row.get("source"), place)
        if not isinstance(target, str) or not target:
            self.problems.append(f"{place}: there is no targetAttributeName")
        if not isinstance(priority, int) or isinstance(priority, bool) or priority < 0:
            self.problems.append(f"{place}: matchingPriority must be an integer")
        if len(self.problems) > before:
            return None
        found["target"] = target
        if priority:
            found["matching"] = priority
        default = row.get("defaultValue")
        if default not in (None, ""):
            found["default"] = str(default)
        flow_type = str(row.get("flowType") or "Always")
        if _FLOW_TYPES.get(flow_type.lower()) == "create":
            found["apply"] = "create"
        elif flow_type.lower() not in _FLOW_TYPES:
            self.left_out.append(LeftOut(place, "flowType", str(target), flow_type))
        self.left_out += losses_of_row(row, place)
        return found

    def _source(self, source: Any, place: str) -> dict[str, Any]:
        """Return the value source of a row as keys of a profile; an empty dict, with a problem, if it can't be read."""
        if source is None:
            return {}
        if not isinstance(source, Mapping):
            self.problems.append(f"{place}: source must be an object or null")
            return {}
        text = source.get("expression")
        if str(source.get("type") or "Attribute").lower() == "function" and isinstance(text, str) and text.strip():
            return {"expression": text}
        try:
            node = from_tree(source, self.registry)
        except TreeError as error:
            self.problems.append(f"{place}: source: {error}")
            return {}
        if isinstance(node, SourceAttribute):
            return {"source": node.name}
        if isinstance(node, Call):
            return {"expression": text if isinstance(text, str) and text.strip() else show(node)}
        return {"constant": node.value if isinstance(node, Text) else show(node)}

    def _custom_attributes(
        self, schema: Mapping[str, Any], mapping: Mapping[str, Any], type_: ResourceType, targets: list[str]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the attributes of the target's attribute list that a row needs and the standard schemas do not have."""
        lowered = {target.lower() for target in targets}
        for where, definition in self._definitions(schema, str(mapping.get("targetObjectName"))):
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
            yield where, attribute | ({"referencedObjectAttribute": referenced} if referenced else {})

    def _definitions(self, schema: Mapping[str, Any], target: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for where, directory in self._list(schema, "directories", "") if schema.get("directories") else ():
            for place, found in self._list(directory, "objects", where) if directory.get("objects") else ():
                if found.get("name") == target and found.get("attributes"):
                    yield from self._list(found, "attributes", place)


def _name_of(group: Mapping[str, Any], number: int) -> str:
    return str(group.get("name") or f"Scoping filter {number}")


def _matches_by_something(mapping: Mapping[str, Any]) -> bool:
    rows = mapping.get("attributeMappings")
    return isinstance(rows, list) and any(isinstance(row, Mapping) and row.get("matchingPriority") for row in rows)


def _kind(mapping: Mapping[str, Any]) -> str | None:
    name = str(mapping.get("sourceObjectName", "")).lower()
    return next((kind for kind in _TABLES if name == kind.lower()), None)


def _referenced(definition: Mapping[str, Any]) -> list[str]:
    found = definition.get("referencedObjects")
    objects = found if isinstance(found, list) else []
    names = [str(one.get("referencedObjectName")).rpartition(":")[2] for one in objects if isinstance(one, Mapping)]
    return [one for one in REFERENCED if one.partition(".")[0] in names]
