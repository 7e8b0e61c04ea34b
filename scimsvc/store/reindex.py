"""Bring the index of a whole database to the form that `scimsvc.schema.types.normaliser` gives values now.

The work goes through all resources by their keys, a batch at a time. A batch is one transaction, which also stores how far the
work has come. So an interrupted re-index goes on where it was, and two at once take turns. A document of ASCII alone has the
same form as before and is not even read.

Two unique values may become equal. Then the resource that was created first keeps the unique value. The other one stays, is
found by its value as before, and is listed as a conflict until one of the two changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from scimsvc.store.database import Database
from scimsvc.store.membership import MembershipStore, name_form
from scimsvc.store.querying.index import Indexer, Key, Row
from scimsvc.store.resources import ResourceStore
from scimsvc.store.statement import Statement

NAME = "normal form"
"""The re-index that this version needs, in the table `reindex`. A migration that changes the form again brings another name."""
_BATCH = 1000
_BATCH_CHARACTERS = 4 * 1024 * 1024
"""Characters of documents that are in memory at once, or one document that has more."""


class Progress(NamedTuple):
    """How far the re-index has come: resources that are done, of so many."""

    done: int
    total: int


class Conflict(NamedTuple):
    """A value that is no longer unique. `kept_by` is the id of the resource that has it alone, or None since that has changed."""

    tenant: str
    resource_type: str
    id: str
    attribute: int
    kept_by: str | None


class Indexing(NamedTuple):
    """How a tenant's resources of one type are indexed and stored; `awaits` is whether groups wait for members by externalId."""

    indexer: Indexer
    store: ResourceStore
    awaits: bool


IndexingOf = Callable[[int, str], Indexing | None]
"""Tells how a tenant's resources of a type are indexed; None if its profile no longer has the type."""


class _Resource(NamedTuple):
    """A resource that has more than ASCII; `characters` is the length of its document."""

    tenant: int
    seq: int
    id: str
    resource_type: str
    characters: int
    deleted: int = 0


_IS_ASCII = {
    "sqlite": "LENGTH(CAST({0} AS BLOB)) = LENGTH({0})",
    "postgresql": "OCTET_LENGTH(CONVERT_TO({0}, 'UTF8')) = LENGTH({0})",
}
_STATE = Statement("SELECT done, finished FROM reindex WHERE name = :name")
_TOTAL = Statement("SELECT COUNT(*) FROM resource")
_LOCK_STATE = Statement("SELECT tenant_id, resource_seq, finished FROM reindex WHERE name = :name {for_update}")
_ADVANCE = Statement(
    """UPDATE reindex SET tenant_id = :tenant, resource_seq = :seq, done = done + :more, finished = :finished
    WHERE name = :name"""
)
_NEXT_TENANT = Statement("SELECT MIN(id) FROM tenant WHERE id > :tenant")
_NEXT = {
    kind: Statement(
        f"""SELECT seq, id, resource_type, LENGTH(document), deleted, {is_ascii.format("document")} FROM resource
        WHERE tenant_id = :tenant AND seq > :seq ORDER BY seq LIMIT :most"""
    )
    for kind, is_ascii in _IS_ASCII.items()
}
_OF_THESE = "tenant_id = :tenant AND {seq} IN (SELECT CAST(one.id AS BIGINT) FROM ({each:seqs}) AS one)"
_EACH_OF_THESE = """SELECT found.* FROM ({each:seqs}) AS one CROSS JOIN LATERAL
    (SELECT {columns} FROM {table} WHERE tenant_id = :tenant AND {seq} = CAST(one.id AS BIGINT) {apart}) AS found"""
"""PostgreSQL's. Without statistics it would rather read all rows of the tenant than look up some hundred."""


def _select_of_these(columns: str, table: str, seq: str) -> Statement:
    names = {"{columns}": columns, "{table}": table, "{seq}": seq}
    postgresql = _EACH_OF_THESE
    for name, text in names.items():
        postgresql = postgresql.replace(name, text)
    return Statement(f"SELECT {columns} FROM {table} WHERE {_OF_THESE.replace('{seq}', seq)}", postgresql)


_DOCUMENTS = _select_of_these("seq, document", "resource", "seq")
_VALUES = _select_of_these("resource_seq, attribute, element, value, overflow", "attribute_value", "resource_seq")
_CLAIM = "WITH claim (attribute, value) AS (SELECT {rows:rows attribute INTEGER, value TEXT})"
_CLAIMS_OF_OTHERS = Statement(
    f"""{_CLAIM} SELECT other.resource_seq, other.attribute, other.element, other.value FROM claim
    JOIN attribute_value AS other ON other.tenant_id = :tenant AND other.attribute = claim.attribute
        AND other.value = claim.value AND other.is_unique = 1
    WHERE other.resource_seq <> :seq""",
    f"""{_CLAIM} SELECT other.* FROM claim CROSS JOIN LATERAL
    (SELECT resource_seq, attribute, element, value FROM attribute_value WHERE tenant_id = :tenant
        AND attribute = claim.attribute AND value = claim.value AND is_unique = 1 AND resource_seq <> :seq {{apart}}) AS other""",
)
_SET_UNIQUE = Statement(
    """UPDATE attribute_value SET is_unique = :is_unique WHERE tenant_id = :tenant AND resource_seq = :seq
    AND (attribute = :attribute AND element = :element) IS TRUE"""
)
"""IS TRUE keeps PostgreSQL from looking through all values of the attribute."""
_NOTE_CONFLICT = Statement(
    """INSERT INTO index_conflict (tenant_id, resource_id, attribute, element, value)
    SELECT :tenant, id, :attribute, :element, :value FROM resource WHERE tenant_id = :tenant AND seq = :seq
    ON CONFLICT (tenant_id, resource_id, attribute, element) DO UPDATE SET value = excluded.value"""
)
_AWAITED = {
    kind: Statement(
        f"""SELECT DISTINCT tenant_id, member FROM pending_membership
        WHERE (tenant_id, member) > (:tenant, :member) AND NOT {is_ascii.format("member")}
        ORDER BY tenant_id, member LIMIT :most"""
    )
    for kind, is_ascii in _IS_ASCII.items()
}
_AWAIT_BY = Statement(
    """INSERT INTO pending_membership (tenant_id, group_seq, member)
    SELECT tenant_id, group_seq, :form FROM pending_membership WHERE tenant_id = :tenant AND member = :member
    ON CONFLICT DO NOTHING"""
)
_AWAIT_NO_MORE = Statement("DELETE FROM pending_membership WHERE tenant_id = :tenant AND member = :member")
_IN_CONFLICT = """(SELECT is_unique FROM attribute_value AS own WHERE own.tenant_id = conflict.tenant_id
    AND own.resource_seq = (SELECT seq FROM resource WHERE tenant_id = conflict.tenant_id AND id = conflict.resource_id)
    AND own.attribute = conflict.attribute AND own.element = conflict.element AND own.value = conflict.value)"""
"""0 as long as the resource has the value there, and not as its own. Subqueries are looked up row by row, with any statistics."""
_CONFLICTS = f"""FROM (SELECT conflict.tenant_id, conflict.attribute, conflict.element, conflict.value,
        (SELECT seq FROM resource WHERE tenant_id = conflict.tenant_id AND id = conflict.resource_id) AS seq,
        (SELECT resource_type FROM resource WHERE tenant_id = conflict.tenant_id AND id = conflict.resource_id) AS resource_type,
        (SELECT deleted FROM resource WHERE tenant_id = conflict.tenant_id AND id = conflict.resource_id) AS deleted,
        conflict.resource_id AS id, (SELECT resource_seq FROM attribute_value AS other WHERE other.tenant_id = conflict.tenant_id
            AND other.attribute = conflict.attribute AND other.value = conflict.value AND other.is_unique = 1) AS kept_by
        FROM index_conflict AS conflict WHERE {_IN_CONFLICT} = 0 AND (conflict.tenant_id, conflict.resource_id,
            conflict.attribute, conflict.element) > (:tenant, :id, :attribute, :element)) AS found
    WHERE deleted = 0 ORDER BY found.tenant_id, found.id, found.attribute, found.element LIMIT :most"""
_LIST_CONFLICTS = Statement(
    """SELECT tenant_id, id, attribute, element, (SELECT name FROM tenant WHERE tenant.id = found.tenant_id), resource_type,
    (SELECT holder.id FROM resource AS holder WHERE holder.tenant_id = found.tenant_id AND holder.seq = found.kept_by) """
    + _CONFLICTS
)
_UNCLAIMED = Statement(f"SELECT tenant_id, id, attribute, element, seq, value, kept_by {_CONFLICTS}")
_OVER = Statement(f"DELETE FROM index_conflict AS conflict WHERE COALESCE({_IN_CONFLICT}, 1) <> 0")


def unfinished(database: Database) -> Progress | None:
    """Return how far the re-index has come, or None if the index is as this version needs it. The tables must be migrated."""
    done, finished = _STATE(database, name=NAME).fetchone()
    return None if finished else Progress(done, _TOTAL(database).fetchone()[0])


def advance(database: Database, indexing_of: IndexingOf) -> int | None:
    """Index the next batch of resources anew, inside of `Database.transaction`. Return how many, or None if all are done.

    A resource of a type that its profile no longer has is left as it is.
    """
    tenant, seq, finished = _LOCK_STATE(database, name=NAME).fetchone()
    if finished:
        return None
    if not tenant:
        _rename_awaited(database)
    rows: list[Any] = []
    while not rows and tenant is not None:
        rows = _NEXT[database.kind](database, tenant=tenant, seq=seq, most=_BATCH).fetchall()
        if not rows:
            (tenant,), seq = _NEXT_TENANT(database, tenant=tenant).fetchone(), 0
    for part in _parts([_Resource(tenant, *row[:5]) for row in rows if not row[5]]):
        _index_part(database, part, indexing_of)
    seq = rows[-1][0] if rows else 0
    _ADVANCE(database, name=NAME, tenant=tenant or 0, seq=seq, more=len(rows), finished=int(not rows))
    return len(rows) or None


def conflicts(database: Database) -> Iterator[Conflict]:
    """Yield all values that a re-index found to be no longer unique, ordered by tenant and by the id of the resource.

    It reads some at a time, inside of `Database.reading`.
    """
    for rows in _pages(_LIST_CONFLICTS, database):
        yield from (Conflict(tenant, type_, id_, attribute, kept_by) for _, id_, attribute, _, tenant, type_, kept_by in rows)


def ids_in_conflict(database: Database, most: int) -> list[str]:
    """Return the ids of the resources that have such values, so many at most; one that has several may be there several times."""
    return [id_ for _, id_, *_ in next(_pages(_UNCLAIMED, database, most), [])]


def settle(database: Database) -> None:
    """Make values unique again that no other resource has any more, and forget conflicts that are over. In a transaction."""
    for rows in _pages(_UNCLAIMED, database):
        claimed = set()
        for tenant, _, attribute, element, seq, value, other in rows:
            if other is None and (tenant, attribute, value) not in claimed:
                claimed.add((tenant, attribute, value))
                _set_unique(database, tenant, seq, (attribute, element), 1)
    _OVER(database)


def _pages(statement: Statement, database: Database, most: int | None = None) -> Iterator[list[Any]]:
    """Yield the rows of a statement on conflicts, so many at once; the first four columns are a conflict's key."""
    most = most or _BATCH
    rows: list[Any] = [(0, "", 0, 0)]
    while rows:
        tenant, id_, attribute, element, *_ = rows[-1]
        rows = statement(database, tenant=tenant, id=id_, attribute=attribute, element=element, most=most).fetchall()
        yield rows


def _parts(resources: Sequence[_Resource]) -> Iterator[list[_Resource]]:
    """Yield the resources in parts, each of as many documents as may be in memory at once."""
    part: list[_Resource] = []
    characters = 0
    for resource in resources:
        if part and characters + resource.characters > _BATCH_CHARACTERS:
            yield part
            part, characters = [], 0
        part.append(resource)
        characters += resource.characters
    if part:
        yield part


def _index_part(database: Database, part: Sequence[_Resource], indexing_of: IndexingOf) -> None:
    tenant = part[0].tenant
    seqs = orjson.dumps([str(resource.seq) for resource in part]).decode()
    stored: dict[int, dict[Key, tuple[str, str | None]]] = {}
    for seq, attribute, element, *value in _VALUES(database, tenant=tenant, seqs=seqs).fetchall():
        stored.setdefault(seq, {})[attribute, element] = (value[0], value[1])
    documents = dict(_DOCUMENTS(database, tenant=tenant, seqs=seqs).fetchall())
    for resource in part:
        indexing = indexing_of(tenant, resource.resource_type)
        if indexing is None:
            continue
        document = orjson.loads(documents[resource.seq])
        rows = indexing.indexer.rows(document)
        if {place: row[:2] for place, row in rows.items()} != stored.get(resource.seq, {}):
            _index_one(database, resource, indexing.store, rows)
        name = document.get("externalId", "")
        if indexing.awaits and resource.resource_type == "User" and not resource.deleted and not name.isascii():
            # Two names that were different may be one now, so a group may have waited for this user.
            MembershipStore(database, tenant, by_external_id=True).welcome(resource.seq, [name])


def _index_one(database: Database, resource: _Resource, store: ResourceStore, rows: dict[Key, Row]) -> None:
    """Store the rows of a resource. Of two resources with the same unique value the one that was created first has it."""
    if resource.deleted:
        rows = {place: row._replace(is_unique=0) for place, row in rows.items()}
    places = {(place[0], row.value): place for place, row in rows.items() if row.is_unique}
    conflicts: list[tuple[int, Key, str]] = []
    for other, attribute, element, value in _claims_of_others(database, resource, places):
        if other < resource.seq:
            place = places[attribute, value]
            rows[place] = rows[place]._replace(is_unique=0)
            conflicts.append((resource.seq, place, value))
        else:
            _set_unique(database, resource.tenant, other, (attribute, element), 0)
            conflicts.append((other, (attribute, element), value))
    store.put_rows(resource.seq, rows)
    for seq, (attribute, element), value in conflicts:
        _NOTE_CONFLICT(database, tenant=resource.tenant, seq=seq, attribute=attribute, element=element, value=value)


def _claims_of_others(database: Database, resource: _Resource, claims: Iterable[tuple[int, str]]) -> list[Any]:
    wanted = orjson.dumps(list(claims)).decode()
    found: list[Any] = _CLAIMS_OF_OTHERS(database, tenant=resource.tenant, seq=resource.seq, rows=wanted).fetchall()
    return found


def _set_unique(database: Database, tenant: int, seq: int, place: Key, is_unique: int) -> None:
    _SET_UNIQUE(database, tenant=tenant, seq=seq, attribute=place[0], element=place[1], is_unique=is_unique)


def _rename_awaited(database: Database) -> None:
    """Bring the names that groups wait for to the form in which they are compared."""
    tenant, member = 0, ""
    while rows := _AWAITED[database.kind](database, tenant=tenant, member=member, most=_BATCH).fetchall():
        for tenant, member in rows:
            form = name_form(member)
            if form != member:
                _AWAIT_BY(database, tenant=tenant, member=member, form=form)
                _AWAIT_NO_MORE(database, tenant=tenant, member=member)
