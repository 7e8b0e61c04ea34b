"""Refused writes, on their way to the journal: counted in memory and stored by a thread of its own about once a second."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import peewee
import structlog

from scimsvc.service.actor import Actor
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.journal import Refusal, Repeats, count_refusals
from scimsvc.web.observe.batches import Batches
from scimsvc.web.observe.request_log import Done

EVERY = 0.7
"""Seconds for which a refused write may wait here. With those that it waited for its log line it is less than one."""
_MOST = 1000
"""Different refused writes that are kept in memory. From then on they are counted without the ids of resources."""
_WRITES = frozenset({"create", "replace", "patch", "delete", "bulk"})

log = structlog.get_logger()


class Refusals:
    """Counts refused writes whose token is known. The database connection is for this alone, so no request waits for it.

    While the database can't be reached they are kept, as far as there is room. A killed process loses those of a second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[Refusal, Repeats] = {}
        self._batches: Batches[tuple[Done, float]] = Batches("refusals", self._store, EVERY)

    def add(self, done: Done, ended: float) -> None:
        """Take a request or an operation that is over; `ended` is in seconds since the epoch. Most are nothing to keep."""
        if 400 <= done.status < 500 and done.note.credential and done.kind.operation in _WRITES:
            self._batches.add((done, ended))

    def drain(self) -> None:
        """Store what was taken, now."""
        self._batches.drain()

    def _store(self, refused: Iterable[tuple[Done, float]]) -> None:
        for done, ended in refused:
            self._count(_refusal(done), done.note.request_id, ended)
        counted = self._counted
        try:
            self._database.transaction(lambda: count_refusals(self._database, counted))
        except (DatabaseUnavailable, peewee.PeeweeException, OSError) as error:
            log.warning("refused writes wait for the journal", error=type(error).__name__)
        else:
            self._counted = {}
        finally:
            # A pooler or PostgreSQL counts connections, and this one is idle for most of its time.
            self._database.close()

    def _count(self, refusal: Refusal, request_id: str, ended: float) -> None:
        at = datetime.fromtimestamp(ended, UTC).isoformat(timespec="milliseconds")[:23]
        if refusal not in self._counted and len(self._counted) >= _MOST:
            refusal = refusal._replace(resource_id="")
        before = self._counted.get(refusal)
        if before and before.first_at[:10] == at[:10]:
            self._counted[refusal] = before._replace(times=before.times + 1, last_at=at)
        else:
            self._counted[refusal] = Repeats(1, at, at, request_id)


def _refusal(done: Done) -> Refusal:
    credential, error = done.note.credential, done.error
    assert credential
    return Refusal(
        credential.tenant.id,
        str(Actor("token", str(credential.token_id))),
        done.kind.method,
        done.kind.endpoint,
        done.resource_id,
        done.status,
        *((error.scim_type, error.attribute, error.rule) if error else (None, None, None)),
    )
