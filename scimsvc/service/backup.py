"""Back up a database to a file, and restore it: as a whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from scimsvc.store import postgresql_backup, sqlite_backup, tenants
from scimsvc.store.backup import BackupError, Report
from scimsvc.store.database import Database, DatabaseUnavailable, sqlite_path
from scimsvc.store.journal import continue_positions
from scimsvc.store.migrations import WrongDatabase, pending

__all__ = ["BackupError", "Report", "backup", "check", "restore", "tenants_in"]


def backup(database: Database, file: Path, report: Report) -> None:
    """Write a database as it is at this moment to a new file, and verify that. Raises BackupError, WrongDatabase."""
    path = sqlite_path(database.url)
    if path:
        sqlite_backup.backup(path, file, report)
    else:
        postgresql_backup.backup(database.url, file, report)


def check(database: Database, file: Path) -> None:
    """Raise BackupError if a file is no whole backup for this kind of database, WrongDatabase if it is of a newer version."""
    if sqlite_path(database.url):
        sqlite_backup.check(file)
    else:
        postgresql_backup.check(database.url, file)


def tenants_in(database: Database) -> int:
    """Return how many tenants a database has that a restore would replace; 0 if it has none, or no tables of scimsvc's."""
    if database.missing_file:
        return 0
    with database.reading():
        try:
            lacking = pending(database)
        except WrongDatabase:
            lacking = []
        tables = database.peewee.get_tables()
    return len(tenants.tenants(database)) if "tenant" in tables and "0001_initial" not in lacking else 0


def restore(file: Path, database: Database, report: Report) -> None:
    """Restore a database from a file. One of SQLite is replaced or made, one of PostgreSQL must be empty.

    Raises BackupError, WrongDatabase.
    """
    path = sqlite_path(database.url)
    if path is None:
        postgresql_backup.restore(file, database.url, report)
        if not pending(database):
            database.transaction(lambda: continue_positions(database))
        return
    database.close()
    fresh = database.missing_file
    database.create_file()
    if database.missing_file:
        raise BackupError(f"{path.absolute()} can't be made; its folder must be there, and writable")
    try:
        sqlite_backup.restore(file, path, report)
    except BaseException:
        if fresh:
            _remove_empty(database, path)
        raise


def _remove_empty(database: Database, path: Path) -> None:
    """Remove an SQLite file that has no tables."""
    with suppress(DatabaseUnavailable, OSError):
        with database.reading():
            tables = database.peewee.get_tables()
        database.close()
        if not tables:
            path.unlink()
