"""Writers on SQLite share a transaction, and yet each stands for itself."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from scimsvc.protocol.errors import ScimError
from scimsvc.store.database import Database, DatabaseUnavailable, UniquenessViolation

OTHERS = 8


@pytest.fixture
def numbers(new_database_url: Callable[[str], str]) -> Iterator[Database]:
    """A database with a table of numbers."""
    database = Database(new_database_url("sqlite"))
    database.transaction(lambda: database.execute("CREATE TABLE number (value INTEGER PRIMARY KEY, filling TEXT)", ()))
    yield database
    database.close()


def insert(database: Database, value: int, filling: str = "") -> int:
    database.execute("INSERT INTO number (value, filling) VALUES (?, ?)", (value, filling))
    return value


def stored(database: Database) -> list[int]:
    return [value for (value,) in database.execute("SELECT value FROM number ORDER BY value", ()).fetchall()]


def together(database: Database, leading: Callable[[], Any], others: list[Callable[[], Any]]) -> list[Any]:
    """Results, or errors, of works in one transaction: `leading` begins when all others wait for it to end."""
    waiting = database._group_commit._waiting  # type: ignore[union-attr]

    def lead() -> Any:
        while len(waiting) < len(others):
            threading.Event().wait(0.001)
        return leading()

    def outcome(work: Callable[[], Any]) -> Any:
        try:
            return database.transaction(work)
        except Exception as error:
            return error
        finally:
            database.close()

    with ThreadPoolExecutor(len(others) + 1) as threads:
        begun = threading.Event()
        first = threads.submit(outcome, lambda: (begun.set(), lead())[1])
        assert begun.wait(10)
        rest = [threads.submit(outcome, work) for work in others]
        return [future.result(30) for future in (first, *rest)]


def test_each_gets_what_its_own_work_returns(numbers: Database):
    results = together(numbers, lambda: insert(numbers, 0), [lambda n=n: insert(numbers, n) for n in range(1, OTHERS)])
    assert results == list(range(OTHERS)) == stored(numbers)


def test_one_that_fails_leaves_no_trace_and_the_others_stay(numbers: Database):
    def half(value: int) -> None:
        insert(numbers, value)
        raise LookupError(value)

    results = together(
        numbers,
        lambda: insert(numbers, 0),
        [lambda: insert(numbers, 1), lambda: half(2), lambda: insert(numbers, 0), lambda: insert(numbers, 3)],
    )
    assert [type(result) for result in results] == [int, int, LookupError, UniquenessViolation, int]
    assert stored(numbers) == [0, 1, 3]


def test_where_there_is_no_room_nobody_is_told_that_it_worked(numbers: Database):
    insert(numbers, 0)
    (pages,) = numbers.execute("PRAGMA page_count", ()).fetchone()

    def leading() -> int:
        numbers.execute(f"PRAGMA max_page_count = {pages + 2}", ())
        return insert(numbers, 1)

    results = together(
        numbers, leading, [lambda: insert(numbers, 2), lambda: insert(numbers, 3, "x" * 100_000), lambda: insert(numbers, 4)]
    )
    assert {type(result) for result in results} == {DatabaseUnavailable}
    assert stored(numbers) == [0]
    assert numbers.transaction(lambda: insert(numbers, 5)) == 5


def test_a_value_that_the_database_cannot_hold_fails_for_itself_alone(numbers: Database):
    def leading() -> int:
        numbers.peewee.connection().setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
        return insert(numbers, 0)

    results = together(
        numbers, leading, [lambda: insert(numbers, 1), lambda: insert(numbers, 2, "x" * 2000), lambda: insert(numbers, 3)]
    )
    assert [type(result) for result in results] == [int, int, ScimError, int]
    assert (results[2].status, results[2].scim_type) == (400, "invalidValue")
    assert stored(numbers) == [0, 1, 3]


def test_a_work_may_wait_for_its_turn_behind_more_than_one_group(numbers: Database):
    many = [lambda n=n: insert(numbers, n) for n in range(1, 101)]
    assert together(numbers, lambda: insert(numbers, 0), many) == list(range(101)) == stored(numbers)
