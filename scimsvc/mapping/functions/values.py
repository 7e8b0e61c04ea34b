"""How functions see values: Entra's engine works on texts, and so do they."""

from __future__ import annotations

from typing import Any


def as_text(value: Any) -> str | None:
    """A value as text; booleans are `True` and `False`, None stays None, a list of one is its element."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return as_text(value[0]) if len(value) == 1 else None if not value else ",".join(as_text(one) or "" for one in value)
    return str(value)


def as_texts(value: Any) -> list[str]:
    """Every value of a multi-valued attribute, or the one of a single-valued, as text; no value is no text."""
    values = value if isinstance(value, list) else [value]
    return [text for one in values if (text := as_text(one)) is not None]
