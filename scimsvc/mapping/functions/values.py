"""How functions see values: Entra's engine works on texts, and so do they."""

from __future__ import annotations

from enum import Enum
from typing import Any

from scimsvc.mapping.functions.model import FunctionError


class Ignored(Enum):
    """A result that is no value: the attribute isn't sent, or the whole object isn't."""

    ATTRIBUTE = "IgnoreAttributeFlow"
    OBJECT = "IgnoreObjectFlow"


def as_text(value: Any) -> str | None:
    """A value as text; booleans are `True` and `False`, None stays None, a list of one is its element."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return as_text(value[0]) if len(value) == 1 else None if not value else ",".join(as_text(one) or "" for one in value)
    if isinstance(value, Ignored):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict):
        # A reference to another object, as Microsoft Graph has it, stands for its id.
        return as_text(value.get("id", value.get("value")))
    return str(value)


def as_texts(value: Any) -> list[str]:
    """Every value of a multi-valued attribute, or the one of a single-valued, as text; no value is no text."""
    if isinstance(value, str):
        return [value]
    values = value if isinstance(value, list) else [value]
    return [text for one in values if (text := as_text(one)) is not None]


def is_empty(value: Any) -> bool:
    """Whether it is null, absent, an empty text or a list of nothing."""
    return value is None or value == "" or value == [] or isinstance(value, Ignored)


def as_number(value: Any) -> int | float | None:
    """A number, or the number that a text spells; None where it is none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    text = (as_text(value) or "").strip()
    if len(text) > 32:
        return None
    try:
        if text[:2].lower() == "&h":
            return int(text[2:], 16)
        number = float(text) if any(mark in text for mark in ".eE") else int(text)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 10**32 and "_" not in text else None


def as_integer(value: Any, name: str) -> int:
    """A whole number, from a text too. Raises FunctionError that names the parameter."""
    number = as_number(value)
    if number is None or number != int(number):
        raise FunctionError(f"{name} must be a whole number, not {_shown(value)}")
    return int(number)


def as_boolean(value: Any) -> bool:
    """Whether it is true: not null, empty, `False` or zero. Raises FunctionError for a text that is neither."""
    if isinstance(value, bool):
        return value
    if is_empty(value):
        return False
    text = as_text(value) or ""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    number = as_number(value)
    if number is None:
        raise FunctionError(f"expected True, False or a number, not {_shown(value)}")
    return number != 0


def _shown(value: Any) -> str:
    text = as_text(value)
    return "nothing" if text is None else f"{text[:40]!r}"
