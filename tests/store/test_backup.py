"""A backup is whole, and a restore happens as a whole or not at all, whatever fails or is killed meanwhile."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scimsvc.service.backup import backup, check, restore, tenants_in
from scimsvc.store import postgresql_backup
from scimsvc.store.backup import BackupError
from scimsvc.store.database import Database
from scimsvc.store.migrations import WrongDatabase, migrate
from scimsvc.store.tenants import create_tenant
from tests.conftest import KINDS
from tests.support.old_database import execute
from tests.support.postgresql import PostgreSQL

TABLES = ("migration", "tenant", "token", "resource", "attribute_value", "membership", "journal", "reindex")
PROCESS = """
import os, resource, signal, sys
from pathlib import Path
from scimsvc.service.backup import backup, restore
from scimsvc.store import sqlite_backup
from scimsvc.store.backup import BackupError
from scimsvc.store.database import Database
work, url, file, how = sys.argv[1:]
sqlite_backup._PAGES = 1
def report(done, total):
    if how == "kill" and done > total // 2:
        os.kill(os.getpid(), signal.SIGKILL)
if how == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    backup(Database(url), Path(file), report) if work == "backup" else restore(Path(file), Database(url), report)
except BackupError as error:
    sys.exit(str(error))
"""


def silent(done: int, total: int | None) -> None:
    """What is told of the progress is of no interest."""


def content(database: Database) -> list[Any]:
    with database.reading():
        return [sorted(map(tuple, database.execute(f"SELECT * FROM {table}", ()).fetchall())) for table in TABLES]


@pytest.fixture
def postgresql_programs(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{postgresql.server.bin_path}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def new_database(
    new_database_url: Callable[[str], str], request: pytest.FixtureRequest
) -> Iterator[Callable[[str, int], Database]]:
    """Makes a migrated database with so many tenants, or an empty one for a negative number."""
    made: list[Database] = []

    def make(kind: str, tenants: int) -> Database:
        if kind == "postgresql":
            request.getfixturevalue("postgresql_programs")
        database = Database(new_database_url(kind))
        made.append(database)
        if tenants >= 0:
            migrate(database)
        for number in range(tenants):
            create_tenant(database, f"tenant {number} {'é' * 200}", "entra")
        return database

    yield make
    for database in made:
        database.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_restored_is_what_was_backed_up(new_database: Callable[[str, int], Database], tmp_path: Path, kind: str):
    database, other, file = new_database(kind, 30), new_database(kind, -1), tmp_path / "backup"
    expected = content(database)
    former = os.umask(0)
    try:
        backup(database, file, silent)
    finally:
        os.umask(former)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]
    create_tenant(database, "later", "entra")
    check(other, file)
    restore(file, other, silent)
    assert content(other) == expected
    assert migrate(other) == []
    create_tenant(other, "later", "entra")


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_replaces_no_file(new_database: Callable[[str, int], Database], tmp_path: Path, kind: str):
    database, file = new_database(kind, 1), tmp_path / "backup"
    for make in (lambda: file.write_text("mine"), lambda: (file.unlink(), file.symlink_to(tmp_path / "absent"))):
        make()
        with pytest.raises(BackupError, match="is there already"):
            backup(database, file, silent)
    with pytest.raises(BackupError, match="can't be written: No such file"):
        backup(database, tmp_path / "absent" / "backup", silent)
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_whole_backup_is_refused(new_database: Callable[[str, int], Database], tmp_path: Path, kind: str):
    database, other, file = new_database(kind, 30), new_database(kind, -1), tmp_path / "backup"
    backup(database, file, silent)
    whole = file.read_bytes()
    middle = len(whole) // 2
    wrong = {
        "absent": None,
        "empty": b"",
        "text": b"hello" * 100,
        "cut": whole[: middle + 7],
        "overwritten": whole[:middle] + bytes(len(whole) - middle),
    }
    for name, damaged in wrong.items():
        file.unlink(missing_ok=True)
        if damaged is not None:
            file.write_bytes(damaged)
        for attempt in (lambda: check(other, file), lambda: restore(file, other, silent)):
            with pytest.raises(BackupError, match=r"."):
                attempt()
            assert other.peewee.get_tables() == [], name


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_of_a_newer_version_is_refused(new_database: Callable[[str, int], Database], tmp_path: Path, kind: str):
    database, other = new_database(kind, 1), new_database(kind, -1)
    execute(database, "INSERT INTO migration (name, compatible) VALUES ('9998_later', 1)")
    backup(database, tmp_path / "compatible", silent)
    check(other, tmp_path / "compatible")
    execute(database, "INSERT INTO migration (name, compatible) VALUES ('9999_later', 0)")
    with pytest.raises(WrongDatabase, match="it has 9999_later"):
        backup(database, tmp_path / "newer", silent)
    assert [path.name for path in tmp_path.iterdir()] == ["compatible"]


@pytest.mark.parametrize("kind", KINDS)
def test_another_programs_database_is_no_backup(new_database: Callable[[str, int], Database], tmp_path: Path, kind: str):
    database = new_database(kind, -1)
    execute(database, "CREATE TABLE own (one INTEGER)")
    with pytest.raises(BackupError, match="no table of migrations"):
        backup(database, tmp_path / "backup", silent)


def test_a_backup_of_the_other_kind_is_refused(new_database: Callable[[str, int], Database], tmp_path: Path):
    databases = {kind: new_database(kind, 1) for kind in KINDS}
    for kind, other in (("sqlite", "postgresql"), ("postgresql", "sqlite")):
        backup(databases[kind], tmp_path / kind, silent)
        with pytest.raises(BackupError, match=r"is a backup of (SQLite|PostgreSQL), and database\.url names (SQLite|PostgreSQL)"):
            check(databases[other], tmp_path / kind)


def test_an_sqlite_backup_beside_a_writer_is_of_one_moment(new_database: Callable[[str, int], Database], tmp_path: Path):
    database = new_database("sqlite", 200)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            execute(
                database,
                f"INSERT INTO tenant (name, profile, created) VALUES ('written {number}', '', '')",
                f"UPDATE reindex SET done = {number}",
            )
        database.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            backup(database, tmp_path / str(number), silent)
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        copy = sqlite3.connect(tmp_path / str(number))
        tenants, done = copy.execute(
            "SELECT (SELECT COUNT(*) FROM tenant WHERE name LIKE 'written%'), done FROM reindex"
        ).fetchone()
        assert tenants == done
        copy.close()


def test_an_sqlite_database_in_use_is_not_restored(new_database: Callable[[str, int], Database], tmp_path: Path):
    database, user = new_database("sqlite", 2), new_database("sqlite", -1)
    backup(database, tmp_path / "backup", silent)
    user = Database(database.url)
    expected = content(user)
    with pytest.raises(BackupError, match="is in use; stop every server"):
        restore(tmp_path / "backup", database, silent)
    assert content(user) == expected
    user.close()
    restore(tmp_path / "backup", database, silent)
    assert content(database) == expected


def test_the_log_of_an_sqlite_database_that_was_killed_is_not_joined_with_the_backup(
    new_database: Callable[[str, int], Database], tmp_path: Path
):
    database = new_database("sqlite", 5)
    expected = content(database)
    backup(database, tmp_path / "backup", silent)
    code = """
import os, sys
from scimsvc.store.database import Database
from scimsvc.store.tenants import create_tenant
database = Database(sys.argv[1])
for number in range(40):
    create_tenant(database, f"after {number}", "entra")
os._exit(9)
"""
    database.close()
    assert subprocess.run([sys.executable, "-c", code, database.url], check=False).returncode == 9
    log = Path(f"{database.url.removeprefix('sqlite:///')}-wal")
    assert log.stat().st_size
    restore(tmp_path / "backup", database, silent)
    assert content(database) == expected


@pytest.mark.parametrize("how", ["kill", "full"])
def test_an_sqlite_restore_that_ends_early_changes_nothing(
    new_database: Callable[[str, int], Database], tmp_path: Path, how: str
):
    larger, database = new_database("sqlite", 300), new_database("sqlite", 3)
    backup(larger, tmp_path / "backup", silent)
    expected = content(database)
    database.close()
    ended = subprocess.run(
        [sys.executable, "-c", PROCESS, "restore", database.url, str(tmp_path / "backup"), how],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == (-signal.SIGKILL if how == "kill" else 1), ended.stderr
    assert how == "kill" or "can't be restored, and is as it was" in ended.stderr
    assert content(database) == expected
    database.close()
    restore(tmp_path / "backup", database, silent)
    assert content(database) == content(larger)


def test_an_sqlite_restore_that_ends_early_leaves_no_half_of_a_new_database(
    new_database: Callable[[str, int], Database], tmp_path: Path
):
    backup(new_database("sqlite", 300), tmp_path / "backup", silent)
    database = Database(f"sqlite:///{tmp_path}/new.db")
    command = [sys.executable, "-c", PROCESS, "restore", database.url, str(tmp_path / "backup")]
    assert subprocess.run([*command, "full"], capture_output=True, check=False).returncode == 1
    assert database.missing_file
    assert subprocess.run([*command, "kill"], check=False).returncode == -signal.SIGKILL
    assert database.peewee.get_tables() == []
    database.close()
    restore(tmp_path / "backup", database, silent)
    assert tenants_in(database) == 300
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    database.close()


@pytest.mark.parametrize("how", ["kill", "full"])
def test_an_sqlite_backup_that_ends_early_is_no_file(new_database: Callable[[str, int], Database], tmp_path: Path, how: str):
    database = new_database("sqlite", 300)
    database.close()
    ended = subprocess.run(
        [sys.executable, "-c", PROCESS, "backup", database.url, str(tmp_path / "backup"), how],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == (-signal.SIGKILL if how == "kill" else 1), ended.stderr
    assert not (tmp_path / "backup").exists()
    assert [path.name[:8] for path in tmp_path.iterdir()] == ([".backup."] if how == "kill" else [])
    backup(database, tmp_path / "backup", silent)


def test_a_link_to_an_sqlite_database_is_followed(new_database: Callable[[str, int], Database], tmp_path: Path):
    database = new_database("sqlite", 2)
    backup(database, tmp_path / "backup", silent)
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    linked = Database(f"sqlite:///{tmp_path}/link.db")
    restore(tmp_path / "backup", linked, silent)
    assert (tmp_path / "link.db").is_symlink()
    assert tenants_in(linked) == 2
    linked.close()


def test_a_postgresql_database_with_tables_is_not_restored(new_database: Callable[[str, int], Database], tmp_path: Path):
    database, other = new_database("postgresql", 2), new_database("postgresql", -1)
    backup(database, tmp_path / "backup", silent)
    for statements in (
        ["CREATE SCHEMA own", "CREATE TABLE own.one (a INTEGER)"],
        ["DROP TABLE own.one", "CREATE VIEW v AS SELECT 1"],
    ):
        execute(other, *statements)
        with pytest.raises(BackupError, match="has 1 tables; a backup is restored into an empty database alone"):
            restore(tmp_path / "backup", other, silent)


def test_a_postgresql_restore_that_fails_at_its_end_leaves_nothing(new_database: Callable[[str, int], Database], tmp_path: Path):
    database, other = new_database("postgresql", 2), new_database("postgresql", -1)
    backup(database, tmp_path / "backup", silent)
    # An index of that name is made when all rows are there.
    execute(other, "CREATE SEQUENCE membership_of_member")
    with pytest.raises(BackupError, match="membership_of_member"):
        restore(tmp_path / "backup", other, silent)
    assert other.peewee.get_tables() == []
    execute(other, "DROP SEQUENCE membership_of_member")
    restore(tmp_path / "backup", other, silent)
    assert content(other) == content(database)


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_program_that_is_missing_or_too_old_is_named(
    new_database: Callable[[str, int], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    database = new_database("postgresql", 1)
    monkeypatch.setattr(postgresql_backup, "_PLACES", (f"{tmp_path}/places/*",))
    monkeypatch.setenv("PATH", str(tmp_path / "old"))
    with pytest.raises(BackupError, match=r"pg_dump of PostgreSQL 18 is needed.*found: none"):
        backup(database, tmp_path / "backup", silent)
    program(tmp_path / "old", "pg_dump", "echo 'pg_dump (PostgreSQL) 12.3 (Debian)'")
    with pytest.raises(BackupError, match=rf"found: {tmp_path}/old/pg_dump 12\. .*postgresql-client-18"):
        backup(database, tmp_path / "backup", silent)
    assert not (tmp_path / "backup").exists()


def test_the_program_of_the_servers_version_is_taken(
    new_database: Callable[[str, int], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "places").mkdir()
    monkeypatch.setattr(postgresql_backup, "_PLACES", (f"{tmp_path}/places/*",))
    monkeypatch.setenv("PATH", str(tmp_path / "first"))
    program(tmp_path / "first", "pg_dump", "echo 'pg_dump (PostgreSQL) 20.1'")
    for version in (14, 18, 19):
        program(tmp_path / "places" / str(version), "pg_dump", f"echo 'pg_dump (PostgreSQL) {version}.1'")
    program(tmp_path / "places" / "18", "pg_restore", "exit 1")
    chosen = {server: Path(postgresql_backup._program("pg_dump", server)).parent.name for server in (13, 14, 15, 18, 19, 20)}
    assert chosen == {13: "14", 14: "14", 15: "18", 18: "18", 19: "19", 20: "first"}
    with pytest.raises(BackupError, match=r"pg_restore .* found: none"):
        postgresql_backup._program("pg_restore", 18)


def test_no_password_is_on_a_command_line_or_in_a_message(
    new_database: Callable[[str, int], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    database = new_database("postgresql", 1)
    record = tmp_path / "record"
    fails = f'echo "$PGPASSWORD" "$@" >> {record}; echo "bad secret+1" >&2; exit 1'
    for name in ("pg_dump", "pg_restore"):
        program(tmp_path / "bin", name, f'case "$1" in --version) echo "x (PostgreSQL) 18.1";; *) {fails};; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    url = database.url.replace("postgresql://postgres:@", "postgresql://postgres:secret%2B1@")
    assert "secret" in url
    with pytest.raises(BackupError) as failed:
        backup(Database(url), tmp_path / "backup", silent)
    assert "secret" not in str(failed.value)
    password, *arguments = record.read_text().split()
    assert password == "secret+1"
    assert "--no-password" in arguments
    assert not [one for one in arguments if "secret" in one]
    with pytest.raises(BackupError, match="sslpassword"):
        backup(Database(f"{url}&sslpassword=x"), tmp_path / "backup", silent)
