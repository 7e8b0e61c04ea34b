"""What a filter costs the code that evaluates it, counted on its tree alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from scimsvc.protocol.filter.typed import Absent, And, Comparison, Filter, Not, Or, Present, ValuePath
from scimsvc.schema.paths import AttributePath


def terms(node: Filter) -> int:
    """How many comparisons a filter has."""
    return sum(1 for _ in _leaves(node))


def scans(node: Filter) -> int:
    """Return how often answering a filter may look at every value of an attribute, or at every resource.

    An `eq` on what is unique never does. Those on another attribute find all of its values together at most once, if their
    values differ; each repetition finds its own again. Every other term may find nearly all values, `sw "s"` as well.
    """
    found: Counter[tuple[str, str]] = Counter()
    number = _scans(node, found)
    attributes = {name for name, _ in found}
    return number + len(attributes) + sum(times - 1 for times in found.values())


def _scans(node: Filter, found: Counter[tuple[str, str]]) -> int:
    """Count the terms that may look at all values; those with `eq` are counted in `found`, by attribute and value."""
    match node:
        case And(operands) | Or(operands):
            # The store answers a repeated operand once.
            return sum(_scans(operand, found) for operand in dict.fromkeys(operands))
        case Not(operand):
            return terms(operand)
        case ValuePath(_, inner):
            return _scans_of_elements(inner, found)
        case Comparison(path, "eq", value) if not path.is_mark and not _is_computed(path):
            if path.leaf.uniqueness == "none":
                found[path.name, value] += 1
            return 0
        case Absent():
            return 0
    return 1


def _scans_of_elements(inner: Filter, found: Counter[tuple[str, str]]) -> int:
    """Count the same of the terms about an element: one `eq` finds elements, and these alone are looked at for the others."""
    lead = driver(inner)
    rest = (term for term in conjuncts(inner) if term is not lead and not _is_equality(term))
    return sum(_scans(term, found) for term in ([lead, *rest] if lead else rest))


def conjuncts(node: Filter) -> Iterator[Filter]:
    """Yield the terms of a filter that all must hold, in their order."""
    if isinstance(node, And):
        for operand in node.operands:
            yield from conjuncts(operand)
    else:
        yield node


def driver(inner: Filter) -> Comparison | None:
    """Return the term by which an index look-up starts: an `eq` on a sub-attribute that tells elements apart best."""
    terms_ = [term for term in conjuncts(inner) if isinstance(term, Comparison) and _is_equality(term)]
    return min(terms_, key=lambda term: (term.path.leaf.type == "boolean", bool(term.path.leaf.canonical_values)), default=None)


def _is_equality(term: Filter) -> bool:
    return isinstance(term, Comparison) and term.operator == "eq"


def _is_computed(path: AttributePath) -> bool:
    """Whether no index has the values: each resource is looked at, or for `groups` all that is below a group."""
    return path.is_read_only and path.name != "id"


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
