"""Numbers that are sent as strings or in another form than the schema has them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from scimsvc.schema.model import Type

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_LENGTH = 64
"""Characters of a number as a string."""
_EXACT = 2**53
"""Whole numbers below this are exact as a float."""


def number_in(type_: Type, value: Any) -> Any:
    """Return the number of an integer or decimal attribute that a JSON value spells, if there is one without doubt.

    A string must be a number in JSON's syntax; `007` may be a text. Return any other value as it is, for the type to refuse.
    """
    if isinstance(value, str) and len(value) <= _LENGTH and _NUMBER.fullmatch(value):
        return _integer(Decimal(value), value) if type_ == "integer" else _decimal(Decimal(value), value)
    if isinstance(value, float) and type_ == "integer" and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


def _integer(number: Decimal, text: str) -> int | str:
    whole = abs(number) < 2**63 and number == number.to_integral_value()
    return int(number) if whole else text


def _decimal(number: Decimal, text: str) -> int | float | str:
    if text.lstrip("-").isdigit() and abs(number) < 2**63:
        return int(number)
    exact = float(text)
    return exact if Decimal(repr(exact)) == number else text
