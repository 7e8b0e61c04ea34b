"""Comparisons, as IIF and CBool have them."""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Mapping
from typing import Any

from scimsvc.mapping.functions.dates import as_moment
from scimsvc.mapping.functions.model import FunctionError, Lazy
from scimsvc.mapping.functions.moments import Moment
from scimsvc.mapping.functions.values import as_number, as_text, is_empty

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": op.eq,
    "<>": op.ne,
    ">": op.gt,
    ">=": op.ge,
    "<": op.lt,
    "<=": op.le,
}


def comparison(operator: str, left: Lazy, right: Lazy, left_is_attribute: bool, right_is_attribute: bool) -> Lazy:
    """Return the function that evaluates a comparison.

    If a source attribute is null or empty, no comparison with it is true, not even `<>` (Entra's IIF). An order, such as `<`, is
    false for any other null or empty value, and for values that can't be compared.
    """
    holds = _OPERATORS[operator]
    ordering = operator not in ("=", "<>")

    def compare(attributes: Mapping[str, Any]) -> bool:
        one, other = left(attributes), right(attributes)
        if not ordering and one.__class__ is str and other.__class__ is str:
            return holds(one, other) and bool((one or not left_is_attribute) and (other or not right_is_attribute))
        if ((left_is_attribute or ordering) and is_empty(one)) or ((right_is_attribute or ordering) and is_empty(other)):
            return False
        sides = _comparable(one, other, ordering)
        return sides is not None and holds(*sides)

    return compare


def _comparable(one: Any, other: Any, ordering: bool) -> tuple[Any, Any] | None:
    """Return two values in the type by which they can be compared: dates, numbers, strings. Return None if they have no order."""
    if isinstance(one, Moment) or isinstance(other, Moment):
        try:
            first, second = as_moment(one), as_moment(other)
        except FunctionError:
            first = second = None
        if first and second:
            return first.file_time(), second.file_time()
    if ordering or _is_number(one) or _is_number(other):
        numbers = as_number(one), as_number(other)
        if None not in numbers:
            return numbers
    if ordering and any(_is_number(side) or isinstance(side, Moment) for side in (one, other)):
        return None
    return as_text(one) or "", as_text(other) or ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
