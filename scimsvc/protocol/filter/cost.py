"""What a filter asks of whoever evaluates it, counted on its tree alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scimsvc.protocol.filter.ast import Absent, And, Comparison, Filter, Not, Or, Present, ValuePath
from scimsvc.schema.paths import AttributePath

_BY_INDEX = frozenset({"eq", "sw"})


def terms(node: Filter) -> int:
    """How many comparisons a filter has."""
    return sum(1 for _ in _leaves(node))


def scans(node: Filter) -> int:
    """How many of them look at every value there is: all but `eq` and `sw`, and those as well inside of a `not`."""
    match node:
        case And(operands) | Or(operands):
            return sum(map(scans, operands))
        case Not(operand):
            return terms(operand)
        case ValuePath(_, inner):
            return scans(inner)
        case Comparison(_, operator):
            return int(operator not in _BY_INDEX)
        case Absent():
            return 0
    return 1


def only_attribute(node: Filter) -> AttributePath | None:
    """The attribute that all comparisons are about; None where there are several."""
    found = {leaf.path.name: leaf.path for leaf in _leaves(node) if isinstance(leaf, (Comparison, Present))}
    return next(iter(found.values())) if len(found) == 1 else None


def by_attribute(operands: Iterable[Filter]) -> list[list[Filter]]:
    """Operands in groups about one attribute each, in their order; one about several is alone."""
    groups: dict[str | int, list[Filter]] = {}
    for place, operand in enumerate(operands):
        path = only_attribute(operand)
        groups.setdefault(path.name if path else place, []).append(operand)
    return list(groups.values())


def _leaves(node: Filter) -> Iterator[Filter]:
    match node:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _leaves(operand)
        case Not(operand):
            yield from _leaves(operand)
        case ValuePath(_, inner):
            yield from _leaves(inner)
        case _:
            yield node
