"""Migrations: whatever the state of the database and however many start at once, its tables end up complete."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from scimsvc.store import migrations
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.migrations import WrongDatabase, migrate, names, pending
from tests.conftest import KINDS

PROCESS = """
import sys
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
database = Database(sys.argv[1])
print(len(migrate(database)))
database.close()
"""


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, new_database_url: Callable[[str], str]) -> str:
    return new_database_url(request.param)


def test_second_migration_has_nothing_to_do(empty_url: str):
    database = Database(empty_url)
    assert pending(database) == names()
    assert migrate(database) == names()
    assert pending(database) == []
    assert migrate(database) == []
    database.close()


def execute(database: Database, *statements: str) -> None:
    database.transaction(lambda: [database.peewee.execute_sql(statement) for statement in statements])


def test_migration_that_fails_leaves_nothing_behind(empty_url: str):
    database = Database(empty_url)
    execute(database, "CREATE TABLE own (one INTEGER)", "CREATE INDEX membership_of_member ON own (one)")
    with pytest.raises(DatabaseUnavailable, match="membership_of_member"):
        migrate(database)
    assert database.peewee.get_tables() == ["own"]
    execute(database, "DROP TABLE own")
    assert migrate(database) == names()
    database.close()


def test_old_tables_keep_their_rows(new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch):
    database = Database(new_database_url("sqlite"))
    before = [name for name in names() if name < "0004"]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "names", lambda: before)
        migrate(database)
    rows = [
        "INSERT INTO tenant VALUES (1, 't', 'entra', '2026-01-01T00:00:00.000')",
        "INSERT INTO resource VALUES (1, 1, 'Group', 'g', '{}', NULL, 1, '2026-01-01T00:00:00.000', '2026-01-01T00:00:00.000')",
        "INSERT INTO resource VALUES (2, 1, 'User', 'u', '{}', NULL, 1, '2026-01-01T00:00:00.000', '2026-01-01T00:00:00.000')",
        "INSERT INTO membership VALUES (1, 1, 2)",
        "INSERT INTO pending_membership VALUES (1, 1, 'x')",
        "INSERT INTO password VALUES (1, 2, 'hash')",
    ]
    database.transaction(lambda: [database.peewee.execute_sql(row) for row in rows])
    migrate(database)
    for table, row in (("membership", (1, 1, 2)), ("pending_membership", (1, 1, "x")), ("password", (1, 2, "hash"))):
        assert database.peewee.execute_sql(f"SELECT * FROM {table}").fetchall() == [row]
        assert database.peewee.execute_sql(f"PRAGMA foreign_key_check({table})").fetchall() == []
    with pytest.raises(DatabaseUnavailable, match="too often"):
        database.transaction(lambda: database.peewee.execute_sql("INSERT INTO membership VALUES (1, 1, 3)"))
    database.close()


@pytest.mark.parametrize("table", ["tenant", "password", "migration"])
def test_another_programs_database_is_left_alone(empty_url: str, table: str):
    database = Database(empty_url)
    execute(database, f"CREATE TABLE {table} (one INTEGER)")
    for attempt in (pending, migrate):
        with pytest.raises(WrongDatabase, match=f"another program's: it has a table '{table}' that scimsvc did not make"):
            attempt(database)
    assert database.peewee.get_tables() == [table]
    database.close()


def test_database_of_a_newer_version_is_refused(empty_url: str):
    database = Database(empty_url)
    migrate(database)
    execute(database, "INSERT INTO migration (name) VALUES ('9999_later')")
    for attempt in (pending, migrate):
        with pytest.raises(WrongDatabase, match="was migrated by a newer scimsvc: it has 9999_later; use that version"):
            attempt(database)
    database.close()


def test_a_newer_migration_that_is_marked_compatible_is_no_hindrance(empty_url: str):
    database = Database(empty_url)
    migrate(database)
    execute(database, "INSERT INTO migration (name, compatible) VALUES ('9998_later', 1)")
    assert (pending(database), migrate(database)) == ([], [])
    execute(database, "INSERT INTO migration (name, compatible) VALUES ('9999_later', 0)")
    for attempt in (pending, migrate):
        with pytest.raises(WrongDatabase, match="it has 9999_later; use that version"):
            attempt(database)
    database.close()


def test_what_a_migration_is_marked_as_is_stored(empty_url: str, monkeypatch: pytest.MonkeyPatch):
    database = Database(empty_url)
    monkeypatch.setattr(migrations, "COMPATIBLE", frozenset({"0002_accounts"}))
    migrate(database)
    rows = database.peewee.execute_sql("SELECT name, compatible FROM migration ORDER BY name").fetchall()
    assert [tuple(row) for row in rows] == [(name, int(name == "0002_accounts")) for name in names()]
    database.close()


def test_a_table_of_migrations_without_the_mark_gets_it(empty_url: str):
    database = Database(empty_url)
    migrate(database)
    execute(database, "ALTER TABLE migration DROP COLUMN compatible", "DELETE FROM migration WHERE name > '0004'")
    undone = [name for name in names() if name > "0004"]
    assert pending(database) == undone
    execute(database, "INSERT INTO migration (name) VALUES ('9999_later')")
    with pytest.raises(WrongDatabase, match="it has 9999_later"):
        pending(database)
    database.close()


def test_only_one_of_several_threads_migrates(empty_url: str):
    database = Database(empty_url)

    def one(_: int) -> list[str]:
        try:
            return migrate(database)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(one, range(4)))
    assert sorted(applied) == [[], [], [], names()]


def test_only_one_of_several_processes_migrates(empty_url: str):
    processes = [
        subprocess.Popen([sys.executable, "-c", PROCESS, empty_url], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert sorted(process.communicate()[0].strip() for process in processes) == ["0", str(len(names()))]
    assert [process.returncode for process in processes] == [0, 0]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x.db?mode=ro",
        "sqlite:///x.db#y",
        "",
        "scimsvc.db",
        "sqlite://",
        "sqlite:///",
        "mysql://localhost/x",
        "http://localhost",
        "postgresql://[x/y",
    ],
)
def test_wrong_url_is_refused(url: str):
    with pytest.raises(ValueError, match=r"."):
        Database(url)
