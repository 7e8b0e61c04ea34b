"""When two elements of a multi-valued attribute are one (RFC 7643 §2.4)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import orjson

from scimsvc.schema.model import Attribute
from scimsvc.schema.types import normaliser

Identity = Callable[[Any], Hashable]


@lru_cache(maxsize=1024)
def identity_of(attribute: Attribute) -> Identity:
    """Return the function from an element of a multi-valued attribute to what it is the same by, compared as filters compare.

    A complex element is its `type` and `value`, or all but its `primary` mark if it has no `value`; another is its value.
    """
    return _complex(attribute) if attribute.type == "complex" else _simple(attribute)


def merged(attribute: Attribute, element: Any, same: Any) -> Any:
    """Return an element with the other sub-attributes of one that is the same; what both are the same by keeps its spelling."""
    if attribute.type != "complex":
        return element
    named = identifying(attribute, element)
    return {**element, **{name: below for name, below in same.items() if name not in named or name not in element}}


def identifying(attribute: Attribute, element: dict[str, Any]) -> frozenset[str]:
    """Return the names of the sub-attributes that a complex element is the same by."""
    type_, value = attribute.sub_attribute("type"), attribute.sub_attribute("value")
    if value is not None and value.name in element:
        return frozenset((value.name, type_.name) if type_ else (value.name,))
    return frozenset(sub.name for sub in attribute.sub_attributes if sub.name != attribute.primary)


def _simple(attribute: Attribute) -> Identity:
    normalise = normaliser(attribute)

    def identity(value: Any) -> Hashable:
        try:
            return normalise(value)
        except (ArithmeticError, TypeError, ValueError):
            # A profile gave the attribute another type since.
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

    return identity


def _complex(attribute: Attribute) -> Identity:
    parts = {sub.name: _values(sub) for sub in attribute.sub_attributes if sub.name != attribute.primary}
    type_, value = attribute.sub_attribute("type"), attribute.sub_attribute("value")
    known = [sub.name for sub in (type_, value) if sub is not None]

    def identity(element: Any) -> Hashable:
        names = known if value is not None and value.name in element else parts
        return tuple([(name, parts[name](element[name])) for name in names if name in element])

    return identity


def _values(attribute: Attribute) -> Identity:
    one = identity_of(attribute)
    if not attribute.multi_valued:
        return one
    return lambda values: tuple(map(one, values)) if isinstance(values, list) else one(values)
