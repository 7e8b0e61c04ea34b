"""Whether an element of a multi-valued attribute, or a complex value, fulfils a value filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scimsvc.protocol.filter.typed import Absent, And, Comparison, Filter, Not, Operator, Or, Present, ValuePath
from scimsvc.schema.paths import AttributePath
from scimsvc.schema.types import fitting, normaliser

_HOLDS: dict[Operator, Callable[[str, str], bool]] = {
    "eq": lambda have, want: have == want,
    "ne": lambda have, want: have != want,
    "co": lambda have, want: want in have,
    "sw": lambda have, want: have.startswith(want),
    "ew": lambda have, want: have.endswith(want),
    "gt": lambda have, want: have > want,
    "ge": lambda have, want: have >= want,
    "lt": lambda have, want: have < want,
    "le": lambda have, want: have <= want,
}


def matches(value_filter: Filter, element: Any) -> bool:
    """Return whether the element (an object, or a simple value) fulfils the filter.

    `ne` holds if there is no value; a boolean that the element doesn't have is compared as false.
    """
    match value_filter:
        case And(operands):
            return all(matches(operand, element) for operand in operands)
        case Or(operands):
            return any(matches(operand, element) for operand in operands)
        case Not(operand):
            return not matches(operand, element)
        case Present(path):
            return _value(path, element) is not None
        case Comparison(path, operator, wanted, _):
            value = _value(path, element)
            if value is None and path.is_mark and isinstance(element, dict):
                value = False
            if value is None:
                return operator == "ne"
            holds, normalise = _HOLDS[operator], normaliser(path.leaf)
            return any(holds(normalise(one), wanted) for one in (value if isinstance(value, list) else [value]))
        case Absent():
            return False
        case ValuePath():
            raise TypeError("the parser refuses a value filter inside a value filter")


def _value(path: AttributePath, element: Any) -> Any:
    return fitting(path.leaf, element.get(path.leaf.name)) if isinstance(element, dict) else element
