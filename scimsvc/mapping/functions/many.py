"""Functions on multi-valued attributes."""

from __future__ import annotations

from typing import Any

from scimsvc.mapping.functions.model import Function, FunctionError, Parameter, each, plain
from scimsvc.mapping.functions.values import as_integer, is_empty


def _values(attribute: Any) -> list[Any]:
    values = attribute if isinstance(attribute, list) else [attribute]
    return [value for value in values if not is_empty(value)]


def _place(index: Any) -> int:
    place = as_integer(index, "index")
    if place < 1:
        raise FunctionError(f"index counts from 1, so it can't be {place}")
    return place


def _item(attribute: Any, index: Any) -> Any:
    values, place = _values(attribute), _place(index)
    return values[place - 1] if place <= len(values) else None


def _distinct(attribute: Any) -> list[Any] | None:
    distinct: list[Any] = []
    seen = set()
    for value in _values(attribute):
        key = value if isinstance(value, str) else repr(value)
        if key not in seen:
            seen.add(key)
            distinct.append(value)
    return distinct or None


COUNT = Function(
    "Count",
    "How many values a multi-valued attribute has, without nulls and empty texts; 0 if it is absent.",
    (Parameter("attribute", "any"),),
    plain(lambda attribute: len(_values(attribute)), 1),
    result="integer",
)
ITEM = Function(
    "Item",
    "The value of a multi-valued attribute at a place, counted from 1; null behind the last.",
    (Parameter("attribute", "any"), Parameter("index", "integer")),
    plain(_item, 2),
    check=each({1: _place}),
)
REMOVE_DUPLICATES = Function(
    "RemoveDuplicates",
    "The values of a multi-valued attribute, each once, in their order; null if there are none. Values that differ in case "
    "are different.",
    (Parameter("attribute", "any"),),
    plain(_distinct, 1),
)

FUNCTIONS = (COUNT, ITEM, REMOVE_DUPLICATES)
