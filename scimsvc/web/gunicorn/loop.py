"""The loop of a worker: which sockets it watches, and how threads hand connections back to it."""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.base import Worker as BaseWorker

from scimsvc.web.gunicorn.connection import Connection, State

RETURNED = 16
"""Connections that threads handed back and that go on in one turn of the loop. In that turn one new connection is accepted."""


class Loop(BaseWorker):
    """Watch sockets and call a step of the connection whose socket is ready.

    `_read_or_send`, `_advance`, `_checked`, `_go_on` and `_check_deadline` are the steps; later layers define them.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections: set[Connection] = set()
        self._returned: deque[Connection] = deque()
        self._poller: selectors.BaseSelector

    def _open(self) -> None:
        """Open the poller and the pipe that wakes it; each process needs its own."""
        self._poller = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._poller.register(self._wake_reader, EVENT_READ, self._take_back)

    def _turn(self, looked: float, tick: float) -> float:
        """Handle what has happened. Check the deadlines every `tick` seconds. Return when they were last checked."""
        for key, events in self._poller.select(tick):
            key.data(events)
        now = time.monotonic()
        if now - looked < tick:
            return looked
        self.notify()
        for conn in list(self._connections):
            self._check_deadline(conn, now)
        return now

    def _wake(self) -> None:
        # A pipe that is full wakes the loop as well.
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b"\0")

    def _leave(self, conn: Connection) -> None:
        """In a thread: hand a connection back to the loop."""
        self._returned.append(conn)
        self._wake()

    def _take_back(self, events: int) -> None:
        """Go on with connections that were handed back."""
        os.read(self._wake_reader, 4096)
        # What the loop itself puts back waits for the next turn, or one client could keep the loop here.
        for _ in range(min(len(self._returned), RETURNED)):
            conn = self._returned.popleft()
            if conn.state is State.READING:
                self._or_close(conn, self._advance)
            elif conn.state is not State.CLOSED and conn.state is not State.LINGERING:
                self._or_close(conn, self._checked if conn.checking else self._go_on)
        if self._returned:
            self._wake()

    def _watch(self, conn: Connection, events: int) -> None:
        """Call `_on_event` when one of `events` happens to a connection; 0 watches for nothing."""
        if events == conn.watched:
            return
        if not events:
            self._poller.unregister(conn.sock)
        elif conn.watched:
            self._poller.modify(conn.sock, events, partial(self._on_event, conn))
        else:
            self._poller.register(conn.sock, events, partial(self._on_event, conn))
        conn.watched = events

    def _on_event(self, conn: Connection, events: int) -> None:
        self._or_close(conn, self._read_or_send)

    def _or_close(self, conn: Connection, step: Callable[[Connection], None]) -> None:
        """Do a step for a connection. If it fails, close this connection, so that the worker and all others go on."""
        try:
            step(conn)
        except Exception:
            self.log.exception("a connection was closed because the worker failed")
            self._close(conn)

    def _close(self, conn: Connection) -> None:
        """Close a connection, if it is not closed already."""
        if conn.state is State.CLOSED:
            return
        self._watch(conn, 0)
        conn.state = State.CLOSED
        conn.unsent = []
        self._connections.discard(conn)
        conn.sock.close()

    # Steps that later layers define

    def _read_or_send(self, conn: Connection) -> None:
        """Read or send after the socket has become ready."""
        raise NotImplementedError

    def _advance(self, conn: Connection) -> None:
        """Go on with a connection in READING."""
        raise NotImplementedError

    def _checked(self, conn: Connection) -> None:
        """Go on with a large request after a thread has looked up its token."""
        raise NotImplementedError

    def _go_on(self, conn: Connection) -> None:
        """Go on with a connection after its answer."""
        raise NotImplementedError

    def _check_deadline(self, conn: Connection, now: float) -> None:
        """End a connection whose time is over."""
        raise NotImplementedError
