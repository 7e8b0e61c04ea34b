"""What .NET puts for a match: a text with `$1`, `${name}` and their like in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import regex

from scimsvc.mapping.functions.regular_expressions.classes import NAME

Piece: TypeAlias = Callable[[regex.Match[str]], str]
"""A part of a replacement: from a match to its text."""

_SUBSTITUTION = regex.compile(
    rf"\$(?:(?P<sign>[$&`'+_])|(?P<group>[0-9]+)|\{{(?P<group>[0-9]+|(?![0-9]){NAME}+)\}})", regex.VERSION1
)


def pieces(template: str, groups: Mapping[str, int]) -> Iterator[Piece]:
    """Return the parts of a replacement. `groups` has the library's index of each group, by its name or number in .NET.

    A group that took no part in the match is empty. A reference to an unknown group stays as written.
    """
    end = 0
    for found in _SUBSTITUTION.finditer(template):
        piece = _piece(found, groups)
        if piece is not None:
            if end < found.start():
                yield _text(template[end : found.start()])
            yield piece
            end = found.end()
    if end < len(template):
        yield _text(template[end:])


def _piece(found: regex.Match[str], groups: Mapping[str, int]) -> Piece | None:
    match found["sign"]:
        case None:
            name = found["group"]
            index = groups.get(name.lstrip("0") or "0" if name.isdecimal() else name)
            return None if index is None else _group(index)
        case "&":
            return _group(0)
        case "+":
            numbers = [name for name in groups if name.isdecimal()]
            return _group(groups[max(numbers, key=int)])
        case "`":
            return lambda match: match.string[: match.start()]
        case "'":
            return lambda match: match.string[match.end() :]
        case "_":
            return lambda match: match.string
    return _text("$")


def _text(text: str) -> Piece:
    return lambda match: text


def _group(index: int) -> Piece:
    return lambda match: match[index] or ""
