"""`sourceAttributes:` of a table: the portal's list of source attributes, for those that a directory has besides Entra's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from scimsvc.mapping.entra.directory import MULTI_VALUED, Kind, has_source_attribute, name_of_graph_property, source_attributes
from scimsvc.mapping.profile.custom_attributes import TYPES
from scimsvc.mapping.profile.source_attributes import SourceDefinition
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean

ENTRA = "entra"
"""The directory whose source attributes are known."""
MAX_SOURCE_ATTRIBUTES = 1_000
"""Source attributes that a table may define."""
_KEYS = ("name", "type", "multiValued", "description")


@dataclass(frozen=True)
class KnownAttributes:
    """The source attributes that the rows of a table may read: the directory's, if it is Entra, and those that it defines."""

    kind: Kind
    directory: str
    defined: Mapping[str, SourceDefinition]

    @property
    def of_entra(self) -> bool:
        """Return whether the directory is Entra, so that its attributes are known."""
        return self.directory == ENTRA

    def doubt(self, name: str) -> str | None:
        """Return what is doubtful about the name of a source attribute; None if nothing is."""
        if not self.of_entra or name in self.defined or has_source_attribute(self.kind, name):
            return None
        meant = name_of_graph_property(self.kind, name)
        hint = f", did you mean {meant!r}?" if meant else did_you_mean(name, [*source_attributes(self.kind), *self.defined])
        remedy = hint or "; if yours have it, list it under sourceAttributes"
        return f"Entra's {self.kind.lower()}s have no attribute {name!r}{remedy}"

    def multi_valued(self) -> set[str]:
        """Return the names of the source attributes that have several values."""
        of_entra = {name for name in MULTI_VALUED[self.kind] if self.of_entra and name not in self.defined}
        return of_entra | {definition.name for definition in self.defined.values() if definition.multi_valued}


def read_source_attributes(source: Source, node: yaml.Node | None) -> Mapping[str, SourceDefinition]:
    """Return the definitions in a table by name. Note what is wrong with them."""
    definitions: dict[str, SourceDefinition] = {}
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
            hint = did_you_mean(type_, TYPES)
            source.complain(entries["type"], f"unknown type {type_!r:.40}{hint}; known are {', '.join(TYPES)}")
        if name is None:
            continue
        if not name or any(character in "[]" or character.isspace() for character in name):
            source.complain(entries["name"], "the name of a source attribute has no spaces and no brackets, as in dirSyncEnabled")
        elif name in definitions:
            source.complain(entries["name"], f"{name} is here twice")
        definitions[name] = SourceDefinition(name, type_ or "String", multi_valued)
    return definitions
