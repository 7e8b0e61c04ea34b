"""One database, SQLite or PostgreSQL: connections, write transactions with retries, and statements compiled once."""

from __future__ import annotations

import fcntl
import os
import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import peewee
import psycopg

Kind = Literal["sqlite", "postgresql"]
Result = TypeVar("Result")

_RETRIES = 8
_BEGIN: Mapping[Kind, str] = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}
_RETRY_STATES = {"40001": "serialization failure", "40P01": "deadlock detected"}


class DatabaseUnavailable(Exception):
    """The database can't be reached, is locked for too long, or has no room; nothing was stored."""


class UniquenessViolation(Exception):
    """A unique value is in use already; nothing was stored."""


class Database:
    """A database by its URL: `sqlite:///path/to/file.db` or `postgresql://user:password@host:port/name`.

    Each thread has a connection of its own, opened at first use and kept. Raises ValueError for another URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.peewee, self.kind = _open(url)
        self._errors = _Errors(self)
        self._lock = _WriteLock(f"{self.peewee.database}.lock") if self.kind == "sqlite" else nullcontext()

    def transaction(self, work: Callable[[], Result]) -> Result:
        """Run `work` in one write transaction and commit; where it raises, nothing is stored.

        `work` may run several times: deadlocks and serialization failures are retried.
        Raises what `work` raises, UniquenessViolation, or DatabaseUnavailable.
        """
        for attempt in range(_RETRIES):
            try:
                with self._errors:
                    return self._attempt(work)
            except _Retry:
                time.sleep(random.uniform(0, 0.005 * 2**attempt))
        raise DatabaseUnavailable("The database had to give way to other transactions too often.")

    def _attempt(self, work: Callable[[], Result]) -> Result:
        with self._lock:
            cursor = self.peewee.cursor()
            cursor.execute(_BEGIN[self.kind])
            try:
                result = work()
                cursor.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            return result

    def _roll_back(self) -> None:
        """Undo what an open transaction did; a connection that can't even do that is given up, which undoes it too."""
        try:
            self.peewee.cursor().execute("ROLLBACK")
        except (peewee.PeeweeException, sqlite3.Error, psycopg.Error):
            self.peewee.close()

    def reading(self) -> AbstractContextManager[None]:
        """Around statements that only read. Raises DatabaseUnavailable."""
        return self._errors

    def execute(self, sql: str, parameters: Any) -> Any:
        """Execute the database's own SQL on this thread's connection; answers the driver's cursor."""
        # Peewee's execute_sql adds a log record and an exception wrapper, half of the time of a small statement.
        return self.peewee.cursor().execute(sql, parameters)

    def close(self) -> None:
        """Close this thread's connection."""
        self.peewee.close()

    def forget_broken_connection(self) -> None:
        """Close this thread's connection where the other side has gone, so that the next use opens another."""
        try:
            if self.kind == "postgresql" and not self.peewee.is_closed() and self.peewee.connection().closed:
                self.peewee.close()
        except peewee.PeeweeException:
            pass


class _Errors:
    """A context in which the drivers' errors become UniquenessViolation, DatabaseUnavailable, or the wish to retry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (peewee.IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)):
            if _sqlstate(error) in (None, "23505") and "FOREIGN KEY" not in str(error):
                raise UniquenessViolation from error
            # A row that was referred to has gone meanwhile: the next try sees that.
            raise _Retry from error
        if isinstance(error, (peewee.PeeweeException, sqlite3.Error, psycopg.Error)):
            if _sqlstate(error) in _RETRY_STATES:
                raise _Retry from error
            self._database.forget_broken_connection()
            raise DatabaseUnavailable(str(error)) from error


class _Retry(Exception):
    """The transaction was rolled back for no fault of its own."""


def _sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE that PostgreSQL gave, from the driver's error behind peewee's."""
    for cause in (error, error.__cause__, error.__context__):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


class _WriteLock:
    """One writer at a time, over threads and processes, in the order of arrival.

    SQLite alone would have writers poll with growing pauses, which costs half of the throughput under load.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread_lock = threading.Lock()
        self._descriptor: tuple[int, int] | None = None

    def __enter__(self) -> None:
        self._thread_lock.acquire()
        try:
            fcntl.flock(self._file(), fcntl.LOCK_EX)
        except BaseException:
            self._thread_lock.release()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            fcntl.flock(self._file(), fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()

    def _file(self) -> int:
        # A descriptor that came over a fork would share its lock with the parent process.
        if self._descriptor is None or self._descriptor[0] != os.getpid():
            try:
                self._descriptor = os.getpid(), os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise peewee.OperationalError(str(error)) from error
        return self._descriptor[1]


def _open(url: str) -> tuple[peewee.Database, Kind]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and parts.path.strip("/"):
        pragmas = {
            "journal_mode": "wal",
            "synchronous": "full",
            "foreign_keys": 1,
            "cache_size": -65536,
            "wal_autocheckpoint": 8000,
        }
        return peewee.SqliteDatabase(unquote(parts.path[1:]), pragmas=pragmas, timeout=10, cached_statements=512), "sqlite"
    if parts.scheme in ("postgresql", "postgres"):
        name = unquote(parts.path[1:])
        conninfo = url.replace("postgres://", "postgresql://", 1)
        return peewee.PostgresqlDatabase(conninfo if name else "postgres", prefer_psycopg3=True, connect_timeout=5), "postgresql"
    raise ValueError("the database URL must be sqlite:///path/to/file.db or postgresql://user:password@host:port/name")


_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
_FRAGMENT = re.compile(r"\{(for_update|each|rows):?(\w*) ?([^}]*)\}")


def _fragment(kind: Kind, match: re.Match[str]) -> str:
    name, parameter, columns = match.groups()
    sqlite = kind == "sqlite"
    if name == "for_update":
        return "" if sqlite else "FOR NO KEY UPDATE"
    if name == "each":
        return (
            f"SELECT value AS id FROM json_each(:{parameter})"
            if sqlite
            else (f"SELECT jsonb_array_elements_text(:{parameter}::jsonb) AS id")
        )
    places = [column.rsplit(" ", 1) for column in columns.split(", ")]
    if sqlite:
        chosen = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(places)))
        # Without a WHERE, SQLite reads ON CONFLICT as part of a join.
        return f"{chosen} FROM json_each(:{parameter}) WHERE true"
    chosen = ", ".join(f"(value ->> {place})::{type_}" for place, (_, type_) in enumerate(places))
    return f"{chosen} FROM jsonb_array_elements(:{parameter}::jsonb)"


class Statement:
    """SQL with `:named` parameters, written once for both databases.

    `{for_update}` locks the row where the database locks rows. Any number of values is one statement:
    `{each:name}` selects the texts in a parameter that is a JSON array, as the column `id`;
    `{rows:name a TEXT, b INTEGER}` continues a SELECT with the columns and FROM of a parameter that is a JSON array of arrays.
    """

    def __init__(self, text: str) -> None:
        self._text = " ".join(text.split())
        self._compiled: dict[Kind, str] = {}

    def __call__(self, database: Database, **parameters: Any) -> Any:
        """Execute; answers the driver's cursor."""
        return database.execute(self._for(database.kind), parameters)

    def _for(self, kind: Kind) -> str:
        if kind not in self._compiled:
            text = _FRAGMENT.sub(partial(_fragment, kind), self._text)
            self._compiled[kind] = text if kind == "sqlite" else _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
        return self._compiled[kind]
