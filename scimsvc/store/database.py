"""One database, SQLite or PostgreSQL: a connection for each thread, and write transactions with retries."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote, unquote, urlsplit

import peewee
import psycopg

from scimsvc.store.errors import DatabaseUnavailable, OutcomeUnknown, Retry, TookTooLong, Translation, UniquenessViolation
from scimsvc.store.postgresql import PostgreSQL
from scimsvc.store.writing import GroupCommit

__all__ = ["Database", "DatabaseUnavailable", "Kind", "OutcomeUnknown", "TookTooLong", "UniquenessViolation"]

Kind = Literal["sqlite", "postgresql"]
Result = TypeVar("Result")

_RETRIES = 8
_STEPS = 20_000
"""Of SQLite's virtual machine, after which it is asked whether a reader's time is over: some milliseconds."""

_USABLE_CONNECTIONS = """SELECT LEAST(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - COALESCE(current_setting('reserved_connections', true), '0')::int,
    (SELECT NULLIF(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
    (SELECT NULLIF(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user))"""


class Database:
    """A database by its URL: `sqlite:///path/to/file.db` or `postgresql://user:password@host:port/name`. A file that is missing
    is not made, except by `create_file`: a mistyped path would become an empty database.

    Each thread has a connection of its own, opened at first use and kept. With a `statement_timeout` reading ends after so many
    seconds, on PostgreSQL each statement. Without `prepared_statements` each transaction may have another session of PostgreSQL.
    Raises ValueError for another URL.
    """

    def __init__(self, url: str, statement_timeout: float | None = None, prepared_statements: bool = True) -> None:
        self.url = url
        self._reading = _Reading(statement_timeout)
        self.peewee, self.kind = _open(url, self._reading, prepared_statements)
        path = sqlite_path(url)
        self._errors = Translation()
        self.retries = 0
        """How often this process has begun a transaction anew since it started."""
        self._group_commit = GroupCommit(self.peewee, f"{path}.lock") if path else None

    @property
    def missing_file(self) -> Path | None:
        """The path of the SQLite file if there is no such file, else None."""
        path = sqlite_path(self.url)
        try:
            if path:
                path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return path
        except OSError:
            # Why it can't be opened is said when it is.
            pass
        return None

    def create_file(self) -> None:
        """Make the SQLite file if it is missing and its folder is there. Only its owner may read it."""
        path = sqlite_path(self.url)
        if path:
            _make_file(path)

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
                self.retries += 1
                time.sleep(random.uniform(0, 0.005 * 2**attempt))
        raise DatabaseUnavailable("The database had to give way to other transactions too often.", "locked")

    @property
    def queued(self) -> int:
        """How many transactions of this process wait for SQLite's one writer. PostgreSQL has no such queue."""
        return self._group_commit.queued if self._group_commit else 0

    def _alone(self, work: Callable[[], Result]) -> Result:
        """In a transaction of its own, as PostgreSQL has it; there the server commits several at once."""
        self._leave_broken_connection()
        with self._errors:
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
            raise OutcomeUnknown(str(error), error.reason, error.sqlstate) from error.__cause__
        return result

    def _roll_back(self) -> None:
        """Undo what an open transaction did; a connection that can't even do that is given up, which undoes it too."""
        try:
            self.peewee.cursor().execute("ROLLBACK")
        except (peewee.PeeweeException, psycopg.Error):
            self.peewee.close()

    def reading(self) -> AbstractContextManager[None]:
        """Around statements that only read. Raises DatabaseUnavailable, which is TookTooLong where they do."""
        self._leave_broken_connection()
        return self._reading

    def execute(self, sql: str, parameters: Any) -> Any:
        """Execute the database's own SQL on this thread's connection; answers the driver's cursor."""
        # Peewee's execute_sql adds a log record and an exception wrapper, half of the time of a small statement.
        return self.peewee.cursor().execute(sql, parameters)

    def truncate_log(self) -> bool:
        """Empty SQLite's write-ahead log, which has deleted values until it is written over. Return False if it is in use."""
        if self.kind == "postgresql":
            return True
        with self._errors:
            busy, *_ = self.execute("PRAGMA wal_checkpoint(TRUNCATE)", ()).fetchone()
        return not busy

    def usable_connections(self) -> int | None:
        """Return how many connections PostgreSQL lets this role have in this database: the least of its limits.

        None if it can't be asked, and on SQLite, which has no limit.
        """
        if self.kind == "sqlite":
            return None
        try:
            with self.reading():
                (number,) = self.execute(_USABLE_CONNECTIONS, ()).fetchone()
        except DatabaseUnavailable:
            return None
        return int(number)

    def close(self) -> None:
        """Close this thread's connection."""
        self.peewee.close()

    def _leave_broken_connection(self) -> None:
        """Close this thread's connection where PostgreSQL has ended it, so that another is opened."""
        if self.kind == "postgresql" and not self.peewee.is_closed() and self.peewee.connection().closed:
            self.peewee.close()


class _Reading(Translation):
    """The context of a reader. On SQLite it has a deadline, which `is_over` compares with the clock while a statement runs."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(reading=True)
        self.seconds = seconds
        self._of_thread = threading.local()

    def __enter__(self) -> None:
        if self.seconds:
            self._of_thread.deadline = time.monotonic() + self.seconds

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._of_thread.deadline = None
        super().__exit__(kind, error, trace)

    def is_over(self) -> bool:
        deadline = getattr(self._of_thread, "deadline", None)
        return deadline is not None and time.monotonic() > deadline


class _Sqlite(peewee.SqliteDatabase):
    """With `is_over`, which ends a statement where it is true."""

    is_over: Callable[[], bool]

    def _initialize_connection(self, conn: Any) -> None:
        conn.set_progress_handler(self.is_over, _STEPS)


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL; None for another. Raises ValueError for what is no URL at all, or has more than a file."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and (parts.query or parts.fragment):
        more = url[url.index("?" if parts.query else "#") :]
        raise ValueError(f"an SQLite URL is sqlite:///path/to/file.db alone; {more!r} would count for nothing")
    path = unquote(parts.path[1:])
    usable = path.strip("/") and "\0" not in path and path != ":memory:"
    return Path(path) if parts.scheme == "sqlite" and not parts.netloc and usable else None


def _make_file(path: Path) -> None:
    """Make a new file that is for its owner alone; SQLite would make one that the umask opens to others.

    Only one that isn't there: to close a file that SQLite has open in this process would end SQLite's locks. A symbolic link to a
    file that isn't there is followed, since O_EXCL refuses it and SQLite would make the file.
    """
    with suppress(OSError):
        os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _open(url: str, reading: _Reading, prepared_statements: bool) -> tuple[peewee.Database, Kind]:
    parts = urlsplit(url)
    path = sqlite_path(url)
    if path:
        pragmas = {
            "journal_mode": "wal",
            "synchronous": "full",
            # What is deleted is overwritten; how SQLite was built decides it otherwise.
            "secure_delete": 1,
            "foreign_keys": 1,
            "cache_size": -65536,
            "wal_autocheckpoint": 8000,
            "temp_store": "memory",
        }
        # By a path SQLite would make a file that is missing.
        uri = f"file:{quote(os.path.abspath(path))}?mode=rw"
        sqlite = _Sqlite(uri, uri=True, pragmas=pragmas, timeout=10, cached_statements=512)
        sqlite.is_over = reading.is_over
        return sqlite, "sqlite"
    if parts.scheme in ("postgresql", "postgres"):
        return PostgreSQL(url, reading.seconds, prepared_statements), "postgresql"
    raise ValueError("the database URL must be sqlite:///path/to/file.db or postgresql://user:password@host:port/name")
