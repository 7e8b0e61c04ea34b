"""Which term of a filter a look-up begins with, and which terms are answered together; decided on the filter's tree alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from scimsvc.protocol.filter import And, Comparison, Filter, Or, ValuePath, by_attribute, driver, matches, only_attribute
from scimsvc.schema.core import COMMON, RELATED
from scimsvc.schema.paths import AttributePath


def telling(term: Filter) -> int | None:
    """How well a term tells resources from one another, best 0; None where it may hold for most of them."""
    if isinstance(term, ValuePath):
        best = driver(term.filter)
        return None if best is None else telling(best)
    if isinstance(term, Or):
        ranks = [rank for operand in term.operands if (rank := telling(operand)) is not None]
        return max(ranks) if len(ranks) == len(term.operands) else None
    if not isinstance(term, Comparison) or term.operator != "eq" or term.path.leaf.type == "boolean":
        return None
    if term.path.steps[0] in RELATED or (term.path.steps[0] in COMMON and term.path.name != "id"):
        return None
    return None if term.path.leaf.canonical_values else int(term.path.leaf.uniqueness == "none")


def leads_by(term: Filter) -> int:
    """Return the rank of a term as the one that a look-up begins with, best 0: also where it may hold for most resources."""
    rank = telling(term)
    if rank is not None:
        return rank
    match term:
        case And(operands):
            return min(map(leads_by, operands))
        case Or(operands):
            return max(map(leads_by, operands))
        case ValuePath(_, inner):
            best = driver(inner)
            return leads_by(best) if best else 4
        case Comparison(path, "eq" | "sw", _, _):
            return 3 if path.leaf.type == "boolean" or path.leaf.canonical_values else 2
    return 4


def has_several(path: AttributePath, of: AttributePath) -> bool:
    """Whether one element of `of` may have several values of an attribute in it."""
    return any(step.multi_valued for step in path.steps[len(of.steps) :])


def leads(term: Filter, of: AttributePath) -> bool:
    """Whether every element that fulfils a term has a row of one attribute that does."""
    path = only_attribute(term)
    return path is not None and not has_several(path, of) and not matches(term, {})


def apart(operands: Iterable[Filter], of: AttributePath) -> Iterator[list[Filter]]:
    """Operands in groups that one row can answer."""
    for group in by_attribute(operands):
        path = only_attribute(group[0])
        if path is not None and has_several(path, of):
            yield from ([one] for one in group)
        else:
            yield group


def any_of(operands: Sequence[Filter]) -> Filter:
    """Operands of which one must hold, as one filter."""
    return operands[0] if len(operands) == 1 else Or(tuple(operands))


def all_of(operands: Sequence[Filter]) -> Filter:
    """Operands that all must hold, as one filter."""
    return operands[0] if len(operands) == 1 else And(tuple(operands))


def attribute_of(node: Filter) -> AttributePath:
    """The attribute that all of a filter is about, of which there is one."""
    path = only_attribute(node)
    assert path
    return path
