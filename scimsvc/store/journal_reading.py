"""Read the journal: in the order of commits, by resource, or what was refused. Pages are read by keys, so each costs its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from scimsvc.store.database import Database
from scimsvc.store.journal_details import State, before_change
from scimsvc.store.statement import Statement


class Entry(NamedTuple):
    """A row of the journal. Times are UTC with milliseconds, without a zone.

    `details` is JSON as in `journal_details`, None in rows of an older version. `version` is None if the change made no new one.
    A refused write was refused so many `times` on one day, at last at `last_at`; both are 1 and None for other rows.
    """

    seq: int
    at: str
    actor: str
    request_id: str | None
    resource_type: str
    resource_id: str
    action: str
    version: int | None
    details: str | None
    times: int
    last_at: str | None

    @property
    def values(self) -> Mapping[str, Any]:
        """The details, empty if nothing is known."""
        found: Mapping[str, Any] = orjson.loads(self.details) if self.details else {}
        return found


class Place(NamedTuple):
    """A place in the order of commits: behind the row `seq`. `position` is 0 on SQLite, whose rows are in that order."""

    position: int = 0
    seq: int = 0


BEGINNING = Place()
_COLUMNS = "seq, happened_at, actor, request_id, resource_type, resource_id, action, version, details, times, last_at"
_IS_COMPLETE = "position < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT base FROM journal_base)"
_PAGE_OF_SQLITE = f"""SELECT 0, {_COLUMNS} FROM journal WHERE tenant_id = :tenant AND seq > :seq
    ORDER BY seq LIMIT :limit"""
_PAGE_OF_POSTGRESQL = f"""SELECT position, {_COLUMNS} FROM journal
    WHERE tenant_id = :tenant AND (position, seq) > (:position, :seq) ORDER BY position, seq LIMIT :limit"""
_SO_FAR = Statement(_PAGE_OF_SQLITE, _PAGE_OF_POSTGRESQL)
_IN_ORDER = Statement(
    _PAGE_OF_SQLITE, f"SELECT * FROM ({_PAGE_OF_POSTGRESQL}) AS page WHERE {_IS_COMPLETE} ORDER BY position, seq"
)
_PLACE_OF = Statement(
    "SELECT 0, seq FROM journal WHERE seq = :seq AND tenant_id = :tenant",
    "SELECT position, seq FROM journal WHERE seq = :seq AND tenant_id = :tenant",
)
_FIRST = Statement(
    "SELECT seq, happened_at FROM journal WHERE tenant_id = :tenant AND seq >= :key ORDER BY seq LIMIT 1",
    """SELECT position, happened_at FROM journal WHERE tenant_id = :tenant AND position >= :key
    ORDER BY position, seq LIMIT 1""",
)
_LAST = Statement(
    "SELECT MAX(seq) FROM journal WHERE tenant_id = :tenant AND seq > 0",
    "SELECT MAX(position) FROM journal WHERE tenant_id = :tenant",
)
_OF_RESOURCE = Statement(
    f"""SELECT {_COLUMNS} FROM journal WHERE tenant_id = :tenant AND resource_id = :id AND seq > :seq
    ORDER BY seq LIMIT :limit"""
)
_REFUSED = Statement(
    f"""SELECT refusal, {_COLUMNS} FROM journal WHERE tenant_id = :tenant AND refusal IS NOT NULL AND refusal > :refusal
    ORDER BY refusal LIMIT :limit"""
)
_PAGE = 500


class JournalReader:
    """The journal of one tenant. Methods that return a page belong inside `Database.reading`; the others read in it."""

    def __init__(self, database: Database, tenant_id: int) -> None:
        self._database = database
        self._tenant = tenant_id

    def page(self, behind: Place, limit: int, so_far: bool = False) -> list[tuple[Place, Entry]]:
        """Return rows in the order of their commits, from behind a place on, each with its own place.

        What is read from behind the last place of a page is new: no row appears before it any more, however late it is committed.
        On PostgreSQL rows therefore wait for older transactions to end, also those of other databases of the server.
        `so_far` reads all rows that there are, for a reader that does not come back.
        """
        statement = _SO_FAR if so_far else _IN_ORDER
        rows = statement(self._database, tenant=self._tenant, limit=limit, position=behind.position, seq=behind.seq).fetchall()
        return [(Place(row[0], row[1]), Entry(*row[1:])) for row in rows]

    def place_of(self, seq: int) -> Place | None:
        """Return the place of a row, None if it is not there any more. A number outlives what the places of PostgreSQL mean."""
        row = _PLACE_OF(self._database, tenant=self._tenant, seq=seq).fetchone()
        return Place(*row) if row else None

    def place_at(self, time: str) -> Place:
        """Return a place before the first row of that time or later, found by halves: rows are nearly in the order of time."""
        low, high = 0, (_LAST(self._database, tenant=self._tenant).fetchone()[0] or 0) + 1
        while low < high:
            middle = (low + high) // 2
            row = _FIRST(self._database, tenant=self._tenant, key=middle).fetchone()
            if row is None or row[1] >= time:
                high = middle
            else:
                low = row[0] + 1
        return Place(0, low - 1) if self._database.kind == "sqlite" else Place(low, 0)

    def all(self, since: str = "") -> Iterator[Entry]:
        """Yield all rows so far in order, those alone that happened at a time or later, or happened again then."""
        with self._database.reading():
            # A refused write has the time of its first one of the day.
            behind = self.place_at(since[:10]) if since else BEGINNING
        while True:
            with self._database.reading():
                page = self.page(behind, _PAGE, so_far=True)
            yield from _since(since, [entry for _, entry in page])
            if len(page) < _PAGE:
                return
            behind = page[-1][0]

    def of_resource(self, id_: str, since: str = "") -> Iterator[Entry]:
        """Yield the rows of one resource in the order of its versions."""
        seq = 0
        while True:
            with self._database.reading():
                rows = _OF_RESOURCE(self._database, tenant=self._tenant, id=id_, seq=seq, limit=_PAGE).fetchall()
            yield from _since(since, [Entry(*row) for row in rows])
            if len(rows) < _PAGE:
                return
            seq = rows[-1][0]

    def refused(self, since: str = "") -> Iterator[Entry]:
        """Yield the writes that were refused, by day."""
        refusal = since[:10]
        while True:
            with self._database.reading():
                rows = _REFUSED(self._database, tenant=self._tenant, refusal=refusal, limit=_PAGE).fetchall()
            yield from _since(since, [Entry(*row[1:]) for row in rows])
            if len(rows) < _PAGE:
                return
            refusal = rows[-1][0]


def _since(time: str, entries: Iterable[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if (entry.last_at or entry.at) >= time)


def earlier_states(current: State, entries: Iterable[Entry]) -> Iterator[tuple[int, State]]:
    """Yield every version of a resource with its state, the last first, from its state now and its rows, the last first.

    Rows that made no new version are passed over. It ends at the first row of an older version, which kept no values.
    """
    state = current
    for entry in entries:
        if entry.version is None:
            continue
        yield entry.version, state
        if entry.details is None:
            return
        state = before_change(state, entry.values)
