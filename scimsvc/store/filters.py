"""From a filter's syntax tree to SQL over the attribute_value index.

The SQL of a filter depends on its shape alone, so it is built once for each shape: the values are cut out of
the tree (`Slot`), and each execution binds its own.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import peewee
from peewee import fn

from scimsvc.protocol.errors import ScimError, invalid_filter
from scimsvc.protocol.etag import own_part
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
from scimsvc.store.index import MAX_KEY_LENGTH, PREFIX_LENGTH, key, number, width
from scimsvc.store.leading import all_of, any_of, apart, attribute_of, has_several, leads, leads_by, telling
from scimsvc.store.models import AttributeValue, Membership, Resource

Expression = Any
"""A Peewee expression; the library has no type for it."""


@dataclass(frozen=True)
class Slot:
    """A place in a query's parameters: of a filter's n-th value or of a value with a name, and its form there."""

    key: int | str
    form: Callable[[Any], Any] = lambda value: value


TENANT = Slot("tenant")
_FIRST = Slot(0)
_BY_INDEX = frozenset({"eq", "sw", "ne"})
"""The operators whose rows an index leads to, or, of `ne`, that rows alone don't answer."""


def cut(tree: Filter, prefix: str = "") -> tuple[Filter, dict[int | str, Any]]:
    """The shape of a filter, with slots in place of its values, and the values; a prefix tells those of several filters apart."""
    if isinstance(tree, Comparison) and not prefix and not tree.path.is_mark:
        return Comparison(tree.path, tree.operator, _FIRST, ""), {0: tree.value}  # type: ignore[arg-type]
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


def _of_mark(marked: Comparison, operator: str, value: str, inside: bool) -> Filter:
    """Return the shape of a comparison with `primary` by `primary eq true`: an element without it has no row to be found by.

    `inside` is whether it is a term about one element; for a resource, `ne` also holds if there is no element.
    """
    holds_for_true = (value == "true") == (operator == "eq")
    if inside:
        return marked if holds_for_true else Not(marked)
    holder = _holder(marked.path)
    found = marked if holds_for_true else ValuePath(holder, Not(marked))
    return found if operator == "eq" else Or((found, Not(Present(holder))))


def _holder(path: AttributePath) -> AttributePath:
    return AttributePath(path.steps[:-1])


def bind(parameters: Sequence[Any], values: Mapping[int | str, Any]) -> list[Any]:
    """The parameters of a query with the values in their slots."""
    return [one.form(values[one.key]) if isinstance(one, Slot) else one for one in parameters]


def condition(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Expression:
    """The Peewee condition on Resource for a shape; None is every resource of the type. The tenant is in the slot `tenant`.

    Raises ScimError invalidFilter for what has no index.
    """
    own = of_type(resource_type)
    return own if shape is None else own & _Builder(resource_type, kind).condition(shape)


class Choice(NamedTuple):
    """How the resources of a type that fulfil a shape are found: `rows` is a query with their numbers as its column `seq`, in
    order, and perhaps others; None reads every resource of the type. `condition` is what each of them must fulfil besides.
    """

    rows: Any | None
    condition: Expression | None


def choice(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Choice:
    """Return the most selective way to find what a shape is about.

    SQLite's planner finds it in the condition. PostgreSQL's would guess without statistics, so there it is part of the query: the
    rows of one term come first, and the resource of each of them is looked up by its number (see `each`).
    """
    if shape is None:
        return Choice(None, None)
    builder = _Builder(resource_type, kind)
    if kind == "sqlite":
        return Choice(None, builder.condition(shape))
    terms = list(conjuncts(shape))
    leading = _Builder(resource_type, kind, leading=True)
    candidates = [(leads_by(term), place, rows) for place, term in enumerate(terms) if (rows := leading.candidates(term))]
    if not candidates:
        return Choice(None, builder.condition(shape))
    _, place, rows = min(candidates, key=lambda candidate: candidate[:2])
    lead = terms[place]
    rest = [term for term in terms if term is not lead or not leading.is_exact(term)]
    remaining = builder.condition(all_of(rest)) if rest else None
    found = joined(op.add, [fenced(row) for row in rows]).alias("found")
    seq = peewee.SQL("seq")
    return Choice(peewee.Select([found], [seq]).distinct().order_by(seq).offset(_ZERO).alias("chosen"), remaining)


def of_type(resource_type: ResourceType, looked_up: bool = False) -> Expression:
    """Return the condition that a Resource is the tenant's, of a type, and not deleted.

    `looked_up` if PostgreSQL is to find it by its number: by its type it could also be looked for in an index that has the number
    behind other columns.
    """
    is_of_type = (Resource.resource_type == resource_type.name) & (Resource.deleted == _ZERO)
    return (Resource.tenant_id == slot(TENANT)) & (without_index(is_of_type) if looked_up else is_of_type)


def fenced(query: Any) -> Any:
    """Return a query that PostgreSQL plans apart from the one around it: what has an OFFSET is not made part of a join."""
    return query.offset(_ZERO)


def each(rows: Any, query: Any, name: str) -> Any:
    """Return a query that executes another one for every row of a first, in the order of the first. PostgreSQL alone."""
    return rows.join(fenced(query).alias(name), peewee.JOIN.LATERAL, on=peewee.SQL("true"))


_ZERO = peewee.SQL("0")


def without_index(test: Expression) -> Expression:
    """Return a test that no index of PostgreSQL answers."""
    return peewee.Expression(test, "IS", peewee.SQL("TRUE"))


def match(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Expression | None:
    """The condition on AttributeValue for the shape by which clients match accounts: one `eq` on a single-valued attribute.

    No resource has two such rows. None for any other shape.
    """
    if not isinstance(shape, Comparison) or shape.operator != "eq":
        return None
    if any(step.multi_valued or step.mutability == "readOnly" for step in shape.path.steps) or shape.path.name == "schemas":
        return None
    return _Builder(resource_type, kind).row_condition(shape)


def member_condition(shape: Filter, resource_type: ResourceType, kind: Kind, member: Any) -> Expression:
    """The condition on `member`, an alias of Resource, for the shape of a value filter of `members`."""
    return _Builder(resource_type, kind).related_condition(shape, member)


def slot(of: Slot, form: Callable[[Any], Any] | None = None) -> Expression:
    """A slot as part of a Peewee expression, with another form where one is given."""
    return peewee.Value(Slot(of.key, form or of.form), converter=False)


def joined(operator: Callable[[Expression, Expression], Expression], terms: list[Expression]) -> Expression:
    """Terms joined in pairs, and those in pairs: SQL nests what Peewee joins, and a parser's stack is no deeper than it must."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return operator(joined(operator, terms[:half]), joined(operator, terms[half:]))


def after(text: str) -> str:
    """The least text that is greater than every indexed text that starts with this one."""
    for position in range(len(text) - 1, -1, -1):
        code = ord(text[position])
        if code < 0x10FFFF:
            following = 0xE000 if code == 0xD7FF else code + 1
            return text[:position] + chr(following)
    # No text is greater than all of those, but this one is than any that an index holds.
    return chr(0x10FFFF) * (MAX_KEY_LENGTH + 2)


def _prefix(text: str) -> str:
    return text[:PREFIX_LENGTH]


def _after_prefix(text: str) -> str:
    return after(text[:PREFIX_LENGTH])


def stored_instant(normalised: str) -> str:
    """A normalised instant in the form of the columns `created` and `last_modified`: milliseconds, no zone."""
    seconds, _, fraction = normalised.rstrip("Z").partition(".")
    return f"{seconds}.{fraction[:3]}{fraction[3:].rstrip('0')}"


class _Builder:
    """Builds conditions on Resource. With `beside` another condition chooses the resources, of which each is looked at alone; so
    is every resource on PostgreSQL, except by a builder that is `leading` there, whose rows choose them.
    """

    def __init__(self, resource_type: ResourceType, kind: Kind, beside: bool = False, leading: bool = False) -> None:
        self._postgresql = kind == "postgresql"
        self._beside = beside or (self._postgresql and not leading)
        self._resource_type = resource_type
        self._tenant = slot(TENANT)
        self._kind = kind
        self._columns: Mapping[str, tuple[Expression, Callable[[str], str]]] = {
            "id": (Resource.id, str),
            "meta.resourceType": (Resource.resource_type, str),
            "meta.created": (Resource.created, stored_instant),
            "meta.lastModified": (Resource.last_modified, stored_instant),
            "meta.version": (peewee.Value('W/"').concat(Resource.version.cast("TEXT")).concat('"'), own_part),
        }

    def condition(self, node: Filter) -> Expression:
        rows = self._rows_of(node)
        if rows is not None:
            return self._with_row(rows)
        match node:
            case And():
                return self._all(list(conjuncts(node)))
            case Or(operands):
                return self._some(operands)
            case Not(operand):
                return ~self.condition(operand)
            case Present(path):
                return self._present(path)
            case ValuePath(path, inner) if path.steps[0] not in RELATED:
                raise _refused(path)
            case ValuePath(path, inner):
                return self._related(path.steps[0], lambda resource: self.related_condition(inner, resource))
            case Comparison(path, operator, value, _):
                return self._comparison(path, operator, value)
            case Absent():
                return Resource.seq.is_null()
        raise TypeError(node)

    def _all(self, operands: Sequence[Filter]) -> Expression:
        """Where one term tells few resources from the rest, these are looked at for the other terms: SQLite would collect for
        each term all that it holds for.
        """
        ranks = [(rank, place) for place, term in enumerate(operands) if (rank := telling(term)) is not None]
        lead = operands[min(ranks)[1]] if ranks else None
        others = [operand for operand in operands if operand is not lead]
        beside = _Builder(self._resource_type, self._kind, beside=True) if lead else self
        conditions = [beside.condition(operand) for operand in others]
        return joined(op.and_, [self.condition(lead), *conditions] if lead else conditions)

    def _some(self, operands: Sequence[Filter]) -> Expression:
        """All that are found by rows are found at once: of several sets PostgreSQL makes a look at every resource."""
        scanning = [group for group in by_attribute(filter(self._scans_rows, operands)) if len(group) > 1]
        merged = {id(operand) for group in scanning for operand in group}
        rows = [self._some_row(group) for group in scanning]
        others = []
        for operand in operands:
            found = None if id(operand) in merged else self._rows_of(operand)
            if found is not None:
                rows += found
            elif id(operand) not in merged:
                others.append(self.condition(operand))
        return joined(op.or_, ([self._with_row(rows)] if rows else []) + others)

    def _with_row(self, rows: Sequence[Any]) -> Expression:
        """Resources with a row that is in one of some selections of `resource_seq`."""
        if self._beside:
            return joined(op.or_, [self._exists(one.where(one.selected_columns[0] == Resource.seq)) for one in rows])
        return Resource.seq.in_(joined(op.add, list(rows)))

    def _exists(self, query: Any) -> Expression:
        return fn.EXISTS(fenced(query) if self._postgresql else query)

    def _looked_at(self, test: Expression) -> Expression:
        """A test of a row of a known resource. PostgreSQL might look for all rows that pass it, so it has no index there."""
        return without_index(test) if self._postgresql else test

    def _found_by(self, test: Expression) -> Expression:
        """A test by which rows are found, except beside what finds them."""
        return self._looked_at(test) if self._beside else test

    def candidates(self, node: Filter) -> list[Any] | None:
        """Return selections of numbers of resources, as the column `seq`, among which are all that fulfil a term; None if only a
        look at every resource tells them.
        """
        match node:
            case And():
                several = [(leads_by(term), place) for place, term in enumerate(node.operands) if self.candidates(term)]
                return self.candidates(node.operands[min(several)[1]]) if several else None
            case Or(operands):
                scanning = [group for group in by_attribute(filter(self._scans_rows, operands)) if len(group) > 1]
                merged = {id(operand) for group in scanning for operand in group}
                parts = [self.candidates(operand) for operand in operands if id(operand) not in merged]
                alone = [row for part in parts if part for row in part]
                return None if None in parts else [_as_seq(self._some_row(group)) for group in scanning] + alone
            case Comparison(path, "eq", value, _) if path.name == "id":
                resource = Resource.alias()
                chosen = (resource.tenant_id == self._tenant) & (resource.id == slot(_as_slot(value), str))
                return [resource.select(resource.seq.alias("seq")).where(chosen)]
            case Comparison(path, "eq", value, _) if path.steps[0] in RELATED:
                return [self._related_rows(path.steps[0], lambda resource: self._related_test(path, "eq", value, resource))]
            case ValuePath(path, inner) if path.steps[0] in RELATED:
                return [self._related_rows(path.steps[0], lambda resource: self.related_condition(inner, resource))]
        rows = self._rows_of(node)
        return rows and [_as_seq(row) for row in rows]

    def is_exact(self, node: Filter) -> bool:
        """Whether all candidates of a term fulfil it."""
        return not isinstance(node, And) and (not isinstance(node, Or) or all(map(self.is_exact, node.operands)))

    def _rows_of(self, node: Filter) -> list[Any] | None:
        """Selections of rows, of which a resource that fulfils a term has one; None for what isn't found by rows."""
        match node:
            case Present(path) if self._has_rows(path):
                numbers = [self._number(leaf.name) for leaf in path.leaves()]
                row = AttributeValue.alias()
                of_attribute = self._found_by(row.attribute.in_(numbers))
                return [row.select(row.resource_seq).where((row.tenant_id == self._tenant) & of_attribute)]
            case ValuePath(path, inner) if self._has_rows(path):
                alternatives = by_attribute(inner.operands) if isinstance(inner, Or) else [[inner]]
                return [self._elements(path, any_of(group)) for group in alternatives]
            case Comparison(path, operator, value, _) if operator != "ne" and self._has_rows(path):
                return [self._rows_with(path, operator, _as_slot(value))]
        return None

    def _has_rows(self, path: AttributePath) -> bool:
        if path.steps[0] in RELATED or path.steps[0] in COMMON:
            return False
        if path.is_read_only:
            raise _refused(path)
        return True

    def _scans_rows(self, node: Filter) -> bool:
        """Whether a term is a look at every row of its attribute, in which several terms can be answered at once."""
        return isinstance(node, Comparison) and node.operator not in _BY_INDEX and self._has_rows(node.path)

    def _some_row(self, operands: Sequence[Filter]) -> Any:
        """The rows, all of one attribute, for which one of the comparisons holds."""
        whole, row = Or(tuple(operands)), AttributeValue.alias()
        return self._rows(row, attribute_of(whole).name).where(self._found_by(self._row_test(whole, row)))

    def _row_test(self, node: Filter, row: Any) -> Expression:
        """A condition on a row, of the attribute that all of the filter is about."""
        match node:
            case And(operands):
                return joined(op.and_, [self._row_test(operand, row) for operand in operands])
            case Or(operands):
                return joined(op.or_, [self._row_test(operand, row) for operand in operands])
            case Not(operand):
                return ~self._row_test(operand, row)
            case Present():
                return row.resource_seq.is_null(False)
            case Comparison(path, operator, value, _):
                return self._value_test(row, path, operator, _as_slot(value))
        raise TypeError(node)

    def _comparison(self, path: AttributePath, operator: str, value: Any) -> Expression:
        if path.name in self._columns:
            column, form = self._columns[path.name]
            return self._test(column, column, operator, value, form, column)
        if path.steps[0] in RELATED:
            related = self._related(path.steps[0], lambda resource: self._related_test(path, operator, value, resource))
            return related | ~self._present(path) if operator == "ne" else related
        if path.name == "schemas":
            return joined(op.or_, [self._schema(urn, operator, value) for urn in self._resource_type.schema_ids])
        if not self._has_rows(path):
            raise _refused(path)
        # What has a value that differs, or none; of what has one value that is what hasn't this one.
        if not any(step.multi_valued for step in path.steps):
            return ~self._with_row([self._rows_with(path, "eq", value)])
        return self._with_row([self._rows_with(path, "ne", value)]) | ~self.condition(Present(path))

    def _rows_with(self, path: AttributePath, operator: str, value: Slot) -> Any:
        """The rows with a value for which a comparison holds. Some tests leave SQLite no reason to look for the attribute's own
        values by their index, hence the range beside them.
        """
        row = AttributeValue.alias()
        rows = self._rows(row, path.name).where(self._found_by(self._value_test(row, path, operator, value)))
        if self._beside and self._postgresql:
            return rows
        match operator:
            case "gt" | "ge":
                rows = rows.where(row.value >= slot(value, _prefix))
            case "lt" | "le":
                rows = rows.where(row.value < slot(value, _after_prefix))
            case "co" | "ew" | "ne":
                rows = rows.where(row.value >= "")
        return rows

    def _schema(self, urn: str, operator: str, value: Slot) -> Expression:
        """Resources with a schema that a comparison holds for: the core schema is everyone's, an extension's follows from it."""
        constant = peewee.Value(urn).cast("TEXT")
        holds = self._test(constant, constant, operator, value, str, constant)
        extension = self._resource_type.root.sub_attribute(urn)
        return holds & self.condition(Present(AttributePath((extension,)))) if extension else holds

    def _number(self, name: str) -> int:
        return number(self._resource_type.name, name)

    def _rows(self, model: Any, name: str) -> Any:
        of_attribute = self._found_by(model.attribute == self._number(name))
        return model.select(model.resource_seq).where((model.tenant_id == self._tenant) & of_attribute)

    def row_condition(self, term: Comparison) -> Expression:
        """The condition on a row of AttributeValue that a term with an index has."""
        own = (AttributeValue.tenant_id == self._tenant) & (AttributeValue.attribute == self._number(term.path.name))
        return own & self._value_test(AttributeValue, term.path, term.operator, _slot_of(term))

    def _value_test(self, model: Any, path: AttributePath, operator: str, value: Slot) -> Expression:
        if path.leaf.type in ("string", "reference", "binary"):
            return self._test(model.value, fn.COALESCE(model.overflow, model.value), operator, value, key, model.value)
        return self._test(model.value, model.value, operator, value, str, model.value)

    def _test(
        self, indexed: Expression, whole: Expression, operator: str, value: Slot, form: Callable[[str], str], prefixed: Expression
    ) -> Expression:
        """`indexed` has the form of the literal that `form` gives; `whole` is the value without any shortening."""
        match operator:
            case "eq":
                return indexed == slot(value, form)
            case "ne":
                return indexed != slot(value, form)
            case "co":
                position = fn.INSTR if self._kind == "sqlite" else fn.STRPOS
                return position(whole, slot(value)) > 0
            case "sw":
                start = (prefixed >= slot(value, _prefix)) & (prefixed < slot(value, _after_prefix))
                return start & (fn.SUBSTR(whole, 1, fn.LENGTH(slot(value))) == slot(value))
            case "ew":
                if self._kind == "postgresql":
                    return fn.RIGHT(whole, fn.LENGTH(slot(value))) == slot(value)
                return (fn.LENGTH(slot(value)) == 0) | (fn.SUBSTR(whole, 0 - fn.LENGTH(slot(value))) == slot(value))
        exact = slot(value, str if form is key else form)
        return {"gt": whole > exact, "ge": whole >= exact, "lt": whole < exact, "le": whole <= exact}[operator]

    def _present(self, path: AttributePath) -> Expression:
        if path.steps[0] in RELATED:
            return self._related(path.steps[0], lambda resource: resource.seq.is_null(False))
        return Resource.seq.is_null(False)

    def _elements(self, path: AttributePath, inner: Filter) -> Any:
        """The resources of elements that fulfil a filter, by the rows of one attribute where that tells enough of them."""
        row = AttributeValue.alias()
        terms = list(conjuncts(inner))
        lead = driver(inner) or next((term for term in terms if leads(term, path)), None)
        if lead is None:
            numbers = [self._number(leaf.name) for leaf in path.leaves()]
            return row.select(row.resource_seq).where(
                (row.tenant_id == self._tenant) & self._found_by(row.attribute.in_(numbers)) & self._element(inner, row, path)
            )
        rows = self._rows(row, attribute_of(lead).name).where(self._found_by(self._row_test(lead, row)))
        rest = [self._element(operand, row, path) for operand in terms if operand is not lead]
        return rows.where(joined(op.and_, rest)) if rest else rows

    def _element(self, node: Filter, row: Any, of: AttributePath) -> Expression:
        """A condition on the element of `of` that the row `row` belongs to; one look-up for each attribute with one value."""
        alone = only_attribute(node)
        if alone is not None and not has_several(alone, of):
            if not matches(node, {}):
                return self._same_element(alone, row, of, lambda other: self._row_test(node, other))
            return ~self._same_element(alone, row, of, lambda other: ~self._row_test(node, other))
        match node:
            case And(operands):
                return joined(op.and_, [self._element(all_of(group), row, of) for group in apart(operands, of)])
            case Or(operands):
                return joined(op.or_, [self._element(any_of(group), row, of) for group in apart(operands, of)])
            case Not(operand):
                return ~self._element(operand, row, of)
            case Present(path):
                return self._same_element(path, row, of, None)
            case Comparison(path, operator, value, _):
                found = self._same_element(path, row, of, lambda other: self._value_test(other, path, operator, _as_slot(value)))
                return found | ~self._same_element(path, row, of, None) if operator == "ne" else found
        raise TypeError(node)

    def _same_element(
        self, path: AttributePath, row: Any, of: AttributePath, test: Callable[[Any], Expression] | None
    ) -> Expression:
        other = AttributeValue.alias()
        same = (
            (other.tenant_id == self._tenant)
            & (other.resource_seq == row.resource_seq)
            & self._looked_at(other.attribute == self._number(path.name))
        )
        apart = width(of.leaf)
        if apart == 1:
            same &= other.element == row.element
        elif of.leaf.multi_valued:
            # Of the element's places the index has the first and the last. By a division each row would be looked at for each.
            first = row.element / apart * apart
            same &= (other.element >= first) & (other.element < first + apart)
        return self._exists(other.select(peewee.SQL("1")).where(same & self._looked_at(test(other)) if test else same))

    def _related(self, attribute: Attribute, test: Callable[[Any], Expression]) -> Expression:
        """Resources with a member, or in a group, for which `test` holds."""
        return self._looked_at(Resource.seq.in_(self._related_rows(attribute, test)))

    def _related_rows(self, attribute: Attribute, test: Callable[[Any], Expression]) -> Any:
        """The numbers, as `seq`, of resources with a member, or in a group, for which `test` holds."""
        related = Resource.alias()
        chosen = (related.tenant_id == self._tenant) & test(related)
        if attribute is MEMBERS:
            return self._memberships(related, chosen, Membership.group_seq, Membership.member_seq)
        start = self._memberships(related, chosen, Membership.member_seq, Membership.group_seq)
        nested = Membership.alias()
        if self._postgresql:
            start = start.cte("below", recursive=True, columns=("member_seq",))
            step = nested.select(nested.member_seq).where(nested.tenant_id == self._tenant)
            step = fenced(step.where(nested.group_seq == start.c.member_seq)).alias("nested")
            further = peewee.Select([start], [step.c.member_seq]).join(step, peewee.JOIN.LATERAL, on=peewee.SQL("true"))
        else:
            # If the tenant were a parameter of the join, SQLite would make a Bloom filter of all memberships of the tenant.
            start = start.select(Membership.tenant_id, Membership.member_seq)
            start = start.cte("below", recursive=True, columns=("tenant_id", "member_seq"))
            same = (nested.tenant_id == start.c.tenant_id) & (nested.group_seq == start.c.member_seq)
            further = nested.select(nested.tenant_id, nested.member_seq).join(start, on=same)
        return start.union(further).select_from(peewee.SQL("member_seq AS seq"))

    def _memberships(self, related: Any, chosen: Expression, column: Any, of: Any) -> Any:
        """One column, as `seq`, of the memberships whose other column is of chosen resources."""
        if self._postgresql:
            first = fenced(related.select(related.seq).where(chosen)).alias("related")
            query = Membership.select(column.alias("seq")).where((Membership.tenant_id == self._tenant) & (of == first.c.seq))
            rows = fenced(query).alias("of_related")
            return peewee.Select([first], [rows.c.seq]).join(rows, peewee.JOIN.LATERAL, on=peewee.SQL("true"))
        joined_on = (related.tenant_id == Membership.tenant_id) & (related.seq == of)
        query = Membership.select(column.alias("seq")).join(related, on=joined_on)
        return query.where((Membership.tenant_id == self._tenant) & chosen)

    def related_condition(self, node: Filter, related: Any) -> Expression:
        """A value filter of `members` or `groups` as a condition on the related resource."""
        match node:
            case And(operands):
                return joined(op.and_, [self.related_condition(operand, related) for operand in operands])
            case Or(operands):
                return joined(op.or_, [self.related_condition(operand, related) for operand in operands])
            case Not(operand):
                return ~self.related_condition(operand, related)
            case Present():
                return related.seq.is_null(False)
            case Comparison(path, operator, value, _):
                return self._related_test(path, operator, value, related)
        raise TypeError(node)

    def _related_test(self, path: AttributePath, operator: str, value: Any, related: Any) -> Expression:
        name = path.leaf.name
        if name == "value":
            return self._test(related.id, related.id, operator, value, str, related.id)
        if name == "type" and path.steps[0] is MEMBERS:
            folded = fn.LOWER(related.resource_type)
            return self._test(folded, folded, operator, value, str, folded)
        raise invalid_filter(f"Filter: {path.name} can't be filtered by; {path.steps[0].name}.value can.")


def _refused(path: AttributePath) -> ScimError:
    return invalid_filter(f"Filter: {path.name} can't be filtered by.")


def _as_slot(value: Any) -> Slot:
    assert isinstance(value, Slot)
    return value


def _as_seq(rows: Any) -> Any:
    """A selection of rows by the name that all selections of resources have on PostgreSQL."""
    return rows.select(rows.selected_columns[0].alias("seq"))


def _slot_of(term: Comparison) -> Slot:
    return _as_slot(term.value)
