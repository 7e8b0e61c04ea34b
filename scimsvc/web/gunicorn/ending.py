"""End connections: refuse a request, throw away what follows the last answer, and close what has taken too long."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from selectors import EVENT_READ
from typing import Any

from scimsvc.web.gunicorn.connection import Connection, State
from scimsvc.web.gunicorn.errors import refusal
from scimsvc.web.gunicorn.framing import Incoming
from scimsvc.web.gunicorn.loop import Loop

LINGERING = 2.0
"""Seconds for which the rest of a request is thrown away after the last answer (RFC 9112 §9.6)."""
STOPPING_IDLE = 1.0
"""Seconds for which a stopping worker keeps a silent connection, from its last answer or the stop, whichever was later."""
STOPPING_BEGUN = 2.0
"""The same for a connection that has sent a part of a request."""


class Ending(Loop):
    """End connections, with an answer of the loop's own or without one."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._stopped_at: float | None = None
        self._count_refusal: Callable[[int], None] = lambda status: None

    def _send_now(self, conn: Connection, data: bytes) -> bool:
        """Send a few bytes at once, or close the connection. Return whether they were sent."""
        try:
            if conn.sock.send(data, socket.MSG_DONTWAIT) == len(data):
                return True
        except OSError:
            pass
        self._close(conn)
        return False

    def _refuse(self, conn: Connection, status: int) -> None:
        """Answer with an error and end the connection."""
        self.log.info("Refused a request with %s", status)
        self._count_refusal(status)
        if self._send_now(conn, refusal(status)):
            self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """End a connection after its last answer. What still comes is thrown away, or the client could lose the answer."""
        conn.incoming = Incoming(0)
        if conn.ended:
            self._close(conn)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        conn.state = State.LINGERING
        conn.deadline = time.monotonic() + LINGERING
        self._watch(conn, EVENT_READ)

    def _check_deadline(self, conn: Connection, now: float) -> None:
        if conn.state is State.WAITING or conn.state is State.RUNNING or conn.state is State.CLOSED:
            return
        deadline = conn.deadline
        reading = conn.state is State.READING
        if self._stopped_at is not None and reading:
            more = STOPPING_BEGUN if conn.incoming.begun else STOPPING_IDLE
            deadline = min(deadline, max(self._stopped_at, conn.since) + more)
        if now < deadline:
            return
        if reading and conn.incoming.begun:
            self._refuse(conn, 408)
        else:
            self._close(conn)
