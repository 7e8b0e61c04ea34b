"""From the text of an expression to its tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scimsvc.mapping.expression.tree import ExpressionError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<attribute>\[(?:[^\[\]]|\[(?:[^\[\]"]|"(?:[^"\\]|\\.)*")*\])*\])
    | (?P<number>-?\d+|&[Hh][0-9A-Fa-f]+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<operator><>|<=|>=|[=<>])
    | (?P<mark>[(),])
    | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_SPACE = re.compile(r"\s*", re.ASCII)
MAX_NUMBER_LENGTH = 32
"""Characters of a number."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text as it stands there; marks and operators are kinds of their own. `column` counts from 1."""

    kind: str
    text: str
    column: int


def tokens(text: str) -> list[Token]:
    """Return the tokens; the last one is of kind "end". Raise ExpressionError at the first character that starts no token."""
    found = []
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            space = _SPACE.match(text, position)
            start = space.end() if space else position
            raise ExpressionError(_complaint(text[start]), start + 1)
        kind = match.lastgroup or ""
        piece = match[kind]
        if kind == "number" and len(piece) > MAX_NUMBER_LENGTH:
            raise ExpressionError(f"a number is longer than {MAX_NUMBER_LENGTH} characters", match.start(kind) + 1)
        # The end is behind what stands before it, whatever white space follows.
        column = (position if kind == "end" else match.start(kind)) + 1
        found.append(Token(piece if kind in ("mark", "operator") else kind, piece, column))
        if kind == "end":
            return found
        position = match.end()


def _complaint(character: str) -> str:
    if character in _QUOTES:
        return f'unexpected character {character!r}; texts stand in double quotation marks: "'
    return {
        '"': "the text that starts here has no closing quotation mark",
        "[": "the attribute that starts here has no closing bracket",
    }.get(character, f"unexpected character {character!r}")


_QUOTES = "'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u00ab\u00bb"
