"""A PostgreSQL that hangs holds no request thread for ever, with and without prepared statements."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from scimsvc.store import postgresql
from scimsvc.store.database import Database, DatabaseUnavailable, OutcomeUnknown, TookTooLong
from tests.store.test_errors import ENDLESS

MODES = pytest.mark.parametrize("prepared_statements", [True, False])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that the limits can be, so that the tests don't wait long."""
    monkeypatch.setattr(postgresql, "_GRACE", 0.2)
    monkeypatch.setattr(postgresql, "_CANCEL_SECONDS", 0.2)


@contextmanager
def frozen(database: Database) -> Iterator[None]:
    """The server's process for this thread's connection stands still."""
    (pid,) = database.execute("SELECT pg_backend_pid()", ()).fetchone()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def database_of(new_database_url: Callable[[str], str]) -> Iterator[Callable[..., Database]]:
    made: list[Database] = []

    def make(prepared_statements: bool, statement_timeout: float = 0.2) -> Database:
        url = new_database_url("postgresql")
        made.append(Database(url, statement_timeout, prepared_statements=prepared_statements))
        return made[-1]

    yield make
    for database in made:
        database.close()


@MODES
def test_reading_from_a_frozen_server_ends(database_of: Callable[..., Database], prepared_statements: bool):
    database = database_of(prepared_statements)
    with frozen(database), pytest.raises(DatabaseUnavailable) as caught, database.reading():
        database.execute("SELECT 1", ())
    # A query that takes too long is the client's fault, a server that hangs is not. Behind a pooler the two look alike if the
    # server takes the request to cancel.
    assert caught.value.reason == "timeout"
    assert prepared_statements == (not isinstance(caught.value, TookTooLong))
    with database.reading():
        assert database.execute("SELECT 1", ()).fetchone() == (1,)


@MODES
def test_writing_to_a_frozen_server_ends(database_of: Callable[..., Database], prepared_statements: bool):
    database = database_of(prepared_statements)
    with frozen(database), pytest.raises(DatabaseUnavailable) as caught:
        database.transaction(lambda: None)
    assert (type(caught.value), caught.value.reason) == (DatabaseUnavailable, "timeout")
    assert database.transaction(lambda: 1) == 1


def test_commit_that_is_not_answered_leaves_the_outcome_open(database_of: Callable[..., Database]):
    database = database_of(True)
    with pytest.raises(OutcomeUnknown), contextmanager_of(database) as freeze:
        database.transaction(freeze)


@contextmanager
def contextmanager_of(database: Database) -> Iterator[Callable[[], None]]:
    """Gives what freezes the server's process inside of a transaction."""
    stopped: list[int] = []

    def freeze() -> None:
        (pid,) = database.execute("SELECT pg_backend_pid()", ()).fetchone()
        os.kill(pid, signal.SIGSTOP)
        stopped.append(pid)

    try:
        yield freeze
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


@MODES
def test_slow_query_is_told_from_a_hung_server(database_of: Callable[..., Database], prepared_statements: bool):
    database = database_of(prepared_statements)
    with pytest.raises(TookTooLong), database.reading():
        database.execute(ENDLESS, ()).fetchall()
    with database.reading():
        assert database.execute("SELECT 1", ()).fetchone() == (1,)


def test_without_prepared_statements_a_session_has_no_state(database_of: Callable[..., Database]):
    prepared, plain = database_of(True, 7), database_of(False, 7)
    for database in (prepared, plain):
        for _ in range(20):
            database.execute("SELECT %s::int", (1,))
    count = "SELECT COUNT(*) > 0 FROM pg_prepared_statements"
    timeout = "SELECT current_setting('statement_timeout')"
    assert [database.execute(count, ()).fetchone()[0] for database in (prepared, plain)] == [True, False]
    assert [database.execute(timeout, ()).fetchone()[0] for database in (prepared, plain)] == ["7s", "0"]


def test_server_that_accepts_and_says_nothing_is_unreachable(monkeypatch: pytest.MonkeyPatch):
    # Two seconds are the least that libpq takes.
    monkeypatch.setitem(postgresql._DEFAULTS, "connect_timeout", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none", 10)
        with pytest.raises(DatabaseUnavailable) as caught, database.reading():
            database.execute("SELECT 1", ())
    assert caught.value.reason == "unreachable"


def test_parameters_of_the_url_stay():
    database = postgresql.PostgreSQL(
        "postgres://host/name?connect_timeout=9&tcp_user_timeout=1000&options=-c%20a.b%3D1", 10, prepared_statements=True
    )
    assert database._parameters() == {
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "options": "-c a.b=1 -c statement_timeout=10000",
    }
