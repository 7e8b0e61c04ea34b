"""The one syntax tree of filters and of the value filters in paths (RFC 7644 §3.4.2.2).

Attributes are resolved and values typed, so code that works on a tree needs no schema and meets no error.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from scimsvc.schema.paths import AttributePath

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]


@dataclass(frozen=True)
class Comparison:
    """`path operator literal`; `value` is the literal as normalised text (see scimsvc.schema.types.normaliser).

    Two are equal where they mean the same, however their literals are spelled.
    """

    path: AttributePath
    operator: Operator
    value: str
    literal: str | bool | int | float = field(compare=False)


@dataclass(frozen=True)
class Present:
    """`path pr`: the attribute, or any attribute below it, has a value."""

    path: AttributePath


@dataclass(frozen=True)
class And:
    """All operands hold."""

    operands: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """At least one operand holds."""

    operands: tuple[Filter, ...]


@dataclass(frozen=True)
class Not:
    """The operand doesn't hold."""

    operand: Filter


@dataclass(frozen=True)
class ValuePath:
    """`path[filter]`: one and the same element of the attribute fulfils the whole filter."""

    path: AttributePath
    filter: Filter


@dataclass(frozen=True)
class Absent:
    """A comparison with an attribute that the resource type doesn't have: it never holds (§3.4.2.1)."""


Filter: TypeAlias = Comparison | Present | And | Or | Not | ValuePath | Absent


@dataclass(frozen=True)
class Path:
    """Where a PATCH operation is to act (RFC 7644 §3.5.2): an attribute, the elements that fulfil a filter, a sub-attribute."""

    attribute: AttributePath
    value_filter: Filter | None = None
    sub_attribute: AttributePath | None = None

    @property
    def target(self) -> AttributePath:
        """The attribute that is changed at last."""
        return self.sub_attribute or self.attribute


def meaning(node: Filter) -> Hashable:
    """What is equal for filters that mean the same, also where each is of a schema declaration of its own."""
    match node:
        case Comparison(path, operator, value, _):
            return operator, path.name, value
        case Present(path):
            return "pr", path.name
        case And(operands) | Or(operands):
            return type(node).__name__, tuple(map(meaning, operands))
        case Not(operand):
            return "not", meaning(operand)
        case ValuePath(path, inner):
            return path.name, meaning(inner)
        case Absent():
            return "absent"
    raise TypeError(node)
