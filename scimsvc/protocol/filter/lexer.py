"""From the text of a filter or path to its tokens."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["word", "string", "(", ")", "[", "]", "end"]

_TOKEN = re.compile(r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<bracket>[()\[\]])|(?P<word>[^\s()\[\]"]+)|(?P<end>$))', re.DOTALL)


class FilterSyntaxError(ValueError):
    """The text is no filter or path; `column` is where, counted from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} at column {column}")


class Token(NamedTuple):
    """A piece of the text as it stands there, and where it starts, counted from 0."""

    kind: Kind
    text: str
    start: int


def tokens(text: str) -> list[Token]:
    """The tokens, the last of kind "end". Raises FilterSyntaxError where a string isn't closed."""
    found = []
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterSyntaxError("a string without closing quotation mark", text.index('"', position) + 1)
        kind, piece = match.lastgroup, match[match.lastgroup or 0]
        found.append(Token(piece if kind == "bracket" else kind, piece, match.start(kind or 0)))  # type: ignore[arg-type]
        if kind == "end":
            return found
        position = match.end()
