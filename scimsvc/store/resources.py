"""The resources of one type and tenant: find, insert, update, delete, query; each a fixed number of statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import peewee

from scimsvc.protocol.filter import Filter
from scimsvc.schema.model import ResourceType
from scimsvc.store.database import Database, Kind
from scimsvc.store.journal import Action, Journal
from scimsvc.store.journal_details import NOTHING, NOTHING_OUTSIDE, OutsideDocument, changed, outside_only, whole
from scimsvc.store.models import AttributeValue, Membership, Resource
from scimsvc.store.querying import filter_sql as filters
from scimsvc.store.querying.filter_sql import Slot
from scimsvc.store.querying.index import Indexer, Key, Row, agree
from scimsvc.store.statement import Statement, delete_found


class Stored(NamedTuple):
    """A resource as the store has it. `document` is JSON; times are UTC with milliseconds, without a zone.

    `in_groups` tells whether it is a member of any group.
    """

    seq: int
    id: str
    document: str
    version: int
    created: str
    last_modified: str
    in_groups: int = 0


class New(NamedTuple):
    """A resource that is yet to be stored; `document` and `rows`, those of its index, are JSON."""

    id: str
    document: str
    display: str | None
    rows: str


class Holder(NamedTuple):
    """A resource that has a unique value, or, where it is retired, may have had it until then."""

    id: str
    retired: bool
    document: dict[str, Any]


_BATCH = 500
"""Resources that are read at once where all of them are gone through."""

_COLUMNS = """seq, id, document, version, created, last_modified,
    EXISTS (SELECT 1 FROM membership WHERE membership.tenant_id = resource.tenant_id AND membership.member_seq = resource.seq
        {apart})"""

_BY_ID = f"""SELECT {_COLUMNS} FROM resource
    WHERE tenant_id = :tenant AND id = :id AND (resource_type = :resource_type AND deleted = {{deleted}}) IS TRUE"""
"""IS TRUE leaves PostgreSQL one index to look in. By tenant and type alone it would find all there are."""
_LIVE_BY_ID = _BY_ID.replace("{deleted}", "0")
_FIND = Statement(_LIVE_BY_ID)
_LOCK = Statement(f"{_LIVE_BY_ID} {{for_update}}")
_LOCK_TO_DELETE = Statement(f"{_LIVE_BY_ID} {{for_delete}}")
_LOCK_DELETED = Statement(f"{_BY_ID.replace('{deleted}', '1')} {{for_update}}")
_INSERT = Statement(
    """INSERT INTO resource (tenant_id, resource_type, id, document, display, version, created, last_modified)
    VALUES (:tenant, :resource_type, :id, :document, :display, 1, :now, :now) RETURNING seq"""
)
_UPDATE = Statement(
    """UPDATE resource SET document = :document, display = :display, version = :version, last_modified = :now
    WHERE tenant_id = :tenant AND seq = :seq"""
)
_TOUCH = Statement("UPDATE resource SET version = :version, last_modified = :now WHERE tenant_id = :tenant AND seq = :seq")
_DELETE = Statement("DELETE FROM resource WHERE tenant_id = :tenant AND seq = :seq")
_SET_DELETED = Statement(
    """UPDATE resource SET deleted = :deleted, version = :version, last_modified = :now
    WHERE tenant_id = :tenant AND seq = :seq"""
)
_RELEASE = Statement("UPDATE attribute_value SET is_unique = 0 WHERE tenant_id = :tenant AND resource_seq = :seq")
_CLAIMS = "WITH claim (attribute, value) AS (SELECT {rows:rows attribute INTEGER, value TEXT})"
_CLAIMED = """FROM claim CROSS JOIN attribute_value AS held ON held.tenant_id = :tenant AND held.attribute = claim.attribute
        AND held.value = claim.value"""
"""SQLite's: `(attribute, value) IN …` would read all values of the attributes, and CROSS JOIN keeps the order as it stands."""
_EACH_CLAIMED = """(SELECT {rows:rows attribute INTEGER, value TEXT} {apart}) AS claimed (attribute, value) CROSS JOIN LATERAL
    (SELECT attribute, resource_seq FROM attribute_value WHERE tenant_id = :tenant
        AND attribute = claimed.attribute AND value = claimed.value {unique} {apart}) AS held"""
"""PostgreSQL counts the work of reading a value from JSON against the index in which it is looked up, hence the first OFFSET."""
_EACH_HELD = f"""SELECT holder.id, holder.deleted, holder.document FROM
    (SELECT DISTINCT held.resource_seq FROM {_EACH_CLAIMED}) AS held CROSS JOIN LATERAL
    (SELECT id, deleted, document, last_modified FROM resource
        WHERE tenant_id = :tenant AND seq = held.resource_seq {{apart}}) AS holder"""
_UNIQUE = "AND is_unique = 1"
_HOLDERS = Statement(
    f"""{_CLAIMS} SELECT id, deleted, document FROM resource WHERE tenant_id = :tenant
    AND seq IN (SELECT held.resource_seq {_CLAIMED} AND held.is_unique = 1)
    UNION ALL SELECT id, deleted, document FROM resource WHERE tenant_id = :tenant
    AND seq IN (SELECT held.resource_seq {_CLAIMED})
    AND +deleted = 1 AND last_modified >= :since""",
    f"""{_EACH_HELD.replace("{unique}", _UNIQUE)} UNION ALL {_EACH_HELD.replace("{unique}", "")}
    WHERE holder.deleted = 1 AND holder.last_modified >= :since""",
)
_SET_PASSWORD = Statement(
    """INSERT INTO password (tenant_id, resource_seq, hash) VALUES (:tenant, :seq, :hash)
    ON CONFLICT (tenant_id, resource_seq) DO UPDATE SET hash = excluded.hash"""
)
_FORGET_PASSWORD = Statement("DELETE FROM password WHERE tenant_id = :tenant AND resource_seq = :seq")
_WHICH_EXPIRED = """SELECT seq, id FROM resource WHERE tenant_id = :tenant AND resource_type = :resource_type AND deleted = 1
    AND last_modified < :before ORDER BY last_modified LIMIT :most"""
_EXPIRED = Statement(_WHICH_EXPIRED, f"{_WHICH_EXPIRED} FOR UPDATE SKIP LOCKED")
"""A resource that is being restored at this moment is locked, so it is passed over."""
_COUNT_EXPIRED = Statement(
    """SELECT COUNT(*) FROM resource WHERE tenant_id = :tenant AND resource_type = :resource_type AND deleted = 1
    AND last_modified < :before"""
)
_OF_EXPIRED = "WHERE tenant_id = :tenant AND {seq} IN (SELECT CAST(one.id AS BIGINT) FROM ({each:seqs}) AS one)"
_EACH_EXPIRED = """({each:seqs}) AS one CROSS JOIN LATERAL
    (SELECT ctid FROM {table} WHERE tenant_id = :tenant AND {seq} = CAST(one.id AS BIGINT) {apart}) AS gone"""
_PURGE = [
    Statement(
        f"DELETE FROM {table} {_OF_EXPIRED.replace('{seq}', seq)}",
        delete_found(table, _EACH_EXPIRED.replace("{table}", table).replace("{seq}", seq)),
    )
    for table, seq in (
        ("membership", "member_seq"),
        ("membership", "group_seq"),
        ("attribute_value", "resource_seq"),
        ("resource", "seq"),
    )
]
"""What goes with resources that are gone for good, and they themselves."""
_PUT_VALUES = Statement(
    """INSERT INTO attribute_value (tenant_id, resource_seq, attribute, element, value, overflow, is_unique)
    SELECT :tenant, :seq, {rows:rows attribute INTEGER, element INTEGER, value TEXT, overflow TEXT, is_unique INTEGER}
    ON CONFLICT (tenant_id, resource_seq, attribute, element)
    DO UPDATE SET value = excluded.value, overflow = excluded.overflow, is_unique = excluded.is_unique"""
)
_DELETE_THESE_VALUES = Statement(
    """DELETE FROM attribute_value WHERE tenant_id = :tenant AND resource_seq = :seq
    AND (attribute, element) IN (SELECT {rows:rows attribute INTEGER, element INTEGER})"""
)
_DELETE_VALUES = Statement("DELETE FROM attribute_value WHERE tenant_id = :tenant AND resource_seq = :seq")
_UNIQUE_IN_USE = Statement(
    f"{_CLAIMS} SELECT held.attribute, held.resource_seq {_CLAIMED} AND held.is_unique = 1",
    f"SELECT held.attribute, held.resource_seq FROM {_EACH_CLAIMED.replace('{unique}', _UNIQUE)}",
)
_NEXT = Statement(
    f"""SELECT {_COLUMNS} FROM resource WHERE tenant_id = :tenant AND resource_type = :resource_type AND deleted = 0
    AND seq > :after ORDER BY seq LIMIT {_BATCH}"""
)
_CHANGED = Statement(
    f"""SELECT {_COLUMNS} FROM resource WHERE tenant_id = :tenant AND resource_type = :resource_type AND deleted = 0
    AND (last_modified, seq) > (:at, :seq) ORDER BY last_modified, seq LIMIT :limit"""
)


def now() -> str:
    """The present time in the store's form: UTC with milliseconds, without a zone."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")[:23]


def remove_for_good(database: Database, tenant_id: int, seqs: Sequence[int]) -> None:
    """Remove retired resources, by their numbers, with all that belongs to them."""
    for statement in _PURGE:
        statement(database, tenant=tenant_id, seqs=_json(seqs))


class ResourceStore:
    """The resources of one type of one tenant. Methods that write belong inside `Database.transaction`.

    Each of them that makes a new version writes a row of the journal, in the name of the server if no journal is given. What a
    change does outside of the document must be done, and noted in `outside`, before the method is called.
    """

    def __init__(
        self, database: Database, tenant_id: int, resource_type: ResourceType, indexer: Indexer, journal: Journal | None = None
    ) -> None:
        self._database = database
        self._tenant = tenant_id
        self._type = resource_type
        self._indexer = indexer
        self._journal = journal or Journal(database, tenant_id)

    def find(self, id_: str) -> Stored | None:
        """The resource with that id."""
        return self._one(_FIND, id_)

    def lock(self, id_: str) -> Stored | None:
        """The resource with that id, which no other transaction can change until this one ends."""
        return self._one(_LOCK, id_)

    def lock_to_delete(self, id_: str) -> Stored | None:
        """The same, to which until then nothing can come to refer either."""
        return self._one(_LOCK_TO_DELETE, id_)

    def _one(self, statement: Statement, id_: str) -> Stored | None:
        if "\0" in id_:
            return None
        row = statement(self._database, tenant=self._tenant, id=id_, resource_type=self._type.name).fetchone()
        return Stored(*row) if row else None

    def prepare(self, id_: str, document: Mapping[str, Any]) -> New:
        """A new resource as `insert` takes it; what can be done before the transaction, in which others wait."""
        return New(id_, _json(document), _display(document), _rows(self._indexer.rows(document)))

    def insert(self, new: New, complete: Callable[[Stored, OutsideDocument], object] | None = None) -> Stored:
        """Store a new resource. Raises UniquenessViolation through the transaction.

        `complete` stores what is outside of its document, and notes it, once the resource has a number.
        """
        at = now()
        row = _INSERT(
            self._database,
            tenant=self._tenant,
            resource_type=self._type.name,
            id=new.id,
            document=new.document,
            display=new.display,
            now=at,
        ).fetchone()
        stored = Stored(row[0], new.id, new.document, 1, at, at)
        self._put_values(stored.seq, new.rows)
        outside = NOTHING_OUTSIDE
        if complete:
            outside = OutsideDocument()
            complete(stored, outside)
        self._write(stored, "create", whole("after", new.document, self._type, outside))
        return stored

    def update(
        self,
        stored: Stored,
        former: Mapping[str, Any],
        document: Mapping[str, Any],
        action: Action,
        outside: OutsideDocument = NOTHING_OUTSIDE,
    ) -> Stored:
        """Replace the document of a locked resource, `former`. Raises UniquenessViolation through the transaction."""
        differing = {name for name in former.keys() | document.keys() if former.get(name) != document.get(name)}
        former_values = {name: value for name, value in former.items() if name in differing}
        new_values = {name: value for name, value in document.items() if name in differing}
        before, after = self._indexer.rows(former_values), self._indexer.rows(new_values)
        updated = stored._replace(
            document=_json(document), version=stored.version + 1, last_modified=_later(stored.last_modified)
        )
        changed_rows = {key: row for key, row in after.items() if before.get(key) != row}
        gone = [key for key in before if key not in after] + _moving(before, changed_rows)
        if gone:
            _DELETE_THESE_VALUES(self._database, tenant=self._tenant, seq=stored.seq, rows=_json(gone))
        if changed_rows:
            self._put_values(stored.seq, _rows(changed_rows))
        _UPDATE(
            self._database,
            tenant=self._tenant,
            seq=stored.seq,
            document=updated.document,
            display=_display(document),
            version=updated.version,
            now=updated.last_modified,
        )
        self._write(updated, action, changed(former_values, new_values, self._type, outside))
        return updated

    def touch(self, stored: Stored, action: Action, outside: OutsideDocument = NOTHING_OUTSIDE) -> Stored:
        """Count a change of a locked resource that is not in its document."""
        touched = stored._replace(version=stored.version + 1, last_modified=_later(stored.last_modified))
        _TOUCH(self._database, tenant=self._tenant, seq=stored.seq, version=touched.version, now=touched.last_modified)
        self._write(touched, action, outside_only(outside))
        return touched

    def note_pending(self, stored: Stored, outside: OutsideDocument) -> None:
        """Write to the journal that a locked group waits for other names than before, which makes no new version of it."""
        self._journal.write("pending", self._type.name, stored.id, now(), outside_only(outside))

    def delete(self, stored: Stored, outside: OutsideDocument = NOTHING_OUTSIDE) -> None:
        """Remove a locked resource, which is a member of no group and has no members any more."""
        self.set_password(stored.seq, None)
        _DELETE_VALUES(self._database, tenant=self._tenant, seq=stored.seq)
        _DELETE(self._database, tenant=self._tenant, seq=stored.seq)
        deleted = stored._replace(version=stored.version + 1, last_modified=_later(stored.last_modified))
        self._write(deleted, "delete", whole("before", stored.document, self._type, outside))

    def set_password(self, seq: int, hashed: str | None) -> None:
        """Keep the hash of a resource's password; None forgets it."""
        if hashed is None:
            _FORGET_PASSWORD(self._database, tenant=self._tenant, seq=seq)
        else:
            _SET_PASSWORD(self._database, tenant=self._tenant, seq=seq, hash=hashed)

    def retire(self, stored: Stored, outside: OutsideDocument = NOTHING_OUTSIDE) -> None:
        """Delete a locked resource so that it can be restored: no query finds it, and its unique values are free."""
        self.set_password(stored.seq, None)
        _RELEASE(self._database, tenant=self._tenant, seq=stored.seq)
        retired = stored._replace(version=stored.version + 1, last_modified=_later(stored.last_modified))
        self._set_deleted(retired, 1)
        self._write(retired, "delete", whole("before", stored.document, self._type, outside))

    def lock_retired(self, id_: str) -> Stored | None:
        """The retired resource with that id, locked."""
        return self._one(_LOCK_DELETED, id_)

    def revive(self, stored: Stored) -> None:
        """Bring back a locked, retired resource; its index is empty."""
        self._set_deleted(stored, 0)
        _DELETE_VALUES(self._database, tenant=self._tenant, seq=stored.seq)

    def _set_deleted(self, stored: Stored, deleted: int) -> None:
        _SET_DELETED(
            self._database,
            tenant=self._tenant,
            seq=stored.seq,
            deleted=deleted,
            version=stored.version,
            now=stored.last_modified,
        )

    def purge(self, before: str, most: int) -> int:
        """Remove for good what was retired before a moment, so many resources at most; answers how many."""
        name = self._type.name
        expired = _EXPIRED(self._database, tenant=self._tenant, resource_type=name, before=before, most=most)
        ids = dict(expired.fetchall())
        if ids:
            remove_for_good(self._database, self._tenant, list(ids))
            self._journal.write_each("purge", self._type.name, now(), [(id_, None, NOTHING) for id_ in ids.values()])
        return len(ids)

    def expired(self, before: str) -> int:
        """Return how many resources were retired before a moment."""
        return int(
            _COUNT_EXPIRED(self._database, tenant=self._tenant, resource_type=self._type.name, before=before).fetchone()[0]
        )

    def holders(self, document: Mapping[str, Any], since: str) -> list[Holder]:
        """The resources that have one of the document's unique values, and those retired since a moment that have it at all:
        what was unique of it was released.
        """
        claims = self._claims(document)
        rows = _HOLDERS(self._database, tenant=self._tenant, rows=_json(claims), since=since).fetchall()
        found = {id_: Holder(id_, bool(deleted), orjson.loads(stored)) for id_, deleted, stored in rows}
        return list(found.values())

    def _claims(self, document: Mapping[str, Any]) -> list[tuple[int, str]]:
        """The unique values of a document, each with the number of its attribute."""
        return [(key[0], row.value) for key, row in self._indexer.rows(document).items() if row.is_unique]

    def is_account_of(self, stored: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
        """Whether what a stored document and another have of unique values is one account's."""
        return agree(self._indexer.claims(stored), self._indexer.claims(document))

    def attribute_in_use(self, document: Mapping[str, Any], own_seq: int | None) -> str | None:
        """After a UniquenessViolation: the attribute of the document whose value another resource has."""
        claims = self._claims(document)
        rows = _UNIQUE_IN_USE(self._database, tenant=self._tenant, rows=_json(claims)).fetchall()
        in_use = {attribute for attribute, seq in rows if seq != own_seq}
        return next((self._indexer.numbers()[attribute] for attribute, _ in claims if attribute in in_use), None)

    def page(self, query: Filter | None, offset: int, limit: int) -> list[Stored]:
        """Resources that fulfil a filter, in the order in which they were created, from `offset` on."""
        return [Stored(*row) for row in self._query(query, _select_page, offset=offset, limit=limit)]

    def changed(self, at: str, seq: int, limit: int) -> list[Stored]:
        """Resources in the order of their last changes, from behind a moment and, of those of that moment, a `seq` on."""
        resource_type = self._type.name
        rows = _CHANGED(self._database, tenant=self._tenant, resource_type=resource_type, at=at, seq=seq, limit=limit)
        return [Stored(*row) for row in rows.fetchall()]

    def all(self) -> Iterator[Stored]:
        """Every resource, in the order in which they were created, some at a time."""
        after = 0
        while True:
            with self._database.reading():
                rows = _NEXT(self._database, tenant=self._tenant, resource_type=self._type.name, after=after).fetchall()
            yield from (Stored(*row) for row in rows)
            if len(rows) < _BATCH:
                return
            after = rows[-1][0]

    def index_anew(self, id_: str) -> bool:
        """Index a resource as the profile wants it now, in a transaction of its own; False where it has gone meanwhile.

        Raises UniquenessViolation where another resource has one of its unique values.
        """

        def work() -> bool:
            stored = self.lock(id_)
            if stored is None:
                return False
            self.put_rows(stored.seq, self._indexer.rows(orjson.loads(stored.document)))
            return True

        return self._database.transaction(work)

    def put_rows(self, seq: int, rows: Mapping[Key, Row]) -> None:
        """Store these rows as all that a resource is indexed by. Raises UniquenessViolation through the transaction."""
        _DELETE_VALUES(self._database, tenant=self._tenant, seq=seq)
        self._put_values(seq, _rows(rows))

    def count(self, query: Filter | None) -> int:
        """How many resources fulfil a filter."""
        (number,) = self._query(query, _select_count).fetchone()
        return int(number)

    def _query(self, query: Filter | None, select: Select, **values: Any) -> Any:
        shape, found = filters.cut(query) if query else (None, {})
        sql, parameters = _compiled(shape, self._type, self._database, select)
        bound = filters.bind(parameters, found | values | {"tenant": self._tenant})
        return self._database.execute(sql, bound)

    def _put_values(self, seq: int, rows: str) -> None:
        _PUT_VALUES(self._database, tenant=self._tenant, seq=seq, rows=rows)

    def _write(self, stored: Stored, action: Action, details: str) -> None:
        self._journal.write(action, self._type.name, stored.id, stored.last_modified, details, stored.version)


def _display(document: Mapping[str, Any]) -> str | None:
    """The name by which groups show a member; in a type of a profile's own, that attribute may be anything."""
    name = document.get("displayName")
    return name if isinstance(name, str) else None


def _moving(before: Mapping[Key, Row], changed: Mapping[Key, Row]) -> list[Key]:
    """Where unique values stand that come to stand elsewhere: they leave first, or the resource would clash with itself."""
    places = {(key[0], row.value): key for key, row in before.items() if row.is_unique}
    new = {(key[0], row.value): key for key, row in changed.items() if row.is_unique}
    return [place for claim, place in places.items() if new.get(claim, place) != place]


def _rows(rows: Mapping[Key, Row]) -> str:
    return _json([key + row for key, row in rows.items()])


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _later(than: str) -> str:
    """The present time, but never before an earlier change, whatever the clock does."""
    return max(now(), than)


Select = Callable[[Filter | None, ResourceType, Kind], Any]


def _select_page(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Any:
    member = Membership.select(peewee.SQL("1")).where(
        (Membership.tenant_id == Resource.tenant_id) & (Membership.member_seq == Resource.seq)
    )
    in_groups = peewee.fn.EXISTS(member if kind == "sqlite" else filters.fenced(member)).alias("in_groups")
    columns = (Resource.seq, Resource.id, Resource.document, Resource.version, Resource.created, Resource.last_modified)
    page = Resource.select(*columns, in_groups)
    match = filters.match(shape, resource_type, kind) if kind == "sqlite" else None
    choice = filters.choice(shape if match is None else None, resource_type, kind)
    page = page.where(_chosen(choice, resource_type))
    if match is not None:
        # SQLite reads the index once here, where a subquery makes it build a table and sort.
        own = (AttributeValue.tenant_id == Resource.tenant_id) & (AttributeValue.resource_seq == Resource.seq)
        page = page.join(AttributeValue, on=own).where(match).order_by(AttributeValue.resource_seq)
    elif choice.rows is None:
        page = page.order_by(Resource.seq)
    else:
        page = page.where(Resource.seq == choice.rows.c.seq)
        page = filters.each(peewee.Select([choice.rows], [peewee.SQL("page.*")]), page, "page").order_by(choice.rows.c.seq)
    return page.limit(filters.slot(Slot("limit"))).offset(filters.slot(Slot("offset")))


def _chosen(choice: filters.Choice, resource_type: ResourceType) -> Any:
    own = filters.of_type(resource_type, looked_up=choice.rows is not None)
    return own if choice.condition is None else own & choice.condition


def _select_count(shape: Filter | None, resource_type: ResourceType, kind: Kind) -> Any:
    choice = filters.choice(shape, resource_type, kind)
    found = Resource.select(Resource.seq).where(_chosen(choice, resource_type))
    number = peewee.fn.COUNT(peewee.SQL("*"))
    if choice.rows is None:
        return found.select(number)
    return filters.each(peewee.Select([choice.rows], [number]), found.where(Resource.seq == choice.rows.c.seq), "counted")


@lru_cache(maxsize=512)
def _compiled(shape: Filter | None, resource_type: ResourceType, database: Database, select: Select) -> tuple[str, list[Any]]:
    """The SQL of a query and its parameters, among them slots for the tenant, the page and the filter's values."""
    query = select(shape, resource_type, database.kind)
    sql, parameters = database.peewee.get_sql_context().sql(query).query()
    return sql, list(parameters)
