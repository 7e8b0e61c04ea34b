"""Switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scimsvc.mapping.functions.model import Function, Lazy, Parameter
from scimsvc.mapping.functions.values import as_text


def _build(arguments: Sequence[Lazy | None]) -> Lazy:
    source, default, *rest = arguments
    pairs = list(zip(rest[::2], rest[1::2], strict=True))
    assert source is not None

    def switch(attributes: Mapping[str, Any]) -> Any:
        value = as_text(source(attributes)) or ""
        for key, result in pairs:
            if key is not None and result is not None and (as_text(key(attributes)) or "") == value:
                return result(attributes)
        return default(attributes) if default else None

    return switch


SWITCH = Function(
    "Switch",
    "Compares the source with each key, case-sensitively, and answers the value of the first key that is equal. "
    'Without such a key it answers the default, and without a default null: nothing is sent. The key "" is for a '
    "source that is null or empty. Only the value that is answered is worked out.",
    (Parameter("source"), Parameter("defaultValue", optional=True)),
    _build,
    repeating=(Parameter("key"), Parameter("value")),
)
