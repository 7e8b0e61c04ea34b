"""The shape of a schema: attributes with their characteristics (RFC 7643 §2 and §7), as plain frozen data.

Instances compare by identity: a declaration exists once, and it is a cheap key for what is derived from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Type = Literal["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"]
Mutability = Literal["readOnly", "readWrite", "immutable", "writeOnly"]
Returned = Literal["always", "never", "default", "request"]
Uniqueness = Literal["none", "server", "global"]

MAX_VALUES_INSIDE = 1024
"""The values that a sub-attribute has in one element of a multi-valued attribute."""


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute or sub-attribute and its characteristics (RFC 7643 §2.2, defaults included)."""

    name: str
    type: Type = "string"
    description: str = ""
    multi_valued: bool = False
    required: bool = False
    canonical_values: tuple[str, ...] = ()
    case_exact: bool = False
    mutability: Mutability = "readWrite"
    returned: Returned = "default"
    uniqueness: Uniqueness = "none"
    reference_types: tuple[str, ...] = ()
    sub_attributes: tuple[Attribute, ...] = ()

    @cached_property
    def _by_name(self) -> Mapping[str, Attribute]:
        return {spelled: one for one in self.sub_attributes for spelled in (one.name.lower(), one.name)}

    def sub_attribute(self, name: str) -> Attribute | None:
        """The sub-attribute of that name in any case (RFC 7643 §2.1), or None."""
        return self._by_name.get(name) or self._by_name.get(name.lower())

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the sub-attributes as the schema spells them."""
        return frozenset(one.name for one in self.sub_attributes)

    @cached_property
    def primary(self) -> str | None:
        """The name of the sub-attribute that marks the preferred one of its elements (RFC 7643 §2.4), where it has one."""
        mark = self.sub_attribute("primary") if self.multi_valued else None
        return mark.name if mark is not None and mark.type == "boolean" else None

    @cached_property
    def is_extension(self) -> bool:
        """Whether it is an extension as a resource holds it, whose name is a URN (RFC 7643 §3.3)."""
        return ":" in self.name

    @cached_property
    def is_kept(self) -> bool:
        """Whether a resource that is stored has the values that clients send for it."""
        return self.mutability != "readOnly" and self.returned != "never"

    @cached_property
    def can_lack(self) -> bool:
        """Whether a change inside of it may leave something without the value that it must have, itself or what is below it."""
        below = any(sub.is_kept and (sub.required or sub.can_lack) for sub in self.sub_attributes)
        return self.is_kept and (below or (self.required and (self.multi_valued or self.type == "complex")))

    def leaves(self) -> Iterator[tuple[Attribute, ...]]:
        """Every simple attribute at or below this one, each as the steps that lead to it, this one first."""
        if self.type != "complex":
            yield (self,)
        for sub_attribute in self.sub_attributes:
            for steps in sub_attribute.leaves():
                yield (self, *steps)


@dataclass(frozen=True, eq=False)
class Schema:
    """A named set of attributes (RFC 7643 §7); `id` is its URN."""

    id: str
    name: str
    description: str
    attributes: tuple[Attribute, ...]

    def as_attribute(self, required: bool = False) -> Attribute:
        """The extension as resources hold it: a complex attribute whose name is the schema's URN (RFC 7643 §3.3)."""
        return Attribute(self.id, "complex", self.description, required=required, sub_attributes=self.attributes)


@dataclass(frozen=True, eq=False)
class ResourceType:
    """A type of resource (RFC 7643 §6): its endpoint, its core schema and its extensions, by their URNs some of them required."""

    name: str
    endpoint: str
    description: str
    schema: Schema
    extensions: tuple[Schema, ...] = ()
    common: tuple[Attribute, ...] = ()
    required_extensions: tuple[str, ...] = ()

    @cached_property
    def root(self) -> Attribute:
        """The resource itself as one complex attribute: common, core and extension attributes are its sub-attributes."""
        extensions = tuple(extension.as_attribute(extension.id in self.required_extensions) for extension in self.extensions)
        return Attribute(self.name, "complex", sub_attributes=self.common + self.schema.attributes + extensions)

    @cached_property
    def schema_ids(self) -> tuple[str, ...]:
        """The URNs of the core schema and of every extension."""
        return (self.schema.id, *(extension.id for extension in self.extensions))

    @cached_property
    def can_lack(self) -> tuple[Attribute, ...]:
        """The attributes that a change may leave without a value that they must have, besides those with one simple value."""
        return tuple(attribute for attribute in self.root.sub_attributes if attribute.can_lack)

    @cached_property
    def never_returned(self) -> tuple[str, ...]:
        """The names of the attributes that are never returned, wherever they are."""
        return tuple({step.name for steps in self.root.leaves() for step in steps if step.returned == "never"})

    @cached_property
    def has_hidden(self) -> bool:
        """Whether it has attributes that are returned only where they are asked for."""
        return any(step.returned == "request" for steps in self.root.leaves() for step in steps)
