"""Marshmallow classes made from the schema data: they read what a client sends and keep what the schema allows.

What a class yields is canonical: attribute names as the schema spells them, in the schema's order, without
nulls and empty arrays (both mean "unassigned", RFC 7643 §2.5), without attributes that are unknown or readOnly
(RFC 7644 §3.3 and §3.5.1 have them ignored).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing

from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.types import check


class _Field(fields.Field[Any]):
    """A field that reads what is there. Nulls never come here, and what is missing is marshmallow's own affair."""

    def __init__(self, declaration: Attribute, **options: Any) -> None:
        super().__init__(**options)
        self.declaration = declaration

    def deserialize(self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """The value in canonical form. Raises marshmallow.ValidationError."""
        # The class beneath asks about nulls and validators first, which takes three times as long as the reading.
        return super().deserialize(value, attr, data, **kwargs) if value is missing else self.read(value)

    def read(self, value: Any) -> Any:
        """The same for a value that isn't missing."""
        raise NotImplementedError


class SimpleField(_Field):
    """A value of one of the simple data types of RFC 7643 §2.3, kept exactly as sent."""

    def read(self, value: Any) -> Any:
        """The value itself."""
        expected = check(self.declaration.type, value)
        if expected:
            raise ValidationError(f"must be {expected}")
        if value == "" and self.declaration.required:
            raise ValidationError("is required")
        return value


class ComplexField(_Field):
    """A value of a complex attribute, read by the Marshmallow class of that attribute."""

    def read(self, value: Any) -> Any:
        """The object with its known sub-attributes."""
        return reader_of(self.declaration).read(value)


class ElementsField(_Field):
    """The values of a multi-valued attribute."""

    def __init__(self, element: _Field, **options: Any) -> None:
        super().__init__(element.declaration, **options)
        self.element = element

    def read(self, value: Any) -> Any:
        """The list of its elements, each in canonical form; errors are keyed by their places."""
        if not isinstance(value, list):
            raise ValidationError("must be an array")
        found, errors = [], {}
        for place, one in enumerate(value):
            try:
                found.append(self.element.read(one))
            except ValidationError as error:
                errors[place] = error.messages
        if errors:
            raise ValidationError(errors)
        return found


def _field(attribute: Attribute) -> _Field:
    options: dict[str, Any] = {
        "required": attribute.required,
        "data_key": attribute.name,
        "error_messages": {"required": "is required"},
    }
    kind = ComplexField if attribute.type == "complex" else SimpleField
    return ElementsField(kind(attribute), **options) if attribute.multi_valued else kind(attribute, **options)


def _field_name(name: str) -> str:
    # Marshmallow takes a dot in a field's name for nesting, and a schema's URN has one.
    return name.replace(".", "\N{ONE DOT LEADER}")


class Reader:
    """Reads the values of one complex attribute with the Marshmallow class made for it; `reader_of` keeps one for each."""

    def __init__(self, attribute: Attribute) -> None:
        writable = [sub for sub in attribute.sub_attributes if sub.mutability != "readOnly"]
        self._class = Schema.from_dict({_field_name(sub.name): _field(sub) for sub in writable}, name=attribute.name)
        self._names = {spelled: sub.name for sub in writable for spelled in (sub.name.lower(), sub.name)}
        self._required = frozenset(sub.name for sub in writable if sub.required)
        self._order = [sub.name for sub in writable]
        self._narrowed = lru_cache(maxsize=256)(self._narrow)

    def _narrow(self, present: frozenset[str]) -> tuple[Schema, list[tuple[str, str]]]:
        """The class for these attributes alone, and its fields in the schema's order."""
        # Marshmallow spends time on each field it knows, so it is told only of those that a document has.
        chosen = [(_field_name(name), name) for name in self._order if name in present | self._required]
        return self._class(only=[field for field, _ in chosen]), chosen

    def read(self, value: Any) -> dict[str, Any]:
        """The canonical form of a client's object. Raises marshmallow.ValidationError."""
        if not isinstance(value, dict):
            raise ValidationError("must be an object")
        assigned: dict[str, Any] = {}
        for sent, below in value.items():
            name = self._names.get(sent) or self._names.get(sent.lower())
            if name and below is not None and below != []:
                assigned[name] = below
        schema, order = self._narrowed(frozenset(assigned))
        loaded: dict[str, Any] = schema.load(assigned)
        return {name: loaded[field] for field, name in order if loaded[field] not in ([], {})}


@lru_cache(maxsize=1024)
def reader_of(attribute: Attribute) -> Reader:
    """The reader of a complex attribute; a resource type's `root` is one."""
    return Reader(attribute)


@lru_cache(maxsize=1024)
def _value_field(attribute: Attribute) -> _Field:
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
