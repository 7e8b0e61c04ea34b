"""Texts in UTF-16 code units, which is what .NET's regular expressions see."""

from __future__ import annotations

import re

_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_HALF = re.compile("[\ud800-\udfff]")


def in_units(text: str) -> str:
    """Return the text with each character beyond U+FFFF as two surrogates, because .NET's `.` matches one of them."""
    return text if text.isascii() else _BEYOND.sub(_halves, text)


def from_units(text: str) -> str:
    """Return the reverse. A surrogate without its other half becomes U+FFFD, as in .NET's UTF-8."""
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _halves(found: re.Match[str]) -> str:
    beyond = ord(found[0]) - 0x10000
    return chr(0xD800 + (beyond >> 10)) + chr(0xDC00 + (beyond & 0x3FF))
