"""The history of the database's tables: numbered folders of SQL, one file for each kind of database that it concerns.

A migration may be marked compatible: the version before it then goes on working beside it, so a new version can be rolled out
instance by instance. The mark is a column of the table `migration`, since the older version has to read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from scimsvc.store.database import Database
from scimsvc.store.journal import continue_positions


class WrongDatabase(Exception):
    """This version can not use the database. The message says why, and what would be right."""


COMPATIBLE: frozenset[str] = frozenset({"0006_statistics", "0007_secret", "0008_orders"})
"""Migrations that are marked: new tables, indexes, or columns with a default, which older statements neither need nor break."""
_MARK = "compatible"


def names() -> list[str]:
    """All migrations in the order in which they are applied."""
    return sorted(entry.name for entry in files(__package__).iterdir() if entry.name[:4].isdigit())


def pending(database: Database) -> list[str]:
    """Return the names of the migrations that the database lacks.

    Raises WrongDatabase if a newer version has migrated it and did not mark that as compatible, or if it isn't scimsvc's, and
    peewee.PeeweeException if it can't be reached.
    """
    if database.missing_file:
        return names()
    tables = set(database.peewee.get_tables())
    if "migration" not in tables:
        _refuse_tables_of_others(tables & {table for name in names() for table in _TABLE.findall(_sql(name, database))})
        return names()
    applied = _applied(database)
    refuse_unknown(applied)
    return [name for name in names() if name not in applied]


def refuse_unknown(applied: Mapping[str, bool]) -> None:
    """Raise WrongDatabase for migrations that this version does not know and that are not marked compatible."""
    unknown = sorted(name for name, compatible in applied.items() if not compatible and name not in names())
    if unknown:
        raise WrongDatabase(f"the database was migrated by a newer scimsvc: it has {', '.join(unknown)}; use that version again")


def _applied(database: Database) -> dict[str, bool]:
    """Return the names of the migrations that the database has, and whether each is marked compatible. Raises WrongDatabase."""
    columns = _columns(database)
    if "name" not in columns:
        _refuse_tables_of_others({"migration"})
    # A table that an older version made has no mark. PostgreSQL prepares the statement, so `*` would fail once there is one.
    mark = _MARK if _MARK in columns else "0"
    return {name: bool(marked) for name, marked in database.peewee.execute_sql(f"SELECT name, {mark} FROM migration").fetchall()}


def _columns(database: Database) -> set[str]:
    return {column.name for column in database.peewee.get_columns("migration")}


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

    An SQLite file that is missing is made. Raises WrongDatabase.
    """

    def work() -> list[str]:
        # PostgreSQL would let two processes create the table at once; SQLite's transaction has the lock already.
        if database.kind == "postgresql":
            database.peewee.execute_sql("SELECT pg_advisory_xact_lock(7643)")
        missing = pending(database)
        _prepare_history(database)
        for name in missing:
            for statement in _sql(name, database).split(";\n"):
                if statement.strip():
                    database.peewee.execute_sql(statement)
            parameter = database.peewee.param
            database.peewee.execute_sql(
                f"INSERT INTO migration (name, {_MARK}) VALUES ({parameter}, {parameter})", (name, int(name in COMPATIBLE))
            )
        if "0009_journal" in names():
            continue_positions(database)
        return missing

    database.create_file()
    return database.transaction(work)


def _prepare_history(database: Database) -> None:
    """Create the table of migrations, or add its mark if it was made by a version that had none."""
    database.peewee.execute_sql(
        f"CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, {_MARK} INTEGER NOT NULL DEFAULT 0)"
    )
    if _MARK not in _columns(database):
        database.peewee.execute_sql(f"ALTER TABLE migration ADD COLUMN {_MARK} INTEGER NOT NULL DEFAULT 0")
