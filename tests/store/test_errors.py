"""What goes wrong in a database has a name out of a few, and is the client's fault where it is."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import peewee
import psycopg
import pytest

from scimsvc.protocol.errors import ScimError
from scimsvc.store.database import Database, DatabaseUnavailable, TookTooLong
from scimsvc.store.errors import REASONS, Translation
from scimsvc.store.migrations import migrate
from scimsvc.store.postgresql import Unanswered
from tests.conftest import KINDS

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT COUNT(*) FROM n"


def sqlite_error(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("secret")
    error.sqlite_errorname = name
    return error


def system_error(number: int) -> Exception:
    error = peewee.OperationalError("secret")
    error.__cause__ = OSError(number, "secret")
    return error


def state(code: str) -> psycopg.Error:
    return psycopg.errors.lookup(code)("secret")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (sqlite_error("SQLITE_FULL"), "full"),
        (sqlite_error("SQLITE_BUSY_SNAPSHOT"), "locked"),
        (sqlite_error("SQLITE_READONLY_DBMOVED"), "read-only"),
        (sqlite_error("SQLITE_CANTOPEN"), "unreachable"),
        (sqlite_error("SQLITE_NOTADB"), "broken"),
        (sqlite_error("SQLITE_INTERRUPT"), "timeout"),
        (sqlite_error("SQLITE_ERROR"), "failed"),
        (system_error(errno.ENOSPC), "full"),
        (system_error(errno.ENOENT), "unreachable"),
        (system_error(errno.EROFS), "read-only"),
        (system_error(errno.EMFILE), "failed"),
        (psycopg.OperationalError("secret"), "unreachable"),
        (psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients already"), "too many connections"),
        (
            psycopg.OperationalError("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute"),
            "too many connections",
        ),
        (psycopg.OperationalError('FATAL:  too many connections for database "scimsvc"'), "too many connections"),
        (psycopg.OperationalError("FATAL: no more connections allowed (max_client_conn)"), "too many connections"),
        (state("53300"), "too many connections"),
        (Unanswered("secret"), "timeout"),
        (state("57P01"), "unreachable"),
        (state("53100"), "full"),
        (state("55P03"), "locked"),
        (state("25006"), "read-only"),
        (state("28P01"), "refused"),
        (state("57014"), "timeout"),
        (state("42P01"), "failed"),
        (peewee.InterfaceError("secret"), "failed"),
    ],
)
def test_reason_is_one_word_by_the_drivers_code(error: Exception, reason: str):
    for reading in (False, True):
        with pytest.raises(DatabaseUnavailable) as caught, Translation(reading):
            raise error
        assert caught.value.reason == reason
        assert reason in REASONS
        took_too_long = reading and reason == "timeout" and not isinstance(error, Unanswered)
        assert isinstance(caught.value, TookTooLong) == took_too_long
        assert caught.value.sqlstate == getattr(error, "sqlstate", None)


@pytest.mark.parametrize(
    "error", [state("22001"), state("22P05"), state("54000"), sqlite3.DataError(), peewee.DataError(), psycopg.DataError()]
)
def test_what_no_database_can_hold_is_the_clients_fault(error: Exception):
    with pytest.raises(ScimError) as caught, Translation():
        raise error
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")


@pytest.mark.parametrize("kind", KINDS)
def test_reading_has_an_end(new_database_url: Callable[[str], str], kind: str):
    database = Database(new_database_url(kind), statement_timeout=0.05)
    for _ in range(2):
        with pytest.raises(TookTooLong), database.reading():
            database.execute(ENDLESS, ()).fetchall()
    with database.reading():
        assert database.execute("SELECT 1", ()).fetchone() == (1,)
    database.close()


def test_a_writer_that_takes_too_long_may_try_again(new_database_url: Callable[[str], str]):
    database = Database(new_database_url("postgresql"), statement_timeout=0.05)
    with pytest.raises(DatabaseUnavailable) as caught:
        database.transaction(lambda: database.execute(ENDLESS, ()))
    assert (type(caught.value), caught.value.reason) == (DatabaseUnavailable, "timeout")
    database.close()


def test_a_readers_time_is_not_a_writers(new_database_url: Callable[[str], str]):
    database = Database(new_database_url("sqlite"), statement_timeout=1e-9)
    many = ENDLESS.replace("FROM n)", "FROM n LIMIT 100000)")
    with pytest.raises(TookTooLong), database.reading():
        database.execute(many, ()).fetchall()
    assert database.transaction(lambda: database.execute(many, ()).fetchone()) == (100_000,)
    database.close()


def test_options_of_the_url_stay(new_database_url: Callable[[str], str]):
    url = new_database_url("postgresql")
    database = Database(f"{url}{'&' if '?' in url else '?'}options=-c%20work_mem%3D3MB", statement_timeout=7)
    shown = [database.execute(f"SHOW {name}", ()).fetchone() for name in ("work_mem", "statement_timeout")]
    assert shown == [("3MB",), ("7s",)]
    database.close()


def test_a_file_that_cannot_be_there_is_unreachable(tmp_path: Path):
    for place in (tmp_path / "none" / "x.db", tmp_path):
        database = Database(f"sqlite:///{place}")
        with pytest.raises(DatabaseUnavailable) as caught, database.reading():
            database.execute("SELECT 1", ())
        assert caught.value.reason == "unreachable"
        with pytest.raises(DatabaseUnavailable) as caught:
            database.transaction(lambda: None)
        assert caught.value.reason == "unreachable"


def test_what_was_deleted_leaves_the_log_and_the_file(tmp_path: Path):
    database, reader = Database(f"sqlite:///{tmp_path}/x.db"), Database(f"sqlite:///{tmp_path}/x.db")
    migrate(database)
    insert = "INSERT INTO tenant (name, profile, created) VALUES ('mira.okafor', '', '')"
    database.transaction(lambda: database.execute(insert, ()))
    database.transaction(lambda: database.execute("DELETE FROM tenant", ()))
    read = reader.execute("SELECT name FROM migration", ())
    database.execute("PRAGMA busy_timeout = 0", ())
    assert not database.truncate_log()
    read.fetchall()
    assert database.truncate_log()
    assert not [path for path in tmp_path.iterdir() if b"mira.okafor" in path.read_bytes()]
    database.close()
    reader.close()


def test_new_sqlite_file_is_for_its_owner_alone(tmp_path: Path):
    former = os.umask(0o022)
    try:
        for name, mode in (("new.db", 0o600), ("there.db", 0o640), ("link.db", 0o600)):
            path = tmp_path / name
            if mode != 0o600:
                path.touch(mode)
            if name == "link.db":
                path.symlink_to("of-a-link.db")
                path = tmp_path / "of-a-link.db"
            database = Database(f"sqlite:///{tmp_path / name}")
            migrate(database)
            assert [os.stat(f"{path}{end}").st_mode & 0o777 for end in ("", "-wal", "-shm")] == [mode] * 3
            database.close()
    finally:
        os.umask(former)
