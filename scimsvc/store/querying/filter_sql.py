"""From the plan of a filter to SQL over the table attribute_value. Each shape's SQL is built once; executions bind its slots."""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import peewee
from peewee import fn

from scimsvc.protocol.etag import own_part
from scimsvc.protocol.filter import And, Comparison, Filter, Not, Or, Present
from scimsvc.schema.core import MEMBERS
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.store.database import Kind
from scimsvc.store.models import AttributeValue, Membership, Resource
from scimsvc.store.querying import filter_plan as plan
from scimsvc.store.querying.index import MAX_KEY_LENGTH, PREFIX_LENGTH, key, number, width
from scimsvc.store.querying.shapes import TENANT, Slot, bind, cut, slot_of

__all__ = [
    "TENANT",
    "Choice",
    "Slot",
    "after",
    "bind",
    "choice",
    "condition",
    "cut",
    "each",
    "fenced",
    "match",
    "member_condition",
    "of_type",
    "slot",
    "without_index",
]

Expression = Any
"""A Peewee expression; the library has no type for it."""


class Choice(NamedTuple):
    """How the resources of a type that fulfil a shape are found: `rows` is a query with their numbers as its column `seq`, in
    order, and perhaps others; None reads every resource of the type. `condition` is what each of them must fulfil besides.
    """

    rows: Any | None
    condition: Expression | None


class _Compared(NamedTuple):
    """A value as SQL has it: `indexed` is compared with the form of a literal that `form` gives, `whole` is not shortened, and
    `prefixed` orders as the whole does.
    """

    indexed: Expression
    whole: Expression
    prefixed: Expression
    form: Callable[[str], str] = str


def condition(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Expression:
    """Return the condition on Resource for a shape; None is every resource of the type. The tenant is in the slot `tenant`.

    Raise ScimError invalidFilter for what has no index.
    """
    own = of_type(resource_type)
    return own if shape is None else own & _Sql(resource_type, kind).condition(plan.plan_condition(shape, resource_type, kind))


def choice(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Choice:
    """Return the most selective way to find what a shape is about. Raise ScimError invalidFilter for what has no index."""
    if shape is None:
        return Choice(None, None)
    sql = _Sql(resource_type, kind)
    planned = plan.plan_choice(shape, resource_type, kind)
    remaining = None if planned.condition is None else sql.condition(planned.condition)
    if not planned.rows:
        return Choice(None, remaining)
    found = _joined(op.add, [fenced(sql.leading(rows)) for rows in planned.rows]).alias("found")
    seq = peewee.SQL("seq")
    return Choice(peewee.Select([found], [seq]).distinct().order_by(seq).offset(_ZERO).alias("chosen"), remaining)


def match(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Expression | None:
    """Return the condition on AttributeValue for the shape by which clients match accounts; None for any other shape."""
    term = plan.plan_match(shape)
    return None if term is None else _Sql(resource_type, kind).row_condition(term)


def member_condition(shape: Filter, resource_type: ResourceType, kind: Kind, member: Any) -> Expression:
    """Return the condition on `member`, an alias of Resource, for the shape of a value filter of `members`.

    Raise ScimError invalidFilter for what isn't stored.
    """
    return _Sql(resource_type, kind).related_test(plan.plan_related(MEMBERS, shape).test, member)


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


def slot(of: Slot, form: Callable[[Any], Any] | None = None) -> Expression:
    """Return a slot as part of a Peewee expression, with another form if one is given."""
    return peewee.Value(Slot(of.key, form or of.form), converter=False)


def _joined(operator: Callable[[Expression, Expression], Expression], terms: list[Expression]) -> Expression:
    """Join terms in pairs, and those in pairs: Peewee nests what it joins, and a database's parser has a small stack."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return operator(_joined(operator, terms[:half]), _joined(operator, terms[half:]))


def after(text: str) -> str:
    """Return the least text that is greater than every indexed text that starts with this one."""
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


def _stored_instant(normalised: str) -> str:
    """Return a normalised instant in the form of the columns `created` and `last_modified`: milliseconds, no zone."""
    seconds, _, fraction = normalised.rstrip("Z").partition(".")
    return f"{seconds}.{fraction[:3]}{fraction[3:].rstrip('0')}"


def _column(expression: Expression, form: Callable[[str], str] = str) -> _Compared:
    return _Compared(expression, expression, expression, form)


_COLUMNS: Mapping[str, _Compared] = {
    "id": _column(Resource.id),
    "meta.resourceType": _column(Resource.resource_type),
    "meta.created": _column(Resource.created, _stored_instant),
    "meta.lastModified": _column(Resource.last_modified, _stored_instant),
    "meta.version": _column(peewee.Value('W/"').concat(Resource.version.cast("TEXT")).concat('"'), own_part),
}


class _Sql:
    """Make the SQL of plans for one resource type."""

    def __init__(self, resource_type: ResourceType, kind: Kind) -> None:
        self._postgresql = kind == "postgresql"
        self._resource_type = resource_type
        self._tenant = slot(TENANT)

    def condition(self, node: plan.Condition) -> Expression:
        """Return a condition on Resource."""
        match node:
            case plan.HasRow(rows, known=True):
                selections = map(self._rows, rows)
                return _joined(op.or_, [self._exists(one.where(one.selected_columns[0] == Resource.seq)) for one in selections])
            case plan.HasRow(rows):
                return Resource.seq.in_(_joined(op.add, list(map(self._rows, rows))))
            case plan.Related(rows):
                return self._known(Resource.seq.in_(self._related_rows(rows)))
            case plan.OnColumn(term):
                return self._test(_COLUMNS[term.path.name], term)
            case plan.OnConstant(text, term):
                return self._test(_column(peewee.Value(text).cast("TEXT")), term)
            case plan.Exists(holds):
                return Resource.seq.is_null(not holds)
        return self._combined(node, self.condition)

    def _combined(self, node: plan.Condition, part: Callable[[plan.Condition], Expression]) -> Expression:
        match node:
            case plan.AllOf(operands):
                return _joined(op.and_, list(map(part, operands)))
            case plan.AnyOf(operands):
                return _joined(op.or_, list(map(part, operands)))
            case plan.NotOf(operand):
                return ~part(operand)
        raise TypeError(node)

    def leading(self, node: plan.Leading) -> Any:
        """Return a selection of numbers of resources as the column `seq`."""
        match node:
            case plan.ById(term):
                resource = Resource.alias()
                chosen = (resource.tenant_id == self._tenant) & (resource.id == slot(slot_of(term), str))
                return resource.select(resource.seq.alias("seq")).where(chosen)
            case plan.RelatedRows():
                return self._related_rows(node)
        rows = self._rows(node)
        return rows.select(rows.selected_columns[0].alias("seq"))

    def _rows(self, node: plan.Rows | plan.AnyRows) -> Any:
        """Return a selection of `resource_seq` of index rows."""
        row = AttributeValue.alias()
        if isinstance(node, plan.AnyRows):
            numbers = [self._number(path) for path in node.attributes]
            own = (row.tenant_id == self._tenant) & self._if(node.known, row.attribute.in_(numbers))
            return row.select(row.resource_seq).where(own & self._element(node.element, row) if node.element else own)
        of_attribute = self._if(node.known, row.attribute == self._number(node.attribute))
        rows = row.select(row.resource_seq).where((row.tenant_id == self._tenant) & of_attribute)
        rows = rows.where(self._if(node.known, self._row_test(node.test, row)))
        if node.ranged and isinstance(node.test, Comparison):
            return self._ranged(rows, row, node.test)
        return rows.where(_joined(op.and_, [self._element(one, row) for one in node.element])) if node.element else rows

    def _ranged(self, rows: Any, row: Any, term: Comparison) -> Any:
        """Add a range of values to a test for which SQLite would not use the index of the attribute's values."""
        match term.operator:
            case "gt" | "ge":
                return rows.where(row.value >= slot(slot_of(term), _prefix))
            case "lt" | "le":
                return rows.where(row.value < slot(slot_of(term), _after_prefix))
            case "co" | "ew" | "ne":
                return rows.where(row.value >= "")
        return rows

    def _exists(self, query: Any) -> Expression:
        return fn.EXISTS(fenced(query) if self._postgresql else query)

    def _known(self, test: Expression) -> Expression:
        """Return a test of a row of a known resource. PostgreSQL might look for all rows that pass it, so it gets no index."""
        return without_index(test) if self._postgresql else test

    def _if(self, known: bool, test: Expression) -> Expression:
        return without_index(test) if known else test

    def _number(self, path: AttributePath) -> int:
        return number(self._resource_type.name, path.name)

    def row_condition(self, term: Comparison) -> Expression:
        """Return the condition on a row of AttributeValue that a term with an index has."""
        own = (AttributeValue.tenant_id == self._tenant) & (AttributeValue.attribute == self._number(term.path))
        return own & self._row_test(term, AttributeValue)

    def _row_test(self, node: Filter, row: Any) -> Expression:
        """Return a condition on a row, of the attribute that all of the filter is about."""
        match node:
            case And(operands):
                return _joined(op.and_, [self._row_test(operand, row) for operand in operands])
            case Or(operands):
                return _joined(op.or_, [self._row_test(operand, row) for operand in operands])
            case Not(operand):
                return ~self._row_test(operand, row)
            case Present():
                return row.resource_seq.is_null(False)
            case Comparison(path) if path.leaf.type in ("string", "reference", "binary"):
                return self._test(_Compared(row.value, fn.COALESCE(row.overflow, row.value), row.value, key), node)
            case Comparison():
                return self._test(_column(row.value), node)
        raise TypeError(node)

    def _test(self, compared: _Compared, term: Comparison) -> Expression:
        value, (indexed, whole, prefixed, form) = slot_of(term), compared
        match term.operator:
            case "eq":
                return indexed == slot(value, form)
            case "ne":
                return indexed != slot(value, form)
            case "co":
                position = fn.STRPOS if self._postgresql else fn.INSTR
                return position(whole, slot(value)) > 0
            case "sw":
                start = (prefixed >= slot(value, _prefix)) & (prefixed < slot(value, _after_prefix))
                return start & (fn.SUBSTR(whole, 1, fn.LENGTH(slot(value))) == slot(value))
            case "ew":
                if self._postgresql:
                    return fn.RIGHT(whole, fn.LENGTH(slot(value))) == slot(value)
                return (fn.LENGTH(slot(value)) == 0) | (fn.SUBSTR(whole, 0 - fn.LENGTH(slot(value))) == slot(value))
        exact = slot(value, str if form is key else form)
        return {"gt": op.gt, "ge": op.ge, "lt": op.lt, "le": op.le}[term.operator](whole, exact)

    def _element(self, node: plan.Condition, row: Any) -> Expression:
        """Return a condition on the element that a row belongs to."""
        if not isinstance(node, plan.SameElement):
            return self._combined(node, lambda part: self._element(part, row))
        other = AttributeValue.alias()
        same = (
            (other.tenant_id == self._tenant)
            & (other.resource_seq == row.resource_seq)
            & self._known(other.attribute == self._number(node.attribute))
        )
        apart = width(node.of.leaf)
        if apart == 1:
            same &= other.element == row.element
        elif node.of.leaf.multi_valued:
            # Of the element's places the index has the first and the last. By a division each row would be looked at for each.
            first = row.element / apart * apart
            same &= (other.element >= first) & (other.element < first + apart)
        if node.test is not None:
            same &= self._known(self._row_test(node.test, other))
        return self._exists(other.select(peewee.SQL("1")).where(same))

    def _related_rows(self, node: plan.RelatedRows) -> Any:
        """Return the numbers, as `seq`, of resources with a member, or in a group, that fulfils a filter."""
        related = Resource.alias()
        chosen = (related.tenant_id == self._tenant) & self.related_test(node.test, related)
        if node.attribute is MEMBERS:
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
        """Return one column, as `seq`, of the memberships whose other column is of chosen resources."""
        if self._postgresql:
            first = fenced(related.select(related.seq).where(chosen)).alias("related")
            query = Membership.select(column.alias("seq")).where((Membership.tenant_id == self._tenant) & (of == first.c.seq))
            rows = fenced(query).alias("of_related")
            return peewee.Select([first], [rows.c.seq]).join(rows, peewee.JOIN.LATERAL, on=peewee.SQL("true"))
        joined_on = (related.tenant_id == Membership.tenant_id) & (related.seq == of)
        query = Membership.select(column.alias("seq")).join(related, on=joined_on)
        return query.where((Membership.tenant_id == self._tenant) & chosen)

    def related_test(self, node: Filter, related: Any) -> Expression:
        """Return a value filter of `members` or `groups` as a condition on the related resource."""

        def each_of(operands: Iterable[Filter]) -> list[Expression]:
            return [self.related_test(operand, related) for operand in operands]

        match node:
            case And(operands):
                return _joined(op.and_, each_of(operands))
            case Or(operands):
                return _joined(op.or_, each_of(operands))
            case Not(operand):
                return ~self.related_test(operand, related)
            case Present():
                return related.seq.is_null(False)
            case Comparison(path):
                return self._test(_column(related.id if path.leaf.name == "value" else fn.LOWER(related.resource_type)), node)
        raise TypeError(node)
