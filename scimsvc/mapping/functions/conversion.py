"""Functions on numbers, and from one form to another."""

from __future__ import annotations

import base64
from typing import Any

from scimsvc.mapping.functions.model import Function, FunctionError, Parameter, plain
from scimsvc.mapping.functions.values import as_integer, as_text, is_64_bit


def _bit_and(first: Any, second: Any) -> int:
    one, other = as_integer(first, "value1"), as_integer(second, "value2")
    if not (is_64_bit(one) and is_64_bit(other)):
        raise FunctionError("BitAnd takes numbers of at most 64 bits")
    return one & other


def _base64(source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode()


def _utf8_hex(source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else text.encode("utf-8", "surrogatepass").hex().upper()


def _from_base64(value: Any) -> str:
    try:
        return base64.b64decode(as_text(value) or "", validate=True).decode("utf-16-le")
    except ValueError:
        raise FunctionError("not Base64 of a text") from None


def _from_utf8_hex(value: Any) -> str:
    try:
        return bytes.fromhex(as_text(value) or "").decode()
    except ValueError:
        raise FunctionError("not the bytes of a text in hexadecimal") from None


BIT_AND = Function(
    "BitAnd",
    "The bits that are set in both numbers. A number may be written in hexadecimal, as &HF7.",
    (Parameter("value1", "integer"), Parameter("value2", "integer")),
    plain(_bit_and, 2),
    result="integer",
)
C_STR = Function(
    "CStr",
    "The value as a text: a number, a boolean, or a reference, which is the id of what it refers to.",
    (Parameter("value", "any"),),
    plain(as_text, 1),
)
CONVERT_TO_BASE64 = Function(
    "ConvertToBase64",
    "Encode the UTF-16 bytes (little-endian) of the source in Base64, as Entra does.",
    (Parameter("source"),),
    plain(_base64, 1),
    inverse=_from_base64,
)
CONVERT_TO_UTF8_HEX = Function(
    "ConvertToUTF8Hex",
    "The bytes of the source's UTF-8 form in hexadecimal, in capitals.",
    (Parameter("source"),),
    plain(_utf8_hex, 1),
    inverse=_from_utf8_hex,
)

FUNCTIONS = (BIT_AND, C_STR, CONVERT_TO_BASE64, CONVERT_TO_UTF8_HEX)
