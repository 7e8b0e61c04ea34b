"""Queries in an order of their own, from a cursor on, or over several resource types (RFC 7644 §3.4.2, RFC 9865).

Resources that have a value come by an index in the order of their values, those without come after them, or before
them where the order descends; within one value the order is that of creation. So every order is total and stable.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import peewee
from peewee import fn

from scimsvc.protocol.filter import Filter
from scimsvc.schema.core import GROUP, USER
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.store.database import Database, Kind
from scimsvc.store.models import AttributeValue, Membership, Resource
from scimsvc.store.querying import filter_sql as filters
from scimsvc.store.querying.filter_sql import Slot, slot
from scimsvc.store.querying.index import number
from scimsvc.store.resources import Stored

_COLUMNS = {"id": Resource.id, "meta.lastModified": Resource.last_modified}
"""What every resource has, each with an index. The order of `meta.created` is that of creation, which needs no sorting."""

_STANDARD = frozenset((*USER.attributes, *GROUP.attributes))


class Target(NamedTuple):
    """What is looked for in one resource type; `sort` is None for the order of creation and where the type lacks it."""

    resource_type: ResourceType
    filter: Filter | None
    sort: AttributePath | None


class Place(NamedTuple):
    """Behind which resource a page begins: whether it has a value of what is sorted by, which, and its `seq`."""

    has_value: bool
    value: str
    seq: int


class Hit(NamedTuple):
    """A resource that was found, of which type it is, and its place in the order."""

    stored: Stored
    resource_type: str
    place: Place


class _Part(NamedTuple):
    """What the SQL of a part of a result depends on, besides values: resources with a value of what is sorted by, or without."""

    targets: tuple[Target, ...]
    has_value: bool
    descending: bool
    continued: bool


class SearchStore:
    """Searches in one tenant's resources. Each method is a fixed number of statements and belongs inside `Database.reading`."""

    def __init__(self, database: Database, tenant_id: int) -> None:
        self._database = database
        self._tenant = tenant_id

    def page(
        self,
        targets: Sequence[Target],
        descending: bool,
        limit: int,
        offset: int = 0,
        behind: Place | None = None,
    ) -> list[Hit]:
        """Resources of all targets in one order, from `offset` on, or from behind a place."""
        shapes, values = _cut(targets)
        parts = sorted(_parts(targets), reverse=not descending)
        if behind is not None:
            parts = parts[parts.index(behind.has_value) :] if behind.has_value in parts else []
        hits: list[Hit] = []
        for has_value in parts:
            continued = behind is not None and has_value == behind.has_value
            part = _Part(shapes, has_value, descending, continued)
            more = values | {"limit": limit - len(hits), "offset": offset, "reach": offset + limit - len(hits)}
            if continued and behind is not None:
                more |= {"value": behind.value, "seq": behind.seq}
            found = [self._hit(has_value, *row) for row in self._execute(_select_page, part, more)]
            hits += found
            if len(hits) == limit:
                break
            if offset:
                offset = 0 if found else max(0, offset - self._number(_select_count, part, values))
        return hits

    def count(self, targets: Sequence[Target]) -> int:
        """How many resources there are."""
        shapes, values = _cut([target._replace(sort=None) for target in targets])
        return self._number(_select_count, _Part(shapes, has_value=False, descending=False, continued=False), values)

    def _number(self, select: Any, part: _Part, values: dict[int | str, Any]) -> int:
        (found,) = self._execute(select, part, values).fetchone()
        return int(found)

    def _execute(self, select: Any, part: _Part, values: dict[int | str, Any]) -> Any:
        sql, parameters = _compiled(select, part, self._database)
        return self._database.execute(sql, filters.bind(parameters, values | {"tenant": self._tenant}))

    def _hit(self, has_value: bool, resource_type: str, value: str | None, *stored: Any) -> Hit:
        found = Stored(*stored)
        return Hit(found, resource_type, Place(has_value, value or "", found.seq))


def _parts(targets: Sequence[Target]) -> set[bool]:
    """Which parts there can be: resources with a value and without, but in the order of creation none is with a value, and none
    is ever without what the standard requires. What a profile requires, resources may have been stored without.
    """
    paths = [target.sort for target in targets]
    if not any(paths):
        return {False}
    everyone = all(path and (path.name in _COLUMNS or (path.leaf in _STANDARD and path.leaf.required)) for path in paths)
    return {True} if everyone else {True, False}


def _cut(targets: Sequence[Target]) -> tuple[tuple[Target, ...], dict[int | str, Any]]:
    """The targets with slots in their filters, and the values."""
    shapes, values = [], {}
    for place, target in enumerate(targets):
        shape, own = filters.cut(target.filter, f"{place}:") if target.filter else (None, {})
        shapes.append(target._replace(filter=shape))
        values.update(own)
    return tuple(shapes), values


@lru_cache(maxsize=512)
def _compiled(select: Any, part: _Part, database: Database) -> tuple[str, list[Any]]:
    sql, parameters = database.peewee.get_sql_context().sql(select(part, database)).query()
    return sql, list(parameters)


def _select_count(part: _Part, database: Database) -> Any:
    keys = _together([_keys(branch) for branch in _branches(part, database)]).alias("counted")
    return peewee.Select([keys], [fn.COUNT(peewee.SQL("*"))])


def _select_page(part: _Part, database: Database) -> Any:
    """A page of keys, which indexes have in its order, and the resources of these alone, however far in the page begins."""
    names = ("value", "seq") if part.has_value else ("seq",)
    keys = _together([_reached(branch, part, database) for branch in _branches(part, database)])
    page = _ordered(keys, [peewee.SQL(name) for name in names], part)
    page = page.limit(slot(Slot("limit"))).offset(slot(Slot("offset"))).alias("page")
    own = (Resource.seq, Resource.id, Resource.document, Resource.version, Resource.created, Resource.last_modified)
    member = Membership.select(peewee.SQL("1")).where(
        (Membership.tenant_id == Resource.tenant_id) & (Membership.member_seq == Resource.seq)
    )
    if database.kind == "postgresql":
        columns = (Resource.resource_type, *own, fn.EXISTS(filters.fenced(member)).alias("in_groups"))
        found = Resource.select(*columns).where((Resource.tenant_id == slot(filters.TENANT)) & (Resource.seq == page.c.seq))
        chosen = ("found.resource_type", "page.value", *(f"found.{one.column_name}" for one in own), "found.in_groups")
        query = filters.each(peewee.Select([page], [peewee.SQL(name) for name in chosen]), found, "found")
        return _ordered(query, [getattr(page.c, name) for name in names], part)
    query = Resource.select(Resource.resource_type, page.c.value, *own, fn.EXISTS(member))
    query = query.join(page, on=(Resource.tenant_id == slot(filters.TENANT)) & (Resource.seq == page.c.seq))
    return _ordered(query, [getattr(page.c, name) for name in names], part)


class _Branch(NamedTuple):
    """Resources of one part of a result that one index has in its order, and that order: of a value and `seq`, or `seq` alone."""

    query: Any
    order: Sequence[Any]


def _branches(part: _Part, database: Database) -> list[_Branch]:
    """One for each resource type that has what the result is sorted by, or, where that is the part, may lack it."""
    return [_branch(target, part.has_value, database) for target in part.targets if target.sort or not part.has_value]


def _branch(target: Target, has_value: bool, database: Database) -> _Branch:
    if database.kind == "postgresql":
        return _branch_row_by_row(target, has_value)
    query = Resource.select().where(_found(target, database))
    if not has_value:
        return _Branch(query.where(~_has_value(target, "sqlite")) if target.sort else query, (Resource.seq,))
    assert target.sort
    if target.sort.name in _COLUMNS:
        return _Branch(query, (_COLUMNS[target.sort.name], Resource.seq))
    row = AttributeValue
    query = query.join(row, on=(row.tenant_id == Resource.tenant_id) & (row.resource_seq == Resource.seq))
    query = query.where((row.tenant_id == slot(filters.TENANT)) & _chosen(target, row, "sqlite"))
    # The tie-break is of the table that the value is of, so that one index has both.
    return _Branch(query, (row.value, row.resource_seq))


def _branch_row_by_row(target: Target, has_value: bool) -> _Branch:
    """The same for PostgreSQL: the rows that lead a filter, or those of what is sorted by, and what belongs to each of them."""
    rows, condition = filters.choice(target.filter, target.resource_type, "postgresql")
    column = _COLUMNS.get(target.sort.name) if target.sort and has_value else None
    by_row = target.sort is not None and has_value and column is None
    own = filters.of_type(target.resource_type, looked_up=rows is not None or by_row)
    found = Resource.select(Resource.id, Resource.last_modified).where(own & condition if condition is not None else own)
    if target.sort and not has_value:
        found = found.where(~_has_value(target, "postgresql"))
    if rows is not None:
        query = filters.each(peewee.Select([rows], []), found.where(Resource.seq == rows.c.seq), "resource")
        resource_seq: Any = rows.c.seq
    elif not by_row:
        return _Branch(found, (Resource.seq,) if column is None else (column, Resource.seq))
    if not target.sort or not has_value:
        return _Branch(query, (resource_seq,))
    if column is not None:
        return _Branch(query, (peewee.SQL(f"resource.{column.column_name}"), resource_seq))
    row = AttributeValue.alias()
    sorted_by = (row.tenant_id == slot(filters.TENANT)) & _chosen(target, row, "postgresql", looked_up=rows is not None)
    if rows is None:
        query = row.select().where(sorted_by)
        query = filters.each(query, found.where(Resource.seq == row.resource_seq), "resource")
        return _Branch(query, (row.value, row.resource_seq))
    query = filters.each(query, row.select(row.value).where(sorted_by & (row.resource_seq == resource_seq)), "sorted")
    return _Branch(query, (peewee.SQL("sorted.value"), resource_seq))


def _keys(branch: _Branch) -> Any:
    """The query of a branch, with the columns `value` and `seq`."""
    *value, seq = branch.order
    return branch.query.select((value[0] if value else peewee.Value("").cast("TEXT")).alias("value"), seq.alias("seq"))


def _reached(branch: _Branch, part: _Part, database: Database) -> Any:
    """What of a branch a page can have. SQLite takes branches in the order of what they are merged to, PostgreSQL as they are."""
    query = _keys(branch)
    if part.continued:
        behind = [slot(Slot("value")), slot(Slot("seq"))][-len(branch.order) :]
        compare = operator.lt if part.descending else operator.gt
        query = query.where(compare(peewee.Tuple(*branch.order), peewee.Tuple(*behind)))
    return query if database.kind == "sqlite" else _ordered(query, branch.order, part).limit(slot(Slot("reach")))


def _together(queries: list[Any]) -> Any:
    return reduce(operator.add, queries)


def _ordered(query: Any, keys: Sequence[Any], part: _Part) -> Any:
    return query.order_by(*[key.desc() if part.descending else key.asc() for key in keys])


def _found(target: Target, database: Database) -> Any:
    return filters.condition(target.filter, target.resource_type, database.kind)


def _number_of(target: Target) -> int:
    assert target.sort
    return number(target.resource_type.name, target.sort.name)


def _has_value(target: Target, kind: Kind) -> Any:
    row = AttributeValue.alias()
    of_attribute = _looked_at(row.attribute == _number_of(target), kind)
    own = (row.tenant_id == slot(filters.TENANT)) & (row.resource_seq == Resource.seq) & of_attribute
    rows = row.select(peewee.SQL("1")).where(own)
    return fn.EXISTS(rows if kind == "sqlite" else filters.fenced(rows))


def _looked_at(test: Any, kind: Kind) -> Any:
    """A test of a row of a resource that is known: on PostgreSQL it has no index (see `filters.without_index`)."""
    return test if kind == "sqlite" else filters.without_index(test)


def _chosen(target: Target, row: Any, kind: Kind, looked_up: bool = False) -> Any:
    """Return the condition on the row by which a resource is ordered: of several values the primary one, or else the first
    (§3.4.2.3). `looked_up` if it is the row of a resource that is known.
    """
    assert target.sort
    of_attribute = row.attribute == _number_of(target)
    if looked_up:
        of_attribute = _looked_at(of_attribute, kind)
    several = next((place for place, step in enumerate(target.sort.steps) if step.multi_valued), None)
    if several is None:
        return of_attribute
    first = AttributeValue.alias()
    is_earlier = _same_attribute(first, row, kind) & (first.element < row.element)
    is_first = ~fn.EXISTS(first.select(peewee.SQL("1")).where(is_earlier))
    primary = target.sort.steps[several].sub_attribute("primary")
    if primary is None:
        return of_attribute & is_first
    path = AttributePath((*target.sort.steps[: several + 1], primary))
    of_mark = number(target.resource_type.name, path.name)
    value = AttributeValue.alias()
    marked = value.select(fn.MIN(value.element)).where(_same_attribute(value, row, kind) & _is_marked(value, of_mark, kind))
    # The other rows don't look for the primary one: with as many values as there is room for, that would be their number squared.
    may_be = is_first | _is_marked(row, of_mark, kind)
    return of_attribute & peewee.Case(None, [(may_be, row.element == fn.COALESCE(marked, row.element))])


def _same_attribute(other: Any, row: Any, kind: Kind) -> Any:
    same = (other.tenant_id == row.tenant_id) & (other.resource_seq == row.resource_seq)
    return same & _looked_at(other.attribute == row.attribute, kind)


def _is_marked(row: Any, of_mark: int, kind: Kind) -> Any:
    """Return the condition that the element of a row is the primary one."""
    mark = AttributeValue.alias()
    own = (mark.tenant_id == row.tenant_id) & (mark.resource_seq == row.resource_seq)
    own &= _looked_at(mark.attribute == of_mark, kind) & (mark.element == row.element)
    # By its place, of which there is one: every tenant has many marks with the value true.
    return fn.EXISTS(mark.select(peewee.SQL("1")).where(own & (mark.value.concat("") == "true")))
