"""From the text of a filter or path to its tokens."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["word", "string", "misquoted", "(", ")", "[", "]", "end"]

MARKS = (
    "'`´‘’‚‛“”„‟«»‹›′″‴‵‶‷⹂「」『』〝〞〟﹁﹂﹃﹄＂＇｀｢｣"  # noqa: RUF001
    "\u275b\u275c\u275d\u275e\u275f\u2760\u276e\u276f\u2e02\u2e03\u2e04\u2e05\u2e09\u2e0a\u2e0c\u2e0d\u2e1c\u2e1d\u2e20\u2e21"
)
"""Quotation marks, and what is taken for one, apart from the one that JSON has: Unicode's property Quotation_Mark, opening and
closing punctuation (Pi, Pf), primes, accents and ornaments.
"""
_WRITTEN = r"""\\["'`]|%2[27]|&(?:[lr][sd]quo|[sb]dquo|quot|apos|laquo|raquo|\#0*3[49]|\#x0*2[27]);"""
"""A quotation mark as another language escapes it."""
_OTHER_MARK = rf"(?:[{MARKS}]|{_WRITTEN})"
_TOKEN = re.compile(
    rf"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<bracket>[()\[\]])
    |(?P<misquoted>{_OTHER_MARK}.*)
    |(?P<word>[^\s()\[\]"]+)
    |(?P<end>$))""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_MISQUOTED = re.compile(
    rf"""(?P<mark>{_OTHER_MARK})(?:(?P<quoted>.*?)(?:{_OTHER_MARK}|")(?=[\s()\[\]]|$)|(?P<word>[^\s()\[\]"]*))""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)


class FilterSyntaxError(ValueError):
    """The text is no filter or path: what is wrong in it, in which column, counted from 1, and what would be right."""

    def __init__(self, message: str, column: int, remedy: str = "") -> None:
        super().__init__(f"{message} at column {column}{remedy and f': {remedy}'}")
        self.message = message
        self.column = column
        self.remedy = remedy

    def within(self, text: str) -> str:
        """Return the message with the column of the text that the client sent."""
        column = text.column_as_sent(self.column) if isinstance(text, Respelled) else self.column
        return f"{self.message} at column {column}{self.remedy and f': {self.remedy}'}"


class Token(NamedTuple):
    """A piece of the text as it stands there, and where it starts, counted from 0."""

    kind: Kind
    text: str
    start: int


class Respelled(str):
    """A filter or path in the standard's spelling that knows the text as sent, so that mistakes are shown in that."""

    sent: str
    _places: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, text: str, tokens_: Iterable[tuple[Token, str]]) -> Respelled:
        """Join the tokens of a text, each with the piece that takes its place, with a space wherever the text has one."""
        joined, end = "", 0
        places = []
        for token, piece in tokens_:
            if token.start > end and joined and piece:
                joined += " "
            places.append((len(joined), token.start))
            joined += piece
            end = token.start + len(token.text)
        found = cls(joined)
        found.sent = text.sent if isinstance(text, Respelled) else text
        found._places = tuple(
            (place, text.column_as_sent(start + 1) - 1 if isinstance(text, Respelled) else start) for place, start in places
        )
        return found

    def column_as_sent(self, column: int) -> int:
        """Return the column, counted from 1, in the text that was sent of what stands in this column here."""
        place, start = self._places[max(0, bisect_right(self._places, (column - 1, len(self.sent))) - 1)]
        return start + 1 + (column - 1 - place if self[place:column] == self.sent[start : start + column - place] else 0)


def sent(text: str) -> str:
    """Return a filter or path as the client sent it."""
    return text.sent if isinstance(text, Respelled) else text


def tokens(text: str) -> list[Token]:
    """Return the tokens, the last of kind "end"; behind a misquoted one, which has the rest of the text, there is no other.

    Raises FilterSyntaxError if a string isn't closed.
    """
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


def misquoted(text: str) -> tuple[str, str]:
    """Return the quotation mark that a misquoted token begins with, and what stands behind it, up to the next one."""
    match = _MISQUOTED.match(text)
    assert match
    return match["mark"], match["word"] if match["quoted"] is None else match["quoted"]
