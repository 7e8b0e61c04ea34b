"""What can go wrong in a database, in the words of those who call the store."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

import peewee
import psycopg

from scimsvc.protocol.errors import invalid_value
from scimsvc.store.postgresql import Unanswered

_RETRY_STATES = {"40001": "serialization failure", "40P01": "deadlock detected"}

REASONS = {
    "unreachable": "can't be reached",
    "too many connections": "has no connection left",
    "refused": "refuses the login of this service",
    "full": "has no room left",
    "locked": "is locked by another program",
    "read-only": "can't be written to",
    "timeout": "did not answer in time",
    "broken": "is broken, or is none of scimsvc's",
    "failed": "failed",
}
"""Why a database is unavailable, in one word, and what is said of it then."""

_SQLITE = {
    "SQLITE_CANTOPEN": "unreachable",
    "SQLITE_FULL": "full",
    "SQLITE_BUSY": "locked",
    "SQLITE_LOCKED": "locked",
    "SQLITE_READONLY": "read-only",
    "SQLITE_PERM": "read-only",
    "SQLITE_INTERRUPT": "timeout",
    "SQLITE_CORRUPT": "broken",
    "SQLITE_NOTADB": "broken",
}
"""By the beginning of an error's name."""
_POSTGRESQL = {
    "08": "unreachable",
    "57P": "unreachable",
    "57014": "timeout",
    "28": "refused",
    "3D": "refused",
    "42501": "refused",
    "53100": "full",
    "53300": "too many connections",
    "55P03": "locked",
    "25006": "read-only",
    "XX001": "broken",
    "XX002": "broken",
}
"""By the beginning of an SQLSTATE."""
_SYSTEM = {
    errno.ENOENT: "unreachable",
    errno.ENOTDIR: "unreachable",
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EACCES: "read-only",
    errno.EROFS: "read-only",
}
_NO_CONNECTION_LEFT = ("too many clients", "too many connections", "connection slots are reserved", "no more connections allowed")
"""What PostgreSQL or pgbouncer says in English if it has no connection left: libpq tells no SQLSTATE before the login. In another
language of the server the reason is `unreachable`.
"""
_VALUE_STATES = ("22", "54")
"""Classes of SQLSTATE: a value of a wrong form, one that is too large."""


class DatabaseUnavailable(Exception):
    """The database can't be reached, is locked for too long, or has no room; nothing was stored. `reason` is one of REASONS,
    `sqlstate` is PostgreSQL's code, if it gave one.
    """

    def __init__(self, message: str, reason: str = "failed", sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.sqlstate = sqlstate

    def in_words(self) -> str:
        """What happened, for a client."""
        return f"The database {REASONS[self.reason]}; nothing was stored. Try again."


class OutcomeUnknown(DatabaseUnavailable):
    """The database was lost during the commit: the change is stored, or it is not."""

    def in_words(self) -> str:
        """What happened, for a client."""
        return "The database was lost while the change was being stored, so it is there or it isn't. Look before you try again."


class TookTooLong(DatabaseUnavailable):
    """Reading was ended after the time that there is for it."""


class UniquenessViolation(Exception):
    """A unique value is in use already; nothing was stored."""


class Retry(Exception):
    """The transaction was rolled back for no fault of its own."""


class Translation:
    """A context in which the drivers' errors become UniquenessViolation, DatabaseUnavailable or Retry, or, where a value is none
    that the database can hold, ScimError invalidValue. Where it is for `reading`, DatabaseUnavailable may be TookTooLong.
    """

    def __init__(self, reading: bool = False) -> None:
        self._reading = reading

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (peewee.IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)):
            if _sqlstate(error) in (None, "23505") and "FOREIGN KEY" not in str(error):
                raise UniquenessViolation from error
            # A row that was referred to has gone meanwhile: the next try sees that.
            raise Retry from error
        if isinstance(error, (peewee.PeeweeException, sqlite3.Error, psycopg.Error)):
            state = _sqlstate(error) or ""
            if state in _RETRY_STATES:
                raise Retry from error
            is_of_a_value = isinstance(error, (peewee.DataError, sqlite3.DataError, psycopg.DataError))
            if is_of_a_value or state.startswith(_VALUE_STATES):
                raise invalid_value(
                    "A value is longer than the database can hold, or of another form; nothing was stored."
                ) from error
            reason = reason_of(error)
            took_too_long = self._reading and reason == "timeout" and not _is_unanswered(error)
            kind_of_error = TookTooLong if took_too_long else DatabaseUnavailable
            raise kind_of_error(str(error), reason, state or None) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error of peewee's, which may be wrapped several times, and the driver's or the system's behind it."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE that PostgreSQL gave, from the driver's error behind peewee's."""
    for cause in _causes(error):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


def _is_unanswered(error: BaseException) -> bool:
    return any(isinstance(cause, Unanswered) for cause in _causes(error))


def _reason_without_state(error: BaseException) -> str:
    """The reason if there is no code: PostgreSQL gives none without a connection."""
    if isinstance(error, Unanswered):
        return "timeout"
    if not isinstance(error, psycopg.Error):
        return "failed"
    said = str(error)
    return "too many connections" if any(text in said for text in _NO_CONNECTION_LEFT) else "unreachable"


def reason_of(error: BaseException) -> str:
    """One of REASONS, from an error's code and never from its text, which may have values in it."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _SYSTEM:
            return _SYSTEM[cause.errno]
        if isinstance(cause, (sqlite3.Error, psycopg.Error)):
            code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
            if code is None:
                return _reason_without_state(cause)
            known = _SQLITE if isinstance(cause, sqlite3.Error) else _POSTGRESQL
            return next((reason for beginning, reason in known.items() if code.startswith(beginning)), "failed")
    return "failed"
