"""Accept connections, and close the listening sockets without losing one."""

from __future__ import annotations

import errno
import socket
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from scimsvc.web.gunicorn.connection import Connection
from scimsvc.web.gunicorn.reading import Reading

NO_FILES = 0.05
"""Seconds after which a worker that can open no more files tries again to accept a connection."""

_NOT_NOW = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EPROTO, errno.EPERM})
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class NoFiles(Exception):
    """The process or the system can open no more files, so no connection can be accepted now."""


def accept(listener: Any) -> tuple[socket.socket, Any] | None:
    """Return a new connection and its client's address; None if no client waits. Raise NoFiles.

    The socket stays blocking, and each call on it passes MSG_DONTWAIT. A call that makes it non-blocking would release the GIL,
    and a loop that releases it while threads compute waits 5 ms to get it back.
    """
    try:
        client, address = listener.accept()
    except OSError as error:
        if error.errno in _NO_FILES:
            raise NoFiles from None
        if error.errno in _NOT_NOW:
            return None
        raise
    return client, address


class Listening(Reading):
    """Accept as many connections as the worker may have. `alive` says whether the worker goes on or stops."""

    _names: dict[Any, Any]
    """The address of each listening socket."""
    _request_bytes: int

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._accepting = False

    def _accept_or_not(self) -> None:
        """Watch the listening sockets unless the worker is full of connections that must not end."""
        wanted = len(self._connections) < self.cfg.worker_connections or self._oldest_idle() is not None
        if wanted == self._accepting:
            return
        for listener in self.sockets:
            if wanted:
                listener.setblocking(False)
                self._poller.register(listener, EVENT_READ, partial(self._on_listener, listener))
            else:
                self._poller.unregister(listener)
        self._accepting = wanted

    def _on_listener(self, listener: Any, events: int) -> None:
        """Accept a connection; if no more files can be opened, make room or wait a moment."""
        try:
            self._accept(listener)
        except NoFiles:
            # The clients that are connected go on meanwhile.
            self.log.warning("no more files can be opened, so connections wait")
            if not self._close_oldest():
                time.sleep(NO_FILES)

    def _accept(self, listener: Any) -> bool:
        """Accept a connection, and close the oldest idle one if there are too many. Return whether a client waited."""
        accepted = accept(listener)
        if accepted is None:
            return False
        client, address = accepted
        if self.alive and len(self._connections) >= self.cfg.worker_connections:
            self._close_oldest()
        now = time.monotonic()
        conn = Connection(client, address, self._names[listener], self._request_bytes, now, now + self._read_timeout)
        self._connections.add(conn)
        self._watch(conn, EVENT_READ)
        return True

    def _stop_listening(self) -> None:
        """Accept every connection that the system has accepted already, so that none is reset, and close the sockets."""
        for listener in self.sockets:
            if self._accepting:
                self._poller.unregister(listener)
            try:
                for _ in range(self.cfg.backlog):
                    if not self._accept(listener):
                        break
            except NoFiles:
                self.log.warning("no more files can be opened, so connections are reset")
            listener.close()
        self._accepting = False
