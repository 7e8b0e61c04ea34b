"""Back up and restore an SQLite database by SQLite's own backup interface, beside any number of readers and writers.

A restore writes the pages into the database that is there, as one transaction with a rollback journal. So a kill, a full disk or
a power cut leaves the database as it was. Renaming a file to its place would be worse: SQLite would add the write-ahead log of
the former one, and a server that has just started would go on with a file that no longer has a name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from scimsvc.store.backup import BackupError, Report, new_file, require_backup_of
from scimsvc.store.migrations import refuse_unknown

_PAGES = 2048
"""Pages that are copied between two reports."""


def backup(database: Path, file: Path, report: Report) -> None:
    """Write the database as it is at this moment to a new file, and check that one. Raises BackupError."""
    failed = f"{database.absolute()} can't be backed up"
    with new_file(file) as partial, _opened(database, "mode=rw", failed) as source, _opened(partial, "mode=rw", failed) as copy:
        # A transaction that only reads: what others write meanwhile is left out as a whole.
        source.execute("BEGIN")
        _require_own(source, database)
        # The file is new, and is synchronised as a whole.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.backup(copy, pages=_PAGES, progress=_reporting(report))
        # One file that needs no other beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        _require_whole(copy, file)


def check(file: Path) -> None:
    """Raise BackupError if a file is no whole backup of a database that this version can use."""
    require_backup_of("sqlite", file)
    with _opened(file, _reading(file), f"{file.absolute()} can't be read") as source:
        _require_whole(source, file)
        _require_own(source, file)


def restore(file: Path, database: Path, report: Report) -> None:
    """Replace the content of a database, which must be there and unused, by a backup. Raises BackupError.

    A process that opens the database meanwhile waits, and finds the old or the new one as a whole.
    """
    require_backup_of("sqlite", file)
    if database.samefile(file):
        raise BackupError(f"{file.absolute()} is the database itself")
    check(file)
    failed = f"{database.absolute()} can't be restored, and is as it was"
    with _opened(file, _reading(file), failed) as source, _opened(database, "mode=rw", failed) as target:
        _occupy(target, database)
        target.execute("PRAGMA synchronous = FULL")
        source.backup(target, pages=_PAGES, progress=_reporting(report))


def _occupy(target: sqlite3.Connection, database: Path) -> None:
    """Keep everyone else out, and bring what is in the write-ahead log into the file. Raises BackupError if someone is in."""
    try:
        target.execute("PRAGMA locking_mode = EXCLUSIVE")
        (mode,) = target.execute("PRAGMA journal_mode = DELETE").fetchone()
        target.execute("BEGIN EXCLUSIVE")
        target.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        mode = "busy"
    if mode != "delete":
        raise BackupError(f"{database.absolute()} is in use; stop every server and command that uses it first")


def _reading(file: Path) -> str:
    """Return how to open a file that is only read. Without a log beside it, it is read as it is, also from a read-only medium."""
    log = file.with_name(f"{file.name}-wal")
    return "mode=ro" if log.exists() else "mode=ro&immutable=1"


@contextmanager
def _opened(path: Path, how: str, failed: str) -> Iterator[sqlite3.Connection]:
    """Open a file; what SQLite raises becomes a BackupError that begins with `failed`."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, isolation_level=None, timeout=1)
        ) as opened:
            yield opened
    except sqlite3.Error as error:
        raise BackupError(f"{failed}: {error}") from error


def _require_whole(connection: sqlite3.Connection, file: Path) -> None:
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise BackupError(f"{file.absolute()} is damaged: {str(found).splitlines()[-1]}")


def _require_own(connection: sqlite3.Connection, path: Path) -> None:
    """Raise BackupError if a database isn't scimsvc's, or WrongDatabase if it is a newer version's."""
    columns = [row[1] for row in connection.execute("PRAGMA table_info(migration)").fetchall()]
    if "name" not in columns:
        raise BackupError(f"{path.absolute()} is no database of scimsvc: it has no table of migrations")
    mark = "compatible" if "compatible" in columns else "0"
    refuse_unknown({name: bool(marked) for name, marked in connection.execute(f"SELECT name, {mark} FROM migration").fetchall()})


def _reporting(report: Report) -> Callable[[int, int, int], None]:
    return lambda _, remaining, total: report(total - remaining, total)
