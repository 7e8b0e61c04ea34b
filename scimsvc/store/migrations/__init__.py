"""The history of the database's tables: numbered folders of SQL, one file for each kind of database that it concerns."""

from __future__ import annotations

import re
from importlib.resources import files

import peewee

from scimsvc.store.database import Database
from scimsvc.store.errors import reason_of


class WrongDatabase(Exception):
    """The database is none that this version can use; the message says why, and what would be right."""


def names() -> list[str]:
    """All migrations in the order in which they are applied."""
    return sorted(entry.name for entry in files(__package__).iterdir() if entry.name[:4].isdigit())


def pending(database: Database) -> list[str]:
    """The migrations that the database lacks. Raises WrongDatabase for one that a newer version has migrated or that isn't
    scimsvc's, and peewee.PeeweeException where it can't be reached.
    """
    tables = set(database.peewee.get_tables())
    if "migration" not in tables:
        _refuse_tables_of_others(tables & {table for name in names() for table in _TABLE.findall(_sql(name, database))})
        return names()
    try:
        applied = {name for (name,) in database.peewee.execute_sql("SELECT name FROM migration").fetchall()}
    except peewee.PeeweeException as error:
        if reason_of(error) == "failed":
            _refuse_tables_of_others({"migration"})
        raise
    unknown = sorted(applied.difference(names()))
    if unknown:
        raise WrongDatabase(f"the database was migrated by a newer scimsvc: it has {', '.join(unknown)}; use that version again")
    return [name for name in names() if name not in applied]


def _refuse_tables_of_others(tables: set[str]) -> None:
    if tables:
        raise WrongDatabase(
            f"the database is another program's: it has a table {min(tables)!r} that scimsvc did not make; "
            "database.url must name one of scimsvc's own, or an empty one"
        )


_TABLE = re.compile(r"CREATE TABLE (\w+)")


def _sql(name: str, database: Database) -> str:
    file = files(__package__).joinpath(name, f"{database.kind}.sql")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def migrate(database: Database) -> list[str]:
    """Apply what is pending, all of it or nothing; answers what was applied. Two at once wait for each other.

    Raises WrongDatabase.
    """

    def work() -> list[str]:
        # PostgreSQL would let two processes create the table at once; SQLite's transaction has the lock already.
        if database.kind == "postgresql":
            database.peewee.execute_sql("SELECT pg_advisory_xact_lock(7643)")
        missing = pending(database)
        database.peewee.execute_sql("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY)")
        for name in missing:
            for statement in _sql(name, database).split(";\n"):
                if statement.strip():
                    database.peewee.execute_sql(statement)
            database.peewee.execute_sql(f"INSERT INTO migration (name) VALUES ({database.peewee.param})", (name,))
        return missing

    return database.transaction(work)
