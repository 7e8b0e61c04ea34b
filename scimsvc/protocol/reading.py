"""What a resource has at a path (RFC 7644 §3.10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scimsvc.protocol.filter.evaluate import matches
from scimsvc.protocol.filter.typed import Filter, Path
from scimsvc.schema.model import Attribute
from scimsvc.schema.paths import AttributePath


def value_at(path: Path, resource: Any) -> Any:
    """The value at a path, None where there is none: a list below a multi-valued attribute, and with a value filter what the
    first element that fulfils it has.
    """
    values, many = _below([resource], path.attribute.steps)
    if path.value_filter is not None:
        values = [value for value in values if matches(path.value_filter, value)][:1]
        many = False
    if path.sub_attribute is not None:
        values, below = _below(values, path.sub_attribute.steps[len(path.attribute.steps) :])
        many |= below
    return (values or None) if many else values[0] if values else None


def values_at(path: AttributePath, resource: Any, value_filter: Filter | None = None) -> list[Any]:
    """All simple values that a resource has at a path, in their order; with a filter those in the elements that fulfil it."""
    values = [resource]
    for step in path.steps:
        values, _ = _below(values, [step])
        if value_filter is not None and step.multi_valued and step.type == "complex":
            values = [value for value in values if matches(value_filter, value)]
    return values


def _below(values: list[Any], steps: Iterable[Attribute]) -> tuple[list[Any], bool]:
    many = False
    for step in steps:
        found = [value[step.name] for value in values if isinstance(value, dict) and value.get(step.name) is not None]
        if step.multi_valued:
            found = [one for value in found for one in (value if isinstance(value, list) else [value])]
            many = True
        values = found
    return values, many
