"""Marshmallow classes made from the schema data: they read what a client sends and keep what the schema allows.

What a class yields is canonical: attribute names as the schema spells them, in the schema's order, without
nulls and empty arrays (both mean "unassigned", RFC 7643 §2.5), without attributes that are unknown or readOnly
(RFC 7644 §3.3 and §3.5.1 have them ignored). In a part of a value that is there null says what it unassigns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing

from scimsvc.schema.core import RELATED
from scimsvc.schema.elements import Identity, identity_of, merged
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.schema.suggestions import unknown_key
from scimsvc.schema.types import check, shown

MAX_DESCRIBED = 10
"""Mistakes that one message names."""


class _Mistyped(str):
    """The message `must be a string`, with the value that was sent as `not_`; a value that is never returned is not repeated."""

    not_: str

    def __new__(cls, expected: str, value: Any, declaration: Attribute) -> _Mistyped:
        made = super().__new__(cls, f"must be {expected}")
        made.not_ = "" if declaration.returned == "never" else f", not {shown(value)}"
        return made


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
            raise ValidationError([_Mistyped(expected, value, self.declaration)])
        if value == "" and self.declaration.required:
            raise ValidationError("is required")
        return value


class ComplexField(_Field):
    """An object: its known sub-attributes in the schema's order; nulls and empty arrays are as if they weren't there.

    Those that are never returned are checked and not kept. What is `partial` becomes part of a value that is there: it need
    not have what is required, and has None for what it unassigns. Set `element` for an element of a multi-valued attribute.

    Refuse an object with keys of which none is recognised: it would be taken for an empty one, and could remove what is stored.
    An element must assign something, so `{}` and an element of nulls are refused, too.
    """

    def __init__(self, declaration: Attribute, partial: bool = False, element: bool = False, **options: Any) -> None:
        super().__init__(declaration, **options)
        self._element = element
        writable = [sub for sub in declaration.sub_attributes if sub.mutability != "readOnly"]
        fields_ = [(sub.name, _field(sub, partial)) for sub in writable]
        self._fields = {spelled: one for one in fields_ for spelled in (one[0].lower(), one[0])}
        self._order = {sub.name: place for place, sub in enumerate(writable)}
        self._required = [sub.name for sub in writable if sub.required and not partial]
        self._partial = partial
        self._may_be_empty = partial or not declaration.required
        self._secret = frozenset(sub.name for sub in writable if sub.returned == "never")

    def read(self, value: Any) -> dict[str, Any]:
        """The object in canonical form; errors are keyed by names."""
        found: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field, below in self.assigned(value):
            try:
                read = field.read(below)
            except ValidationError as error:
                errors[name] = error.messages
                continue
            if name in found and found[name] != read:
                errors[name] = ["is there twice with different values, in different case"]
            found[name] = read
        if not found and not errors:
            self._require_recognised(value)
        errors |= {name: ["is required"] for name in self._required if name not in found and name not in errors}
        if errors:
            raise ValidationError(errors)
        if self._partial:
            found |= dict.fromkeys(self._unassigned(value))
        kept = self.ordered(found)
        if not kept and self._element:
            self._require_recognised(value)
        if not kept and not self._may_be_empty:
            raise ValidationError("is required")
        return {name: below for name, below in kept.items() if name not in self._secret} if self._secret else kept

    def _require_recognised(self, value: dict[str, Any]) -> None:
        """Raise marshmallow.ValidationError if an object that assigns nothing means something that is not understood."""
        declaration = self.declaration
        # An extension is a set of attributes, and read-only attributes are ignored in requests (RFC 7644 §3.3).
        known = declaration.sub_attribute if declaration.is_extension else lambda name: self._fields.get(name.lower())
        if self._element or (value and not any(map(known, value))):
            raise ValidationError(("is required, and " if declaration.required else "") + unknown_key(declaration, value))

    def assigned(self, value: Any) -> Iterator[tuple[str, _Field, Any]]:
        """The sub-attributes that are known and have a value: name, field, value as sent."""
        if not isinstance(value, dict):
            raise ValidationError([_Mistyped("an object", value, self.declaration)])
        for sent, below in value.items():
            known = self._fields.get(sent) or self._fields.get(sent.lower())
            if known and below is not None and below != []:
                yield *known, below

    def _unassigned(self, value: dict[str, Any]) -> Iterator[str]:
        for sent, below in value.items():
            known = self._fields.get(sent) or self._fields.get(sent.lower())
            if known and below in (None, []):
                yield known[0]

    def ordered(self, found: dict[str, Any]) -> dict[str, Any]:
        """Sub-attributes that have been read, in the schema's order, without those that turned out empty."""
        return {name: below for name, below in self.in_order(found).items() if below not in ([], {})}

    def in_order(self, found: dict[str, Any]) -> dict[str, Any]:
        """What is kept by names of sub-attributes, in the schema's order."""
        return {name: found[name] for name in sorted(found, key=lambda name: self._order.get(name, -1))}


class ElementsField(_Field):
    """The values of a multi-valued attribute."""

    def __init__(self, element: _Field, **options: Any) -> None:
        super().__init__(element.declaration, **options)
        self.element = element
        # Members are a set of ids anyway, and there may be many.
        self._identity = None if self.declaration in RELATED else identity_of(self.declaration)

    def read(self, value: Any) -> Any:
        """The list of its elements, each once and in canonical form, without those that are never returned; errors are keyed by
        their places.
        """
        if not isinstance(value, list):
            raise ValidationError("must be an array")
        found, errors = [], {}
        for place, one in enumerate(value):
            try:
                element = self.element.read(one)
                if element != {}:
                    found.append(element)
            except ValidationError as error:
                errors[place] = error.messages
                if len(errors) > MAX_DESCRIBED:
                    break
        if errors:
            raise ValidationError(errors)
        if len(found) > 1 and self._identity:
            found = self._distinct(found, self._identity)
        if len(found) > 1 and self.declaration.primary:
            primary = sum(one.get(self.declaration.primary) is True for one in found)
            if primary > 1:
                raise ValidationError(f"may have one primary value, not {primary}")
        return found

    def _distinct(self, elements: list[Any], identity: Identity) -> list[Any]:
        distinct: dict[Any, Any] = {}
        for one in elements:
            key = identity(one)
            distinct[key] = merged(self.declaration, distinct[key], one) if key in distinct else one
        return list(distinct.values()) if len(distinct) < len(elements) else elements


def _field(attribute: Attribute, partial: bool = False) -> _Field:
    options: dict[str, Any] = {
        "required": attribute.required,
        "data_key": attribute.name,
        "error_messages": {"required": "is required"},
    }
    if attribute.multi_valued:
        return ElementsField(_single_field(attribute, element=True), **options)
    return _single_field(attribute, partial, **options)


def _single_field(attribute: Attribute, partial: bool = False, element: bool = False, **options: Any) -> _Field:
    if attribute.type != "complex":
        return SimpleField(attribute, **options)
    return ComplexField(attribute, partial, element, **options)


def _field_name(name: str) -> str:
    # Marshmallow takes a dot in a field's name for nesting, and a schema's URN has one.
    return name.replace(".", "\N{ONE DOT LEADER}")


def _attribute_name(name: str) -> str:
    return name.replace("\N{ONE DOT LEADER}", ".")


class _ResourceReader:
    """Reads whole resources with the Marshmallow class of their type."""

    def __init__(self, root: Attribute) -> None:
        self._complex = ComplexField(root)
        writable = [sub for sub in root.sub_attributes if sub.mutability != "readOnly"]
        self._class = Schema.from_dict({_field_name(sub.name): _field(sub) for sub in writable}, name=root.name)
        self._required = frozenset(sub.name for sub in writable if sub.required)
        self._narrowed = lru_cache(maxsize=256)(self._narrow)

    def _narrow(self, present: frozenset[str]) -> Schema:
        # Marshmallow spends time on each field it knows, so it is told only of those that a document has.
        return self._class(only=[_field_name(name) for name in present | self._required])

    def read(self, value: Any) -> dict[str, Any]:
        assigned = {name: below for name, _, below in self._complex.assigned(value)}
        try:
            loaded: dict[str, Any] = self._narrowed(frozenset(assigned)).load(assigned)
        except ValidationError as error:
            # Marshmallow goes through a set, so the order of its messages is another one in each process.
            raise ValidationError(self._complex.in_order(dict(error.messages_dict))) from None
        return self._complex.ordered({_attribute_name(name): below for name, below in loaded.items()})


@lru_cache(maxsize=1024)
def _reader(root: Attribute) -> _ResourceReader:
    return _ResourceReader(root)


@lru_cache(maxsize=1024)
def _value_field(attribute: Attribute) -> _Field:
    return _field(attribute, partial=True)


@lru_cache(maxsize=1024)
def _element_field(attribute: Attribute) -> _Field:
    return _single_field(attribute, partial=True, element=True)


def load(resource_type: ResourceType, document: Any) -> dict[str, Any]:
    """Read a whole resource as a client sends it.

    Raises marshmallow.ValidationError, whose messages are keyed by attribute and element.
    """
    return _reader(resource_type.root).read(document)


def load_value(attribute: Attribute, value: Any) -> Any:
    """Read one value of an attribute, a list where it is multi-valued, as in a PATCH operation, which may name a part of it.

    Raises marshmallow.ValidationError.
    """
    return _value_field(attribute).deserialize(value)


def load_element(attribute: Attribute, value: Any) -> Any:
    """Read a part of one element of an attribute, whether it is multi-valued or not; it must assign something.

    Raises marshmallow.ValidationError.
    """
    return _element_field(attribute).deserialize(value)


def attribute_of(attribute: Attribute, messages: Any) -> str | None:
    """Return the first attribute that a ValidationError's messages are about, as AttributePath names it: `emails.value`.

    Keys that a client made up end the name, so it never has a client's text in it.
    """
    steps: list[Attribute] = []
    while isinstance(messages, Mapping) and messages:
        key, messages = next(iter(messages.items()))
        if isinstance(key, int):
            continue
        below = attribute.sub_attribute(str(key))
        if below is None:
            break
        attribute = below
        steps.append(below)
    return AttributePath(tuple(steps)).name if steps else None


def describe(messages: Any, path: str = "", with_values: bool = False) -> str:
    """A ValidationError's messages as one line: `emails[0].value must be a string; userName is required`.

    Set `with_values` for the client who sent them: `userName must be a string, not 5`.
    """
    found = list(islice(_described(messages, path, with_values), MAX_DESCRIBED + 1))
    return "; ".join([*found[:MAX_DESCRIBED], "and more"] if len(found) > MAX_DESCRIBED else found)


def _described(messages: Any, path: str, with_values: bool) -> Iterator[str]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            if isinstance(key, int):
                step = f"{path}[{key}]"
            else:
                step = f"{path}{':' if ':' in path and '.' not in path.rpartition(':')[2] else '.'}{key}" if path else key
            yield from _described(below, step, with_values)
    else:
        for message in messages:
            sent = message.not_ if with_values and isinstance(message, _Mistyped) else ""
            yield f"{path or 'the resource'} {message}{sent}"
