"""Functions on numbers, and from one form to another."""

from __future__ import annotations

import base64
from typing import Any

from scimsvc.mapping.functions.model import Function, Parameter, plain
from scimsvc.mapping.functions.values import as_integer, as_text


def _bit_and(first: Any, second: Any) -> int:
    return as_integer(first, "value1") & as_integer(second, "value2")


def _base64(source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode()


def _utf8_hex(source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else text.encode("utf-8", "surrogatepass").hex().upper()


BIT_AND = Function(
    "BitAnd",
    "The bits that are set in both numbers. A number may be written in hexadecimal, as &HF7.",
    (Parameter("value1", "integer"), Parameter("value2", "integer")),
    plain(_bit_and, 2),
    fallible=True,
)
C_STR = Function(
    "CStr",
    "The value as a text: a number, a boolean, or a reference, which is the id of what it refers to.",
    (Parameter("value", "any"),),
    plain(as_text, 1),
)
CONVERT_TO_BASE64 = Function(
    "ConvertToBase64",
    "The source in Base64, of its UTF-16 form (little-endian), as Entra has it.",
    (Parameter("source"),),
    plain(_base64, 1),
)
CONVERT_TO_UTF8_HEX = Function(
    "ConvertToUTF8Hex",
    "The bytes of the source's UTF-8 form in hexadecimal, in capitals.",
    (Parameter("source"),),
    plain(_utf8_hex, 1),
)

FUNCTIONS = (BIT_AND, C_STR, CONVERT_TO_BASE64, CONVERT_TO_UTF8_HEX)
