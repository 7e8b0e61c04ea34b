"""Whether the database is as this version needs it.

Until it is, no request is answered: in an index of an older form too little would be found, and Entra would create it again.
"""

from __future__ import annotations

from typing import NamedTuple

from scimsvc.protocol.errors import ScimError
from scimsvc.store.database import Database
from scimsvc.store.migrations import WrongDatabase, pending
from scimsvc.store.reindex import Progress, unfinished

_RETRY_AFTER = "30"
"""Seconds for which clients are asked to wait: a re-index of a million resources takes some minutes."""


class Unprepared(NamedTuple):
    """What `scimsvc db migrate` has to do: these migrations, or the rest of a re-index."""

    migrations: list[str]
    reindex: Progress | None = None


def unprepared(database: Database) -> Unprepared | None:
    """Return what the database lacks, or None. Raises WrongDatabase or DatabaseUnavailable."""
    with database.reading():
        migrations = pending(database)
        reindex = None if migrations else unfinished(database)
    return Unprepared(migrations, reindex) if migrations or reindex else None


class Readiness:
    """Lets requests through once the database is as this version needs it.

    A database that was ready stays ready for the process: only a newer version's migration changes the form of the index.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready = False

    def require(self) -> None:
        """Raise ScimError 503 while the database is not ready. Raises DatabaseUnavailable."""
        if not self._ready:
            self._look()
            self._ready = True

    def _look(self) -> None:
        try:
            lacking = unprepared(self._database)
        except WrongDatabase:
            raise _refused("The database is not one of this version") from None
        if lacking:
            raise _refused("The database is being brought up to date" if lacking.reindex else "The database is not up to date")


def _refused(reason: str) -> ScimError:
    detail = f"{reason}, so nothing was read or stored. Try again later; GET /readyz says what the operator has to do."
    return ScimError(503, detail, headers={"Retry-After": _RETRY_AFTER})
