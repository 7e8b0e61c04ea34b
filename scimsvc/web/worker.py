"""gunicorn's threaded worker, with threads for requests that have arrived and none for clients that are slow.

gunicorn's own gives a thread to every connection, and the thread waits for whatever the client sends, for ever. Here the
loop that watches all connections collects what arrives. A thread reads on only where a request is large, and not for long.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

from scimsvc.settings import ServerSettings

COLLECTED = 65536
"""Bytes of a request that are collected before a thread reads on; all connections of a worker may have as many in memory."""
SENDING = 60
"""Seconds after which a client that takes nothing of its answer is left."""
LEFTOVER = 0.5
"""Seconds for which a thread waits for the rest of a body that nobody has read; then the connection ends."""
LINGERING = 2.0
"""Seconds for which what a client still sends is thrown away behind the last answer (RFC 9112 §9.6)."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")
_LAST_CHUNK = b"0\r\n\r\n"
_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def worth_a_thread(received: bytes | bytearray) -> bool:
    """Whether a request is there, as far as that can be told without parsing it; what it is, its parser decides."""
    end = received.find(b"\r\n\r\n")
    if end < 0 or len(received) >= COLLECTED:
        return len(received) >= COLLECTED
    head = bytes(received[: end + 2]).lower()
    if b"\r\nexpect:" in head:
        # The client sends nothing more before it is told to continue.
        return True
    if b"\r\ntransfer-encoding:" in head:
        return received.endswith(_LAST_CHUNK)
    length = _LENGTH.search(head)
    return length is None or len(received) >= min(end + 4 + int(length[1]), COLLECTED)


class TooSlow(TimeoutError):
    """A client did not send its request in time."""

    def __init__(self) -> None:
        # gunicorn logs a traceback for errors of a socket, but not for this one, which a client causes as easily.
        super().__init__(errno.ECONNRESET, "the request did not arrive in time")


class Connection(TConn):
    """A connection, and what has arrived of a request. `deadline` is when all of that has to be there."""

    def __init__(self, read_timeout: float, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._read_timeout = read_timeout
        self._received: bytearray | None = None
        self.deadline = 0.0

    def init(self) -> None:
        """Make the parser, whose reads end at the deadline."""
        if self.parser is None and not self.cfg.is_ssl:
            self.parser = RequestParser(self.cfg, _Timed(self), self.client)  # type: ignore[arg-type]
        super().init()

    def arrived(self) -> bool:
        """Take what is there, without waiting; True where it is time for a thread, also because the connection has ended."""
        self.init()
        assert isinstance(self.parser, RequestParser)
        unreader = self.parser.unreader
        if self._received is None:
            self._received = bytearray(unreader.take_buffered())
            self.deadline = time.monotonic() + self._read_timeout
        complete = bool(self._received) and worth_a_thread(self._received)
        try:
            if not complete:
                data = self.sock.recv(COLLECTED, socket.MSG_DONTWAIT)
                self._received += data
                complete = not data or worth_a_thread(self._received)
        except BlockingIOError:
            return False
        except OSError:
            complete = True
        if complete:
            unreader.unread(self._received)
            self._received = None
        return complete

    def close(self, graceful: bool = False) -> None:
        """Close it; a client that had begun to send a request is told that it took too long."""
        if self._received:
            with suppress(OSError):
                self.sock.send(_TIMEOUT, socket.MSG_DONTWAIT)
        super().close(graceful)


class _Timed:
    """A socket as a parser reads from it: until the connection's deadline, and no longer than the socket's own timeout."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.gettimeout = connection.sock.gettimeout
        self.settimeout = connection.sock.settimeout

    def recv(self, size: int) -> bytes:
        left = self._connection.deadline - time.monotonic()
        if left <= 0:
            raise TooSlow
        allowed = self.gettimeout()
        self.settimeout(left if allowed is None else min(left, allowed))
        try:
            return self._connection.sock.recv(size)
        except TimeoutError:
            raise TooSlow from None
        finally:
            self.settimeout(allowed)


class Worker(ThreadWorker):
    """The worker class of gunicorn.conf.py, which says how long a request may take to arrive.

    With gunicorn's own TLS, whose bytes only a thread can read, it is gunicorn's threaded worker and no more than that.
    """

    read_timeout: float = ServerSettings.read_timeout

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lingering: deque[TConn] = deque()

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        # A timeout of Python's own would cost each request three more system calls.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SENDING, 0))
        self.nr_conns += 1
        self.enqueue_req(Connection(self.read_timeout, self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: TConn) -> None:
        """Give the connection a thread where its next request has arrived, or else wait for that."""
        if not isinstance(conn, Connection) or self.cfg.is_ssl or conn.arrived():
            super().enqueue_req(conn)
            return
        conn.timeout = conn.deadline
        self._watch(self.pending_conns, conn, self.on_pending_socket_readable)

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """More of a request has come. Until all of it has, the connection keeps its place among those that expire."""
        if not isinstance(conn, Connection) or conn.arrived():
            self._unwatch(self.pending_conns, conn)
            super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Future[bool]) -> None:
        """Go on with a connection behind an answer, or end it without letting all others wait for its client."""
        if self.cfg.is_ssl:
            super().finish_request(conn, fs)
            return
        if not (fs.cancelled() or fs.exception()) and fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(conn)
            return
        conn.timeout = time.monotonic() + LINGERING
        self._watch(self._lingering, conn, self._throw_away)

    def murder_pending(self) -> None:
        """End the connections whose time is over."""
        super().murder_pending()
        while self._lingering and (self._lingering[0].timeout or 0) <= time.monotonic():
            self._throw_away(self._lingering[0], None)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + LEFTOVER))  # type: ignore[union-attr]

    def _throw_away(self, conn: TConn, client: socket.socket | None) -> None:
        try:
            ended = client is None or not conn.sock.recv(COLLECTED, socket.MSG_DONTWAIT)
        except OSError:
            ended = True
        if ended:
            self._unwatch(self._lingering, conn)
            self._end(conn)

    def _watch(self, waiting: deque[TConn], conn: TConn, readable: Callable[[TConn, socket.socket], None]) -> None:
        waiting.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(readable, conn))

    def _unwatch(self, waiting: deque[TConn], conn: TConn) -> None:
        waiting.remove(conn)
        self.poller.unregister(conn.sock)

    def _end(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
