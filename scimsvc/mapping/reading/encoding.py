"""Files in UTF-16, as Windows PowerShell writes them by default."""

from __future__ import annotations

import codecs

_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BEGINNINGS = {b"{\0": "utf-16-le", b"[\0": "utf-16-le", b"\0{": "utf-16-be", b"\0[": "utf-16-be"}
"""How JSON begins without a mark."""


def json_in_utf8(content: bytes) -> bytes:
    """Return JSON that is in UTF-16 as UTF-8; any other content, and what is no UTF-16 after all, as it is."""
    encoding = _MARKS.get(content[:2]) or _BEGINNINGS.get(content[:2])
    if encoding is None:
        return content
    try:
        return content.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError:
        return content


def not_utf8(error: UnicodeDecodeError, place: str = "") -> str:
    """Say what a content that can't be decoded is, and what helps; `place` follows the byte that is wrong."""
    content = bytes(error.object)
    if content[:2] in _MARKS:
        return "not UTF-8 but UTF-16: save it as UTF-8, in Windows PowerShell with Set-Content -Encoding utf8"
    return f"not UTF-8: byte {content[error.start]:#04x}{place}; save it as UTF-8"
