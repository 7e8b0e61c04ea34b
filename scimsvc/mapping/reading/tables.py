"""`users:` and `groups:` of a profile: one attribute-mapping table of the portal each, with a finding for each mistake."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import yaml

from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping
from scimsvc.mapping.reading.examples import run_examples
from scimsvc.mapping.reading.flow_types import read_flow_types
from scimsvc.mapping.reading.rows import read_row
from scimsvc.mapping.reading.scope import read_scope
from scimsvc.mapping.reading.source_attributes import KnownAttributes, read_source_attributes
from scimsvc.mapping.reading.warnings.rows import Overlaps, advise
from scimsvc.mapping.reading.warnings.tables import advise_on_custom_attributes, advise_on_table
from scimsvc.mapping.reading.yaml_text import Source
from scimsvc.schema.model import ResourceType

_TABLE_KEYS = ("mappings", "attributes", "scope", "examples", "flowTypes", "sourceAttributes")


def entries_of_table(source: Source, node: yaml.Node | None, resource_type: ResourceType) -> dict[str, yaml.Node]:
    """Return the entries of a table by key. Note unknown keys."""
    return source.mapping(node, f"the {resource_type.name} table", _TABLE_KEYS)


def read_table(
    source: Source, node: yaml.Node | None, entries: Mapping[str, yaml.Node], resource_type: ResourceType, directory: str
) -> ObjectMapping:
    """Return a table of a profile. Note what is wrong or doubtful in it, and examples that fail.

    `entries` are those of `node`, `resource_type` has the custom attributes already, and `directory` is the name of the directory
    that the source attributes are of, such as `entra`.
    """
    defined = read_source_attributes(source, entries.get("sourceAttributes"))
    known = KnownAttributes("User" if resource_type.name == "User" else "Group", directory, defined)
    rows = _rows(source, entries.get("mappings"), resource_type, known)
    if node is not None and not _has_matching(entries.get("mappings")):
        source.complain(node, f"no {resource_type.name} mapping has `matching`: Entra needs one to find what it created")
    scope = read_scope(source, entries.get("scope"), known.doubt)
    flow_types = read_flow_types(source, entries.get("flowTypes"))
    table = ObjectMapping(resource_type, tuple(rows), scope, flow_types, defined, is_mapped=node is not None)
    advise_on_table(source, node, table)
    if known.of_entra:
        advise_on_custom_attributes(source, entries.get("attributes"), resource_type.name)
    run_examples(source, entries.get("examples"), table)
    return table


def _rows(source: Source, node: yaml.Node | None, resource_type: ResourceType, known: KnownAttributes) -> list[AttributeMapping]:
    rows = []
    clashes = _Clashes(source)
    for entry in source.sequence(node, "mappings"):
        row = read_row(source, entry, resource_type)
        if row is None:
            continue
        rows.append(row)
        advise(source, {str(key.value): value for key, value in entry.value}, row, known)
        clashes.note(entry, row)
    return rows


def _has_matching(node: yaml.Node | None) -> bool:
    """Return whether a row has the key `matching`, also if the row is wrong otherwise."""
    entries = node.value if isinstance(node, yaml.SequenceNode) else ()
    return any(key.value == "matching" for entry in entries if isinstance(entry, yaml.MappingNode) for key, _ in entry.value)


class _Clashes:
    """Notes rows that write the same values as earlier ones, or have the same matching precedence."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._targets: dict[Hashable, str] = {}
        self._precedences: dict[int, str] = {}
        self._overlaps = Overlaps()

    def note(self, entry: yaml.Node, row: AttributeMapping) -> None:
        """Note how a row clashes with those before, and remember it for those that follow."""
        former = self._targets.get(row.target_key)
        if former is not None:
            spelled = "" if former == row.target_text else f", which is {former} too"
            self._source.complain(entry, f"two mappings for {row.target_text}{spelled}")
        elif other := self._overlaps.with_others(row):
            self._source.warn(
                entry, "overlapping-rows", f"{row.target_text} and {other} write the same values; the later row wins"
            )
        self._targets.setdefault(row.target_key, row.target_text)
        if row.matching in self._precedences:
            other = self._precedences[row.matching]
            self._source.complain(entry, f"{other} has the matching precedence {row.matching} already")
        elif row.matching is not None:
            self._precedences[row.matching] = row.target_text
