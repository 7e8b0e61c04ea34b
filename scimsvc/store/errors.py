"""What can go wrong in a database, in the words of those who call the store."""

from __future__ import annotations

import sqlite3

import peewee
import psycopg

_RETRY_STATES = {"40001": "serialization failure", "40P01": "deadlock detected"}


class DatabaseUnavailable(Exception):
    """The database can't be reached, is locked for too long, or has no room; nothing was stored."""


class OutcomeUnknown(DatabaseUnavailable):
    """The database was lost during the commit: the change is stored, or it is not."""


class UniquenessViolation(Exception):
    """A unique value is in use already; nothing was stored."""


class Retry(Exception):
    """The transaction was rolled back for no fault of its own."""


class Translation:
    """A context in which the drivers' errors become UniquenessViolation, DatabaseUnavailable or Retry."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (peewee.IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)):
            if _sqlstate(error) in (None, "23505") and "FOREIGN KEY" not in str(error):
                raise UniquenessViolation from error
            # A row that was referred to has gone meanwhile: the next try sees that.
            raise Retry from error
        if isinstance(error, (peewee.PeeweeException, sqlite3.Error, psycopg.Error)):
            if _sqlstate(error) in _RETRY_STATES:
                raise Retry from error
            raise DatabaseUnavailable(str(error)) from error


def _sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE that PostgreSQL gave, from the driver's error behind peewee's."""
    for cause in (error, error.__cause__, error.__context__):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None
