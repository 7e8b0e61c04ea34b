"""How functions see values: Entra's engine works on texts, and so do they."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from scimsvc.mapping.functions.model import FunctionError
from scimsvc.mapping.functions.moments import Moment

MAX_DEPTH = 64
"""How deep lists and objects in a value may be nested."""


MAX_RESULT = 100_000
"""Characters that a function may make of its arguments."""


SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character beyond U+FFFF, which no UTF-8 has."""


class Ignored(Enum):
    """A result that is not a value: the attribute is not sent, or the whole object is not."""

    ATTRIBUTE = "IgnoreAttributeFlow"
    OBJECT = "IgnoreObjectFlow"


def as_text(value: Any, depth: int = 0) -> str | None:
    """Return a value as a string.

    Booleans are `True` and `False`, None stays None, the values of a list are joined by commas. Raise FunctionError for a value
    that is nested too deep.
    """
    if value is None or isinstance(value, str):
        return value
    if depth > MAX_DEPTH:
        raise FunctionError(f"a value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        texts = [as_text(one, depth + 1) for one in value]
        return texts[0] if len(texts) == 1 else ",".join(text or "" for text in texts) if texts else None
    if isinstance(value, Ignored):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict):
        # A reference to another object, as Microsoft Graph has it, stands for its id.
        return as_text(value.get("id", value.get("value")), depth + 1)
    return str(value)


def plain_value(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can have it.

    A date and an integer beyond 64 bits are strings; a list loses nulls and ignored values. Raise FunctionError for a value that
    is nested too deep.
    """
    if isinstance(value, Moment) or (isinstance(value, int) and not is_64_bit(value)):
        return str(value)
    if depth > MAX_DEPTH:
        raise FunctionError(f"a value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        elements = [plain_value(one, depth + 1) for one in value]
        return [one for one in elements if one is not None and not isinstance(one, Ignored)]
    if isinstance(value, dict):
        return {name: plain_value(one, depth + 1) for name, one in value.items()}
    return value


def is_64_bit(number: int) -> bool:
    """Return whether an integer fits into 64 bits, as JSON's readers and the store need it."""
    return -(2**63) <= number < 2**63


def as_texts(value: Any) -> list[str]:
    """Return every value of an attribute as a string, also of a single-valued one; an empty list if there is no value."""
    if isinstance(value, str):
        return [value]
    values = value if isinstance(value, list) else [value]
    return [text for one in values if (text := as_text(one)) is not None]


def limited(text: str) -> str:
    """Return the text. Raise FunctionError if it is too long: nested functions can make a very long text of a short one."""
    if len(text) > MAX_RESULT:
        raise result_too_long()
    return text


def result_too_long() -> FunctionError:
    """Return the error for a result of more than MAX_RESULT characters."""
    return FunctionError(f"the result is longer than {MAX_RESULT} characters")


def nested_too_deep(value: Any) -> bool:
    """Return whether JSON data is nested deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            below for one in level if isinstance(one, (list, dict)) for below in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def is_empty(value: Any) -> bool:
    """Return whether a value is null, absent, an empty text or an empty list."""
    return value is None or value == "" or value == [] or isinstance(value, Ignored)


_NUMBER = re.compile(
    r"&[hH](?P<hexadecimal>[0-9a-fA-F]+)|(?P<whole>[-+]?\d+)|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII
)


def as_number(value: Any) -> int | float | None:
    """Return a number, or the number that a text spells; None if there is no number."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    text = (as_text(value) or "").strip()
    match = _NUMBER.fullmatch(text) if len(text) <= 32 else None
    if match is None:
        return None
    if match["hexadecimal"]:
        return int(match["hexadecimal"], 16)
    number = int(text) if match["whole"] else float(text)
    return number if abs(number) < 10**32 else None


def as_integer(value: Any, name: str) -> int:
    """Return an integer, also from a text. Raise FunctionError that names the parameter."""
    if value.__class__ is int:
        return int(value)
    number = as_number(value)
    if number is None or number != int(number):
        raise FunctionError(f"{name} must be an integer, not {_shown(value)}")
    return int(number)


def as_boolean(value: Any) -> bool:
    """Return whether a value is true: not null, empty, `False` or zero. Raise FunctionError for another text."""
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
