"""From the text of a filter or path to its tokens."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["word", "string", "misquoted", "(", ")", "[", "]", "end"]

MARKS = (
    "'`´‘’‚‛“”„‟«»‹›′″‴‵‶‷⹂「」『』〝〞〟﹁﹂﹃﹄＂＇｀｢｣"  # noqa: RUF001
    "\u275b\u275c\u275d\u275e\u275f\u2760\u276e\u276f\u2e02\u2e03\u2e04\u2e05\u2e09\u2e0a\u2e0c\u2e0d\u2e1c\u2e1d\u2e20\u2e21"
)
"""Quotation marks, and what is taken for one, except the double quotation mark of JSON: Unicode's property Quotation_Mark,
opening and closing punctuation (Pi, Pf), primes, accents and ornaments.
"""
_WRITTEN = r"""\\["'`]|%2[27]|&(?:[lr][sd]quo|[sb]dquo|quot|apos|laquo|raquo|\#0*3[49]|\#x0*2[27]);"""
"""A quotation mark as another language escapes it."""
_OTHER_MARK = rf"(?:[{MARKS}]|{_WRITTEN})"
_TOKEN = re.compile(
    rf"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<bracket>[()\[\]])
    |(?P<misquoted>{_OTHER_MARK}.*)
    |(?P<word>[^\s()\[\]"]+)
    |(?P<end>$)
    |(?P<unclosed>"))""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_MISQUOTED = re.compile(
    rf"""(?P<mark>{_OTHER_MARK})(?:(?P<quoted>.*?)(?:{_OTHER_MARK}|")(?=[\s()\[\]]|$)|(?P<word>[^\s()\[\]"]*))""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)


class FilterSyntaxError(ValueError):
    """The text is not a filter or path: what is wrong, in which column, counted from 1, and what would be right."""

    def __init__(self, message: str, column: int, remedy: str = "") -> None:
        super().__init__(f"{message} at column {column}{remedy and f': {remedy}'}")


class Token(NamedTuple):
    """A piece of the text as the client wrote it, and where it starts, counted from 0."""

    kind: Kind
    text: str
    start: int


def tokens(text: str) -> list[Token]:
    """Return the tokens, the last of kind "end"; a misquoted one has the rest of the text and is followed only by the end.

    Raise FilterSyntaxError if a string isn't closed.
    """
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "end"
        piece, start = match[kind], match.start(kind)
        if kind == "unclosed":
            raise FilterSyntaxError("a string without closing quotation mark", start + 1)
        found.append(Token(piece if kind == "bracket" else kind, piece, start))  # type: ignore[arg-type]
        if kind == "end":
            break
    return found


def misquoted(text: str) -> tuple[str, str]:
    """Return the quotation mark that a misquoted token begins with, and the text behind it, up to the next one."""
    match = _MISQUOTED.match(text)
    assert match
    return match["mark"], match["word"] if match["quoted"] is None else match["quoted"]
