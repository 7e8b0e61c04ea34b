"""Connections to PostgreSQL that end when the server no longer answers."""

from __future__ import annotations

from typing import Any, TypeVar

import peewee
import psycopg
from psycopg.conninfo import conninfo_to_dict

Result = TypeVar("Result")

_CONNECT_SECONDS = 5
_GRACE = 5.0
"""Seconds that the server has beyond its own limit to say that a statement took too long."""
_CANCEL_SECONDS = 2.0
_DEFAULTS = {"connect_timeout": _CONNECT_SECONDS, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Parameters of libpq, unless the URL has them: an idle connection to a server that is gone ends after a minute."""


class Unanswered(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class Connection(psycopg.Connection[Any]):
    """A connection that waits for each answer for so many seconds. The server's kernel keeps a connection alive if its process
    hangs, so TCP's own limits don't end the wait.
    """

    answer_within: float | None = None
    cancels = False
    """Whether a statement that takes too long is cancelled from here, because the server was told of no limit."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait as psycopg does. Raise QueryCanceled if the server could cancel the statement, else Unanswered."""
        try:
            return super().wait(gen, interval, self.answer_within if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            if timeout is not None:
                raise
        answered = self.cancels and self._was_cancelled()
        self.close()
        if answered:
            raise psycopg.errors.QueryCanceled("The statement took too long and was cancelled.")
        raise Unanswered("The server did not answer in time.")

    def _was_cancelled(self) -> bool:
        try:
            self.cancel_safe(timeout=_CANCEL_SECONDS)
        except psycopg.Error:
            return False
        return True


class PostgreSQL(peewee.PostgresqlDatabase):
    """Opens such connections. Without `prepared_statements` nothing depends on the state of a session, so that each transaction
    may have another one: statements are not prepared, and there are no startup options. `statement_timeout` is in seconds.
    """

    def __init__(self, url: str, statement_timeout: float | None, prepared_statements: bool) -> None:
        conninfo = url.replace("postgres://", "postgresql://", 1)
        super().__init__(conninfo, prefer_psycopg3=True)
        self._conninfo = conninfo
        self._timeout = statement_timeout
        self._prepared_statements = prepared_statements

    def _connect(self) -> Connection:
        parameters = self._parameters()
        if not self._prepared_statements:
            parameters["prepare_threshold"] = None
        connection = Connection.connect(self._conninfo, autocommit=True, **parameters)
        if self._timeout:
            connection.cancels = not self._prepared_statements
            connection.answer_within = self._timeout + (0 if connection.cancels else _GRACE)
        return connection

    def _parameters(self) -> dict[str, Any]:
        """What libpq is told besides the URL."""
        try:
            given = conninfo_to_dict(self._conninfo)
        except psycopg.Error:
            # What is wrong with it is said when it connects.
            given = {}
        parameters: dict[str, Any] = {name: value for name, value in _DEFAULTS.items() if name not in given}
        if not self._timeout:
            return parameters
        if "tcp_user_timeout" not in given:
            parameters["tcp_user_timeout"] = round((self._timeout + _GRACE) * 1000)
        if self._prepared_statements:
            own = given.get("options") or ""
            parameters["options"] = f"{own} -c statement_timeout={round(self._timeout * 1000)}".strip()
        return parameters
