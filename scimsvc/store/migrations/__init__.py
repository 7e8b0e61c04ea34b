"""The history of the database's tables: numbered folders of SQL, one file for each kind of database that it concerns."""

from __future__ import annotations

from importlib.resources import files

from scimsvc.store.database import Database


def names() -> list[str]:
    """All migrations in the order in which they are applied."""
    return sorted(entry.name for entry in files(__package__).iterdir() if entry.name[:4].isdigit())


def pending(database: Database) -> list[str]:
    """The migrations that the database lacks. Raises peewee.PeeweeException where it can't be reached."""
    if "migration" not in database.peewee.get_tables():
        return names()
    applied = {name for (name,) in database.peewee.execute_sql("SELECT name FROM migration").fetchall()}
    return [name for name in names() if name not in applied]


def migrate(database: Database) -> list[str]:
    """Apply what is pending, all of it or nothing; answers what was applied. Two at once wait for each other."""

    def work() -> list[str]:
        # PostgreSQL would let two processes create the table at once; SQLite's transaction has the lock already.
        if database.kind == "postgresql":
            database.peewee.execute_sql("SELECT pg_advisory_xact_lock(7643)")
        database.peewee.execute_sql("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY)")
        missing = pending(database)
        for name in missing:
            file = files(__package__).joinpath(name, f"{database.kind}.sql")
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            for statement in text.split(";\n"):
                if statement.strip():
                    database.peewee.execute_sql(statement)
            database.peewee.execute_sql(f"INSERT INTO migration (name) VALUES ({database.peewee.param})", (name,))
        return missing

    return database.transaction(work)
