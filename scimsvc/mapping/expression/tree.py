"""The syntax tree of expressions (Entra's "Reference for writing expressions for attribute mappings").

Each node has its column in the text, counted from 1; columns do not count when two trees are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


class ExpressionError(ValueError):
    """An expression is wrong at `column`, counted from 1. If `unknown_here`, it is valid, but only Entra can work it out."""

    def __init__(self, message: str, column: int, unknown_here: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.unknown_here = unknown_here


@dataclass(frozen=True)
class Call:
    """`Name(argument, …)`."""

    name: str
    arguments: tuple[Node, ...]
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class SourceAttribute:
    """`[name]`."""

    name: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Text:
    """`"text"`, without quotation marks and escapes."""

    value: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Number:
    """`-10` or `&HF`, as it was written."""

    spelling: str
    column: int = field(default=0, compare=False)

    @property
    def value(self) -> int:
        """Return the number."""
        return int(self.spelling[2:], 16) if self.spelling[:1] == "&" else int(self.spelling)


@dataclass(frozen=True)
class Word:
    """A bare word such as `vbTextCompare`."""

    name: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Comparison:
    """`left = right`, and with `<>`, `>`, `>=`, `<`, `<=`."""

    operator: str
    left: Node
    right: Node
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Omitted:
    """An argument left out: nothing between two commas. Not the same as `""`."""

    column: int = field(default=0, compare=False)


Node: TypeAlias = Call | SourceAttribute | Text | Number | Word | Comparison | Omitted


def nodes(node: Node) -> Iterator[Node]:
    """Yield a node and all nodes below it, in the order of the text."""
    if isinstance(node, Comparison):
        yield from nodes(node.left)
    yield node
    if isinstance(node, Call):
        for argument in node.arguments:
            yield from nodes(argument)
    elif isinstance(node, Comparison):
        yield from nodes(node.right)
