"""Marshmallow classes made from the schema data: they read what a client sends and keep what the schema allows.

What a class yields is canonical: attribute names as the schema spells them, in the schema's order, without
nulls and empty arrays (both mean "unassigned", RFC 7643 §2.5), without attributes that are unknown or readOnly
(RFC 7644 §3.3 and §3.5.1 have them ignored).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from marshmallow import Schema, ValidationError, fields

from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.types import check


class SimpleField(fields.Field[Any]):
    """A value of one of the simple data types of RFC 7643 §2.3, kept exactly as sent."""

    def __init__(self, declaration: Attribute, **options: Any) -> None:
        super().__init__(**options)
        self.declaration = declaration

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        expected = check(self.declaration.type, value)
        if expected:
            raise ValidationError(f"must be {expected}")
        if value == "" and self.declaration.required:
            raise ValidationError("is required")
        return value


class ComplexField(fields.Field[Any]):
    """A value of a complex attribute, read by the Marshmallow class of that attribute."""

    def __init__(self, declaration: Attribute, **options: Any) -> None:
        super().__init__(**options)
        self.declaration = declaration

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return reader_of(self.declaration).read(value)


def _field(attribute: Attribute) -> fields.Field[Any]:
    options: dict[str, Any] = {
        "required": attribute.required,
        "data_key": attribute.name,
        "error_messages": {"required": "is required", "invalid": "must be an array"},
    }
    kind = ComplexField if attribute.type == "complex" else SimpleField
    if attribute.multi_valued:
        return fields.List(kind(attribute), **options)
    return kind(attribute, **options)


def _field_name(name: str) -> str:
    # Marshmallow takes a dot in a field's name for nesting, and a schema's URN has one.
    return name.replace(".", "\N{ONE DOT LEADER}")


class Reader:
    """Reads the values of one complex attribute with the Marshmallow class made for it; `reader_of` keeps one for each."""

    def __init__(self, attribute: Attribute) -> None:
        writable = [sub for sub in attribute.sub_attributes if sub.mutability != "readOnly"]
        self._class = Schema.from_dict({_field_name(sub.name): _field(sub) for sub in writable}, name=attribute.name)
        self._names = {sub.name.lower(): sub.name for sub in writable} | {sub.name: sub.name for sub in writable}
        self._order = [(_field_name(sub.name), sub.name) for sub in writable]
        self._required = frozenset(_field_name(sub.name) for sub in writable if sub.required)
        self._narrowed = lru_cache(maxsize=256)(self._narrow)

    def _narrow(self, present: frozenset[str]) -> Schema:
        # Marshmallow spends time on each field it knows, so it is told only of those that a document has.
        return self._class(only=present | self._required)

    def read(self, value: Any) -> dict[str, Any]:
        """The canonical form of a client's object. Raises marshmallow.ValidationError."""
        if not isinstance(value, dict):
            raise ValidationError("must be an object")
        assigned: dict[str, Any] = {}
        for sent, below in value.items():
            name = self._names.get(sent) or self._names.get(sent.lower())
            if name and below is not None and below != []:
                assigned[name] = below
        loaded: dict[str, Any] = self._narrowed(frozenset(map(_field_name, assigned))).load(assigned)
        return {name: loaded[key] for key, name in self._order if key in loaded and loaded[key] not in ([], {})}


@lru_cache(maxsize=1024)
def reader_of(attribute: Attribute) -> Reader:
    """The reader of a complex attribute; a resource type's `root` is one."""
    return Reader(attribute)


@lru_cache(maxsize=1024)
def _value_field(attribute: Attribute) -> fields.Field[Any]:
    return _field(attribute)


def load(resource_type: ResourceType, document: Any) -> dict[str, Any]:
    """Read a whole resource as a client sends it.

    Raises marshmallow.ValidationError, whose messages are keyed by attribute and element.
    """
    return reader_of(resource_type.root).read(document)


def load_value(attribute: Attribute, value: Any) -> Any:
    """Read one value of an attribute, a list where it is multi-valued, as in a PATCH operation.

    Raises marshmallow.ValidationError.
    """
    return _value_field(attribute).deserialize(value)


def describe(messages: Any, path: str = "") -> str:
    """A ValidationError's messages as one line: `emails[0].value must be a string; userName is required`."""
    if isinstance(messages, Mapping):
        parts = []
        for key, below in messages.items():
            if key == "_schema":
                step = path
            elif isinstance(key, int):
                step = f"{path}[{key}]"
            else:
                step = f"{path}{':' if ':' in path and '.' not in path.rpartition(':')[2] else '.'}{key}" if path else key
            parts.append(describe(below, step))
        return "; ".join(parts)
    return "; ".join(f"{path or 'the resource'} {message}" for message in messages)
