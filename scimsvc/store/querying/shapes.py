"""The shape of a filter: its tree with slots in place of the values. SQL depends on it alone, so it is built once a shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scimsvc.protocol.filter import And, Comparison, Filter, Not, Or, Present, ValuePath
from scimsvc.protocol.filter.typed import Operator
from scimsvc.schema.paths import AttributePath


@dataclass(frozen=True)
class Slot:
    """A place in a query's parameters: of a filter's n-th value or of a value with a name, and its form there."""

    key: int | str
    form: Callable[[Any], Any] = lambda value: value


TENANT = Slot("tenant")
_FIRST = Slot(0)


def cut(tree: Filter, prefix: str = "") -> tuple[Filter, dict[int | str, Any]]:
    """Return the shape of a filter and its values by their slots; a prefix tells those of several filters apart."""
    if isinstance(tree, Comparison) and not prefix and not tree.path.is_mark:
        return _shape_of_one(tree.path, tree.operator), {0: tree.value}
    values: dict[int | str, Any] = {}

    def compared(node: Comparison, operator: str, value: str) -> Comparison:
        place: int | str = f"{prefix}{len(values)}" if prefix else len(values)
        values[place] = value
        return Comparison(node.path, operator, Slot(place), "")  # type: ignore[arg-type]

    def visit(node: Filter, inside: bool = False) -> Filter:
        match node:
            case And(operands):
                return And(tuple(visit(operand, inside) for operand in dict.fromkeys(operands)))
            case Or(operands):
                return Or(tuple(visit(operand, inside) for operand in dict.fromkeys(operands)))
            case Not(operand):
                return Not(visit(operand, inside))
            case ValuePath(path, inner):
                return ValuePath(path, visit(inner, inside=True))
            case Comparison(path, operator, value, _) if path.is_mark:
                return _of_mark(compared(node, "eq", "true"), operator, value, inside)
            case Comparison(_, operator, value, _):
                return compared(node, operator, value)
            case _:
                return node

    return visit(tree), values


@lru_cache(maxsize=1024)
def _shape_of_one(path: AttributePath, operator: Operator) -> Comparison:
    """Return the shape of one comparison, the same object each time, which makes it a cheap key."""
    return Comparison(path, operator, _FIRST, "")  # type: ignore[arg-type]


def _of_mark(marked: Comparison, operator: str, value: str, inside: bool) -> Filter:
    """Return the shape of a comparison with `primary` by `primary eq true`: an element without it has no row to be found by.

    `inside` is whether it is a term about one element; for a resource, `ne` also holds if there is no element.
    """
    holds_for_true = (value == "true") == (operator == "eq")
    if inside:
        return marked if holds_for_true else Not(marked)
    holder = AttributePath(marked.path.steps[:-1])
    found = marked if holds_for_true else ValuePath(holder, Not(marked))
    return found if operator == "eq" else Or((found, Not(Present(holder))))


def bind(parameters: Sequence[Any], values: Mapping[int | str, Any]) -> list[Any]:
    """Return the parameters of a query with the values in their slots."""
    return [one.form(values[one.key]) if isinstance(one, Slot) else one for one in parameters]


def slot_of(term: Comparison) -> Slot:
    """Return the slot of a comparison in a shape."""
    value: Any = term.value
    assert isinstance(value, Slot)
    return value
