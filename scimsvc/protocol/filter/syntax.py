"""Filters and paths as they are written (RFC 7644 §3.4.2.2 and §3.5.2): a tree that knows columns and no schema.

`parse` makes the tree, a dialect's rules rewrite it, and `bind` gives it a resource type. A text that breaks off has the tree of
what stands before its mistake, so that mistakes are reported in the order of the text, be they of syntax or of a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from scimsvc.protocol.filter.lexer import FilterSyntaxError, Token

MAX_SHOWN = 64
"""Characters of a piece of the text that a message shows."""
MAX_LENGTH = 65536
"""Characters of a filter or path, whatever the settings allow."""
MAX_REMEMBERED = 1024
"""Characters of a path that is remembered when it has been read."""


class _NoJson:
    """The type of NO_JSON."""

    def __repr__(self) -> str:
        return "NO_JSON"


NO_JSON: Final = _NoJson()
"""The literal of a value that is not JSON: `eq jyoung`. The standard refuses it; a dialect may know what it means."""


class Name(NamedTuple):
    """An attribute's name as written, and where it starts, counted from 0."""

    text: str
    start: int = 0


class Value(NamedTuple):
    """The value that an attribute is compared with, its text as written, and where that starts, counted from 0."""

    literal: Any
    text: str = ""
    start: int = 0


class Term(NamedTuple):
    """`name operator value`, or `name pr` without value. The last term of a text that breaks off may lack both."""

    name: Name
    operator: str | None = None
    value: Value | None = None


@dataclass(frozen=True)
class Rest:
    """A comparison behind a value filter, which only a dialect knows: `.value eq "x"`, or `eq "x"` without a name."""

    term: Term
    token: Token
    expected: str
    remedy: str

    def refusal(self) -> FilterSyntaxError:
        """Return what the standard's grammar says of it."""
        return unexpected(self.token, self.expected, self.remedy)


@dataclass(frozen=True)
class Elements:
    """`name[filter]`; `bracket` is where the bracket stands. In a text that breaks off, the filter may be missing."""

    name: Name
    bracket: int
    filter: Node | None = None
    rest: Rest | None = None


@dataclass(frozen=True)
class All:
    """Operands joined by `and`."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Some:
    """Operands joined by `or`."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Negation:
    """`not (operand)`."""

    operand: Node


Leaf: TypeAlias = Term | Elements
Node: TypeAlias = Term | Elements | All | Some | Negation


class FilterText(str):
    """A filter as the client sent it, with its tree, and the mistake behind which the text could not be read."""

    __slots__ = ("mistake", "tree")

    tree: Node | None
    mistake: FilterSyntaxError | None

    @classmethod
    def of(cls, text: str, tree: Node | None, mistake: FilterSyntaxError | None = None) -> FilterText:
        """Return the text with its tree."""
        made = cls(text)
        made.tree, made.mistake = tree, mistake
        return made


@dataclass(frozen=True)
class PathSyntax:
    """A path: an attribute, or elements with or without a sub-attribute, `.` included. None if no attribute could be read."""

    target: Name | Elements | None
    sub_attribute: Name | None = None
    mistake: FilterSyntaxError | None = None


def changed(node: Node, change: Callable[[Leaf], Node]) -> Node:
    """Return the tree with every term and value path changed; the filters inside of value paths are left to `change`."""
    match node:
        case All(operands):
            return All(tuple(changed(operand, change) for operand in operands))
        case Some(operands):
            return Some(tuple(changed(operand, change) for operand in operands))
        case Negation(operand):
            return Negation(changed(operand, change))
    return change(node)


def leaves(node: Node | None) -> Iterator[Leaf]:
    """Yield the terms and value paths of a tree in the order of the text."""
    match node:
        case All(operands) | Some(operands):
            for operand in operands:
                yield from leaves(operand)
        case Negation(operand):
            yield from leaves(operand)
        case Term() | Elements():
            yield node


def unexpected(token: Token, expected: str, remedy: str = "") -> FilterSyntaxError:
    """Return the mistake of a token that stands where another belongs."""
    wanted = "the end" if expected == "end" else repr(expected)
    return FilterSyntaxError(f"expected {wanted}, found {shown(token.text)}", token.start + 1, remedy)


def expected_value(text: str, start: int, remedy: str = "") -> FilterSyntaxError:
    """Return the mistake of a text that stands where a value belongs."""
    message = f"expected a value (a string in quotation marks, a number, true, false or null), found {shown(text)}"
    return FilterSyntaxError(message, start + 1, remedy)


def shown(text: str) -> str:
    """Return a piece of the text for a message, in quotation marks."""
    return repr(text[:MAX_SHOWN]) if text else "the end"


def short(text: str) -> str:
    """Return a piece of the text for a message that shows what would be right."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
