"""From the shape of a filter to a plan: which rows of the index answer it, and how they are combined.

A plan is plain data, of which `filter_sql` makes SQL. The databases differ in one thing. The planner of SQLite finds the most
selective term in a condition. The planner of PostgreSQL would guess without statistics, so there the rows of one term come first
(`Choice.rows`), and every other term looks at one resource at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from scimsvc.protocol.errors import ScimError, invalid_filter
from scimsvc.protocol.filter import (
    Absent,
    And,
    Comparison,
    Filter,
    Not,
    Or,
    Present,
    ValuePath,
    by_attribute,
    conjuncts,
    driver,
    matches,
    only_attribute,
)
from scimsvc.schema.core import COMMON, MEMBERS, RELATED
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.store.database import Kind
from scimsvc.store.querying.leading import all_of, any_of, apart, attribute_of, has_several, leads, leads_by, telling

COLUMNS = frozenset({"id", "meta.resourceType", "meta.created", "meta.lastModified", "meta.version"})
"""The attributes that are columns of a resource."""
_BY_INDEX = frozenset({"eq", "sw", "ne"})
"""The operators whose rows an index leads to, and `ne`, which rows alone don't answer."""


@dataclass(frozen=True)
class SameElement:
    """The element of `of` that a row belongs to has a row of `attribute`, whose value passes the test if there is one."""

    attribute: AttributePath
    of: AttributePath
    test: Filter | None = None


@dataclass(frozen=True)
class Rows:
    """Rows of one attribute whose value passes a test and whose element fulfils conditions.

    `known` if each row is looked at for a resource that is known, so that no index should answer the test; `ranged` if the
    operator's range of values helps the index.
    """

    attribute: AttributePath
    test: Filter
    element: tuple[Condition, ...] = ()
    known: bool = False
    ranged: bool = False


@dataclass(frozen=True)
class AnyRows:
    """Rows of any of several attributes, with a condition on the element of each; `known` as of Rows."""

    attributes: tuple[AttributePath, ...]
    element: Condition | None = None
    known: bool = False


@dataclass(frozen=True)
class ById:
    """The resource with an id."""

    term: Comparison


@dataclass(frozen=True)
class RelatedRows:
    """The resources with a member, or in a group, that fulfils a filter; `attribute` is `members` or `groups`."""

    attribute: Attribute
    test: Filter


@dataclass(frozen=True)
class HasRow:
    """The resource has one of the rows; `known` if it is looked at alone, else the rows lead to the resources."""

    rows: tuple[Rows | AnyRows, ...]
    known: bool


@dataclass(frozen=True)
class Related:
    """The resource is one of those of RelatedRows."""

    rows: RelatedRows


@dataclass(frozen=True)
class OnColumn:
    """A comparison with a column of the resource."""

    term: Comparison


@dataclass(frozen=True)
class OnConstant:
    """A comparison with a text that is the same for all resources of a type."""

    text: str
    term: Comparison


@dataclass(frozen=True)
class Exists:
    """Every resource, or no resource at all."""

    holds: bool


@dataclass(frozen=True)
class AllOf:
    """All operands hold."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one operand holds."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True)
class NotOf:
    """The operand doesn't hold."""

    operand: Condition


Condition: TypeAlias = AllOf | AnyOf | NotOf | HasRow | Related | OnColumn | OnConstant | Exists | SameElement
Leading: TypeAlias = Rows | AnyRows | ById | RelatedRows


class Choice(NamedTuple):
    """How resources are chosen: by rows, or all of the type if there are none, and by a condition that each must fulfil."""

    rows: tuple[Leading, ...]
    condition: Condition | None


def plan_condition(shape: Filter, resource_type: ResourceType, kind: Kind) -> Condition:
    """Return the condition on a resource that a shape is. Raise ScimError invalidFilter for what has no index."""
    return _Planner(resource_type, kind).condition(shape)


def plan_choice(shape: Filter, resource_type: ResourceType, kind: Kind) -> Choice:
    """Return the most selective way to find what a shape is about. Raise ScimError invalidFilter for what has no index."""
    planner = _Planner(resource_type, kind)
    if kind == "sqlite":
        return Choice((), planner.condition(shape))
    terms = list(conjuncts(shape))
    leading = _Planner(resource_type, kind, leading=True)
    candidates = [(leads_by(term), place, rows) for place, term in enumerate(terms) if (rows := leading.candidates(term))]
    if not candidates:
        return Choice((), planner.condition(shape))
    _, place, rows = min(candidates, key=lambda candidate: candidate[:2])
    rest = [term for term in terms if term is not terms[place] or not _is_exact(term)]
    return Choice(rows, planner.condition(all_of(rest)) if rest else None)


def plan_match(shape: Filter | None) -> Comparison | None:
    """Return the term by which clients match accounts, if that is all of a shape: one `eq` on a single-valued attribute.

    No resource has two such rows.
    """
    if not isinstance(shape, Comparison) or shape.operator != "eq":
        return None
    several = any(step.multi_valued or step.mutability == "readOnly" for step in shape.path.steps)
    return None if several or shape.path.name == "schemas" else shape


def plan_related(attribute: Attribute, test: Filter) -> RelatedRows:
    """Return the rows of `members` or `groups` that a filter is about. Raise ScimError invalidFilter for what isn't stored."""
    for term in _comparisons(test):
        name = term.path.leaf.name
        if name != "value" and not (name == "type" and attribute is MEMBERS):
            raise invalid_filter(f"Filter: {term.path.name} can't be filtered by; {attribute.name}.value can.")
    return RelatedRows(attribute, test)


def _comparisons(node: Filter) -> list[Comparison]:
    match node:
        case Comparison():
            return [node]
        case And(operands) | Or(operands):
            return [term for operand in operands for term in _comparisons(operand)]
        case Not(operand):
            return _comparisons(operand)
    return []


def _is_exact(node: Filter) -> bool:
    """Return whether all candidates of a term fulfil it."""
    return not isinstance(node, And) and (not isinstance(node, Or) or all(map(_is_exact, node.operands)))


class _Planner:
    """Plan for one resource type. With `beside`, another condition chooses the resources, and each is looked at alone.

    So is every resource on PostgreSQL, unless `leading` is set: then the rows choose the resources there.
    """

    def __init__(self, resource_type: ResourceType, kind: Kind, beside: bool = False, leading: bool = False) -> None:
        self._resource_type = resource_type
        self._kind: Kind = kind
        self._beside = beside or (kind == "postgresql" and not leading)
        self._known = self._beside and kind == "postgresql"

    def condition(self, node: Filter) -> Condition:
        rows = self._rows_of(node)
        if rows is not None:
            return HasRow(rows, self._beside)
        match node:
            case And():
                return self._all(list(conjuncts(node)))
            case Or(operands):
                return self._some(operands)
            case Not(operand):
                return NotOf(self.condition(operand))
            case Present(path) if path.steps[0] in RELATED:
                return Related(plan_related(path.steps[0], node))
            case Present():
                return Exists(True)
            case ValuePath(path, _) if path.steps[0] not in RELATED:
                raise _refused(path)
            case ValuePath(path, inner):
                return Related(plan_related(path.steps[0], inner))
            case Comparison():
                return self._comparison(node)
            case Absent():
                return Exists(False)
        raise TypeError(node)

    def candidates(self, node: Filter) -> tuple[Leading, ...] | None:
        """Return rows whose resources include all that fulfil a term; None if only a look at every resource tells them."""
        match node:
            case And(operands):
                several = [(leads_by(term), place) for place, term in enumerate(operands) if self.candidates(term)]
                return self.candidates(operands[min(several)[1]]) if several else None
            case Or(operands):
                scanning = self._scanned_together(operands)
                merged = {id(operand) for group in scanning for operand in group}
                parts = [self.candidates(operand) for operand in operands if id(operand) not in merged]
                alone = [row for part in parts if part for row in part]
                return None if None in parts else (*map(self._some_row, scanning), *alone)
            case Comparison(path, "eq", _, _) if path.name == "id":
                return (ById(node),)
            case Comparison(path, "eq", _, _) if path.steps[0] in RELATED:
                return (plan_related(path.steps[0], node),)
            case ValuePath(path, inner) if path.steps[0] in RELATED:
                return (plan_related(path.steps[0], inner),)
        return self._rows_of(node)

    def _all(self, operands: Sequence[Filter]) -> Condition:
        """Plan terms that all must hold. The most selective one leads to the resources, and the others look at these alone:
        SQLite would collect all resources of each term.
        """
        ranks = [(rank, place) for place, term in enumerate(operands) if (rank := telling(term)) is not None]
        if not ranks:
            return AllOf(tuple(map(self.condition, operands)))
        lead = operands[min(ranks)[1]]
        beside = _Planner(self._resource_type, self._kind, beside=True)
        others = [beside.condition(operand) for operand in operands if operand is not lead]
        return AllOf((self.condition(lead), *others))

    def _some(self, operands: Sequence[Filter]) -> Condition:
        """Plan terms of which one must hold. Their rows are one set: of several, PostgreSQL would look at every resource."""
        scanning = self._scanned_together(operands)
        merged = {id(operand) for group in scanning for operand in group}
        rows: list[Rows | AnyRows] = list(map(self._some_row, scanning))
        others = []
        for operand in operands:
            found = None if id(operand) in merged else self._rows_of(operand)
            if found is not None:
                rows += found
            elif id(operand) not in merged:
                others.append(self.condition(operand))
        return AnyOf((*([HasRow(tuple(rows), self._beside)] if rows else []), *others))

    def _rows_of(self, node: Filter) -> tuple[Rows | AnyRows, ...] | None:
        """Return rows of which a resource that fulfils a term has one; None if it isn't found by rows."""
        match node:
            case Present(path) if self._has_rows(path):
                return (AnyRows(path.leaves(), known=self._known),)
            case ValuePath(path, inner) if self._has_rows(path):
                alternatives = by_attribute(inner.operands) if isinstance(inner, Or) else [[inner]]
                return tuple(self._elements(path, any_of(group)) for group in alternatives)
            case Comparison(path, operator, _, _) if operator != "ne" and self._has_rows(path):
                return (self._rows_with(node),)
        return None

    def _has_rows(self, path: AttributePath) -> bool:
        if path.steps[0] in RELATED or path.steps[0] in COMMON:
            return False
        if path.is_read_only:
            raise _refused(path)
        return True

    def _rows_with(self, term: Comparison) -> Rows:
        return Rows(term.path, term, known=self._known, ranged=not self._known)

    def _some_row(self, operands: Sequence[Filter]) -> Rows:
        """Return the rows, all of one attribute, for which one of the comparisons holds."""
        whole = Or(tuple(operands))
        return Rows(attribute_of(whole), whole, known=self._known)

    def _scanned_together(self, operands: Sequence[Filter]) -> list[list[Filter]]:
        """Return the terms that are a look at every row of one attribute, in groups that one look answers."""
        scanned = (
            one for one in operands if isinstance(one, Comparison) and one.operator not in _BY_INDEX and self._has_rows(one.path)
        )
        return [group for group in by_attribute(scanned) if len(group) > 1]

    def _comparison(self, term: Comparison) -> Condition:
        path = term.path
        if path.name in COLUMNS:
            return OnColumn(term)
        if path.steps[0] in RELATED:
            related = Related(plan_related(path.steps[0], term))
            present = Related(RelatedRows(path.steps[0], Present(path)))
            return AnyOf((related, NotOf(present))) if term.operator == "ne" else related
        if path.name == "schemas":
            return AnyOf(tuple(self._schema(urn, term) for urn in self._resource_type.schema_ids))
        if not self._has_rows(path):
            raise _refused(path)
        # An attribute with one value differs, or is absent, if the resource has no row with this value.
        if not any(step.multi_valued for step in path.steps):
            equal = Comparison(path, "eq", term.value, "")
            return NotOf(HasRow((self._rows_with(equal),), self._beside))
        return AnyOf((HasRow((self._rows_with(term),), self._beside), NotOf(self.condition(Present(path)))))

    def _schema(self, urn: str, term: Comparison) -> Condition:
        """Return what has a schema: all resources have the core schema, and those with an attribute of an extension have that."""
        extension = self._resource_type.root.sub_attribute(urn)
        holds = OnConstant(urn, term)
        return AllOf((holds, self.condition(Present(AttributePath((extension,)))))) if extension else holds

    def _elements(self, path: AttributePath, inner: Filter) -> Rows | AnyRows:
        """Return the rows of elements that fulfil a filter: those of one attribute if it tells enough of them."""
        terms = list(conjuncts(inner))
        lead = driver(inner) or next((term for term in terms if leads(term, path)), None)
        if lead is None:
            return AnyRows(path.leaves(), _element(inner, path), self._known)
        rest = tuple(_element(operand, path) for operand in terms if operand is not lead)
        return Rows(attribute_of(lead), lead, rest, self._known)


def _element(node: Filter, of: AttributePath) -> Condition:
    """Return a condition on the element of `of` that a row belongs to: one look-up for each attribute with one value."""
    alone = only_attribute(node)
    if alone is not None and not has_several(alone, of):
        if not matches(node, {}):
            return SameElement(alone, of, node)
        return NotOf(SameElement(alone, of, Not(node)))
    match node:
        case And(operands):
            return AllOf(tuple(_element(all_of(group), of) for group in apart(operands, of)))
        case Or(operands):
            return AnyOf(tuple(_element(any_of(group), of) for group in apart(operands, of)))
        case Not(operand):
            return NotOf(_element(operand, of))
        case Present(path):
            return SameElement(path, of)
        case Comparison(path, operator, _, _):
            found = SameElement(path, of, node)
            return AnyOf((found, NotOf(SameElement(path, of)))) if operator == "ne" else found
    raise TypeError(node)


def _refused(path: AttributePath) -> ScimError:
    return invalid_filter(f"Filter: {path.name} can't be filtered by.")
