"""The bytes of a file as text or JSON: UTF-8 is read; UTF-16, which Windows PowerShell writes by default, is recognised."""

from __future__ import annotations

import codecs
from typing import Any

import orjson

_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BEGINNINGS = {b"{\0": "utf-16-le", b"[\0": "utf-16-le", b"\0{": "utf-16-be", b"\0[": "utf-16-be"}
"""How JSON begins without a mark."""


def json_of(content: bytes) -> Any:
    """Return the JSON in the content of a file, with or without a byte order mark. Raise ValueError."""
    try:
        return orjson.loads(content.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(error, f" at position {error.start}")) from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None


def json_in_utf8(content: bytes) -> bytes:
    """Return JSON that is in UTF-16 as UTF-8. Return any other content, also if it is not valid UTF-16, as it is."""
    encoding = _MARKS.get(content[:2]) or _BEGINNINGS.get(content[:2])
    if encoding is None:
        return content
    try:
        return content.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError:
        return content


def not_utf8(error: UnicodeDecodeError, place: str = "") -> str:
    """Return what is wrong with content that can't be decoded, and what helps; `place` follows the byte that is wrong."""
    content = bytes(error.object)
    if content[:2] in _MARKS:
        return "not UTF-8 but UTF-16: save it as UTF-8, in Windows PowerShell with Set-Content -Encoding utf8"
    return f"not UTF-8: byte {content[error.start]:#04x}{place}; save it as UTF-8"
