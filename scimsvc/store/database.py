"""One database, SQLite or PostgreSQL: a connection for each thread, and write transactions with retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import peewee
import psycopg

from scimsvc.store.errors import DatabaseUnavailable, OutcomeUnknown, Retry, Translation, UniquenessViolation
from scimsvc.store.writing import GroupCommit

__all__ = ["Database", "DatabaseUnavailable", "Kind", "OutcomeUnknown", "UniquenessViolation"]

Kind = Literal["sqlite", "postgresql"]
Result = TypeVar("Result")

_RETRIES = 8


class Database:
    """A database by its URL: `sqlite:///path/to/file.db` or `postgresql://user:password@host:port/name`.

    Each thread has a connection of its own, opened at first use and kept. Raises ValueError for another URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.peewee, self.kind = _open(url)
        self._errors = Translation()
        self._group_commit = GroupCommit(self.peewee) if self.kind == "sqlite" else None

    def transaction(self, work: Callable[[], Result]) -> Result:
        """Run `work` in one write transaction and commit; where it raises, nothing is stored.

        `work` may run several times, and in another thread: deadlocks and serialization failures are retried.
        Raises what `work` raises, UniquenessViolation, or DatabaseUnavailable, which is an OutcomeUnknown where the
        database was lost in the very moment of the commit.
        """
        for attempt in range(_RETRIES):
            try:
                return self._group_commit.run(work) if self._group_commit else self._alone(work)
            except Retry:
                time.sleep(random.uniform(0, 0.005 * 2**attempt))
        raise DatabaseUnavailable("The database had to give way to other transactions too often.")

    def _alone(self, work: Callable[[], Result]) -> Result:
        """In a transaction of its own, as PostgreSQL has it; there the server commits several at once."""
        with self.reading():
            cursor = self.peewee.cursor()
            cursor.execute("BEGIN")
            try:
                result = work()
            except BaseException:
                self._roll_back()
                raise
        try:
            with self._errors:
                cursor.execute("COMMIT")
        except DatabaseUnavailable as error:
            self._roll_back()
            raise OutcomeUnknown(str(error)) from error.__cause__
        return result

    def _roll_back(self) -> None:
        """Undo what an open transaction did; a connection that can't even do that is given up, which undoes it too."""
        try:
            self.peewee.cursor().execute("ROLLBACK")
        except (peewee.PeeweeException, psycopg.Error):
            self.peewee.close()

    def reading(self) -> AbstractContextManager[None]:
        """Around statements that only read. Raises DatabaseUnavailable."""
        self._leave_broken_connection()
        return self._errors

    def execute(self, sql: str, parameters: Any) -> Any:
        """Execute the database's own SQL on this thread's connection; answers the driver's cursor."""
        # Peewee's execute_sql adds a log record and an exception wrapper, half of the time of a small statement.
        return self.peewee.cursor().execute(sql, parameters)

    def close(self) -> None:
        """Close this thread's connection."""
        self.peewee.close()

    def _leave_broken_connection(self) -> None:
        """Close this thread's connection where PostgreSQL has ended it, so that another is opened."""
        if self.kind == "postgresql" and not self.peewee.is_closed() and self.peewee.connection().closed:
            self.peewee.close()


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL; None for another. Raises ValueError for what is no URL at all."""
    parts = urlsplit(url)
    path = unquote(parts.path[1:])
    usable = path.strip("/") and "\0" not in path and path != ":memory:"
    return Path(path) if parts.scheme == "sqlite" and not parts.netloc and usable else None


def _open(url: str) -> tuple[peewee.Database, Kind]:
    parts = urlsplit(url)
    path = sqlite_path(url)
    if path:
        pragmas = {
            "journal_mode": "wal",
            "synchronous": "full",
            "foreign_keys": 1,
            "cache_size": -65536,
            "wal_autocheckpoint": 8000,
            "temp_store": "memory",
        }
        return peewee.SqliteDatabase(str(path), pragmas=pragmas, timeout=10, cached_statements=512), "sqlite"
    if parts.scheme in ("postgresql", "postgres"):
        conninfo = url.replace("postgres://", "postgresql://", 1)
        return peewee.PostgresqlDatabase(conninfo, prefer_psycopg3=True, connect_timeout=5), "postgresql"
    raise ValueError("the database URL must be sqlite:///path/to/file.db or postgresql://user:password@host:port/name")
