"""Queries in an order of their own, from a cursor on, or over several resource types (RFC 7644 §3.4.2, RFC 9865).

Resources that have a value come by an index in the order of their values, those without come after them, or before
them where the order descends; within one value the order is that of creation. So every order is total and stable.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import peewee
from peewee import fn

from scimsvc.protocol.filter import Filter
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.store import filters
from scimsvc.store.database import Database
from scimsvc.store.filters import Slot, joined, slot
from scimsvc.store.index import number
from scimsvc.store.models import AttributeValue, Membership, Resource
from scimsvc.store.resources import Stored

_COLUMNS = {"id": Resource.id, "meta.lastModified": Resource.last_modified}
"""What every resource has, each with an index. The order of `meta.created` is that of creation, which needs no sorting."""


MAX_MERGED_OFFSET = 1000
"""How far into a result of several resource types a page begins for which each is read in its own order."""


class Target(NamedTuple):
    """What is looked for in one resource type; `sort` is None where the type lacks what is sorted by, or nothing is."""

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
    """What the SQL of one part of a page depends on, besides values: those that have a value, or those that have none."""

    targets: tuple[Target, ...]
    is_sorted: bool
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
        is_sorted: bool,
        descending: bool,
        limit: int,
        offset: int = 0,
        behind: Place | None = None,
    ) -> list[Hit]:
        """Resources of all targets in one order, from `offset` on, or from behind a place."""
        if len(targets) > 1 and offset <= MAX_MERGED_OFFSET:
            # Each type by its own index, which no one statement over several does; what comes first of them all is among these.
            found = [hit for one in targets for hit in self._page([one], is_sorted, descending, offset + limit, 0, behind)]
            found.sort(key=lambda hit: (hit.place.value, hit.place.seq), reverse=descending)
            found.sort(key=lambda hit: _order(is_sorted, descending).index(hit.place.has_value))
            return found[offset : offset + limit]
        return self._page(targets, is_sorted, descending, limit, offset, behind)

    def _page(
        self, targets: Sequence[Target], is_sorted: bool, descending: bool, limit: int, offset: int, behind: Place | None
    ) -> list[Hit]:
        shapes, values = _cut(targets)
        order = _order(is_sorted, descending)
        if behind is not None:
            order = order[order.index(behind.has_value) :] if behind.has_value in order else []
        hits: list[Hit] = []
        for has_value in [one for one in order if not is_sorted or one in _parts(targets)]:
            continued = behind is not None and has_value == behind.has_value
            part = _Part(shapes, is_sorted, has_value, descending, continued)
            more = values | {"limit": limit - len(hits), "offset": offset}
            if continued and behind is not None:
                more |= {"value": behind.value, "seq": behind.seq}
            found = [self._hit(has_value, *row) for row in self._execute(_select_page, part, more)]
            hits += found
            if len(hits) == limit:
                break
            if offset:
                offset = 0 if found else max(0, offset - self._number(_select_part_count, part, values))
        return hits

    def count(self, targets: Sequence[Target]) -> int:
        """How many resources there are."""
        shapes, values = _cut(targets)
        return self._number(_select_count, _Part(shapes, False, False, False, False), values)

    def _number(self, select: Any, part: _Part, values: dict[int | str, Any]) -> int:
        (found,) = self._execute(select, part, values).fetchone()
        return int(found)

    def _execute(self, select: Any, part: _Part, values: dict[int | str, Any]) -> Any:
        sql, parameters = _compiled(select, part, self._database)
        return self._database.execute(sql, filters.bind(parameters, values | {"tenant": self._tenant}))

    def _hit(self, has_value: bool, resource_type: str, value: str | None, *stored: Any) -> Hit:
        found = Stored(*stored)
        return Hit(found, resource_type, Place(has_value, value or "", found.seq))


def _order(is_sorted: bool, descending: bool) -> list[bool]:
    """Whether resources with a value come, in the order of the parts of a result. Without an order there is only the one of
    creation, in which everything is without a value.
    """
    return ([False, True] if descending else [True, False]) if is_sorted else [False]


def _parts(targets: Sequence[Target]) -> set[bool]:
    """Which parts of a sorted result there can be: nobody is without an id or a login, and need not be looked for there."""
    paths = [target.sort for target in targets]
    if not any(paths):
        return {False}
    if all(path and (path.name in _COLUMNS or _is_login(path)) for path in paths):
        return {True}
    return {True, False}


def _is_login(path: AttributePath) -> bool:
    return path.leaf.uniqueness != "none" and all(step.required for step in path.steps)


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
    return Resource.select(fn.COUNT(Resource.seq)).where(_any([_found(target, database) for target in part.targets]))


def _select_part_count(part: _Part, database: Database) -> Any:
    query, _ = _part(part, database, fn.COUNT(Resource.seq))
    return query


def _select_page(part: _Part, database: Database) -> Any:
    member = Membership.select(peewee.SQL("1")).where(
        (Membership.tenant_id == Resource.tenant_id) & (Membership.member_seq == Resource.seq)
    )
    own = (Resource.seq, Resource.id, Resource.document, Resource.version, Resource.created, Resource.last_modified)
    _, value = _part(part, database, Resource.seq)
    shown = peewee.Value("") if value is None else value
    query, value = _part(part, database, Resource.resource_type, shown, *own, fn.EXISTS(member))
    keys = [Resource.seq] if value is None else [value, _seq_beside(value)]
    if part.continued:
        behind = [slot(Slot("seq"))] if value is None else [slot(Slot("value")), slot(Slot("seq"))]
        compare = operator.lt if part.descending else operator.gt
        query = query.where(compare(peewee.Tuple(*keys), peewee.Tuple(*behind)))
    query = query.order_by(*[key.desc() if part.descending else key.asc() for key in keys])
    return query.limit(slot(Slot("limit"))).offset(slot(Slot("offset")))


def _part(part: _Part, database: Database, *columns: Any) -> tuple[Any, Any]:
    """The query of one part, and the expression whose values it is ordered by; None where that is creation alone."""
    column = next((_COLUMNS[target.sort.name] for target in part.targets if target.sort and target.sort.name in _COLUMNS), None)
    found = [_found(target, database) for target in part.targets]
    if not part.is_sorted:
        return Resource.select(*columns).where(_any(found)), None
    if column is not None:
        return Resource.select(*columns).where(_any(found)), column
    if not part.has_value:
        without = [own & ~_has_value(target) for own, target in zip(found, part.targets, strict=True)]
        return Resource.select(*columns).where(_any(without)), None
    row = AttributeValue
    joining = (row.tenant_id == Resource.tenant_id) & (row.resource_seq == Resource.seq)
    chosen = [own & _chosen(target, row) for own, target in zip(found, part.targets, strict=True) if target.sort]
    tenant = row.tenant_id == slot(filters.TENANT)
    return Resource.select(*columns).join(row, on=joining).where(tenant & _any(chosen)), row.value


def _seq_beside(value: Any) -> Any:
    """The column that breaks ties, of the table that the value is of, so that one index has both."""
    return AttributeValue.resource_seq if value is AttributeValue.value else Resource.seq


def _found(target: Target, database: Database) -> Any:
    return filters.condition(target.filter, target.resource_type, database.kind)


def _any(conditions: list[Any]) -> Any:
    return joined(operator.or_, conditions)


def _number_of(target: Target) -> int:
    assert target.sort
    return number(target.resource_type.name, target.sort.name)


def _has_value(target: Target) -> Any:
    if target.sort is None:
        return Resource.seq.is_null()
    row = AttributeValue.alias()
    own = (row.tenant_id == slot(filters.TENANT)) & (row.resource_seq == Resource.seq) & (row.attribute == _number_of(target))
    return fn.EXISTS(row.select(peewee.SQL("1")).where(own))


def _chosen(target: Target, row: Any) -> Any:
    """The row by which a resource is ordered: of several values the primary one, or else the first (§3.4.2.3)."""
    assert target.sort
    of_attribute = row.attribute == _number_of(target)
    several = next((place for place, step in enumerate(target.sort.steps) if step.multi_valued), None)
    if several is None:
        return of_attribute
    first = row.alias()
    same = (first.tenant_id == row.tenant_id) & (first.resource_seq == row.resource_seq) & (first.attribute == row.attribute)
    element = first.select(fn.MIN(first.element)).where(same)
    primary = target.sort.steps[several].sub_attribute("primary")
    if primary is not None:
        path = AttributePath((*target.sort.steps[: several + 1], primary))
        value, mark = row.alias(), row.alias()
        is_marked = (
            (mark.tenant_id == value.tenant_id)
            & (mark.resource_seq == value.resource_seq)
            & (mark.element == value.element)
            & (mark.attribute == number(target.resource_type.name, path.name))
            & (mark.value == "true")
        )
        same = (value.tenant_id == row.tenant_id) & (value.resource_seq == row.resource_seq) & (value.attribute == row.attribute)
        marked = value.select(fn.MIN(value.element)).join(mark, on=is_marked).where(same)
        element = fn.COALESCE(marked, element)
    return of_attribute & (row.element == element)
