"""`sourceAttributes:` of a table: the portal's list of source attributes, as far as a directory has more than Entra's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from scimsvc.mapping.profile.custom_attributes import TYPES
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean

MAX_SOURCE_ATTRIBUTES = 1_000
"""Source attributes that a table may define."""
_KEYS = ("name", "type", "multiValued", "description")


@dataclass(frozen=True)
class SourceDefinition:
    """A source attribute: `type` is one of the portal's, as in `TYPES`."""

    name: str
    type: str = "String"
    multi_valued: bool = False


def read_source_attributes(source: Source, node: yaml.Node | None) -> Mapping[str, SourceDefinition]:
    """Return the definitions in a table by name. Note what is wrong with them."""
    found: dict[str, SourceDefinition] = {}
    for count, entry in enumerate(source.sequence(node, "sourceAttributes")):
        if count == MAX_SOURCE_ATTRIBUTES:
            source.complain(entry, f"a table can't define more than {MAX_SOURCE_ATTRIBUTES} source attributes")
            break
        entries = source.mapping(entry, "a source attribute", _KEYS)
        if not isinstance(entry, yaml.MappingNode):
            continue
        name = source.text_of(entries.get("name"), "name")
        type_ = source.text_of(entries["type"], "type") if "type" in entries else "String"
        source.text_of(entries.get("description"), "description")
        multi_valued = bool(source.typed(entries.get("multiValued"), bool, "multiValued"))
        if "name" not in entries:
            source.complain(entry, "the key 'name' is missing")
        if type_ is not None and type_ not in TYPES:
            source.complain(
                entries["type"], f"unknown type {type_!r:.40}{did_you_mean(type_, TYPES)}; known are {', '.join(TYPES)}"
            )
        if name is None:
            continue
        if not name or any(character in "[]" or character.isspace() for character in name):
            source.complain(entries["name"], "the name of a source attribute has no spaces and no brackets, as in dirSyncEnabled")
        elif name in found:
            source.complain(entries["name"], f"{name} stands here twice")
        found[name] = SourceDefinition(name, type_ or "String", multi_valued)
    return found
