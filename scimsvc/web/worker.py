"""gunicorn's threaded worker, with threads for requests that have arrived and none for clients that are slow.

gunicorn's own gives a thread to every connection, and the thread waits for whatever the client sends, for ever. Here a thread
takes what is there and gives the connection back, to the loop that watches all of them, until the request has arrived. It reads
on only where a request is large, and not for long.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

from scimsvc.settings import ServerSettings

COLLECTED = 65536
"""Bytes of a request that are collected before a thread reads on; all connections of a worker may have as many in memory."""
SENDING = 20
"""Seconds that one piece of an answer waits for a client that takes nothing; what the system holds may be three such pieces."""
LEFTOVER = 0.05
"""Seconds for which a thread waits for the rest of a body that nobody has read; then the connection ends."""
LINGERING = 2.0
"""Seconds for which what a client still sends is thrown away behind the last answer (RFC 9112 §9.6)."""

NO_FILES = 0.05
"""Seconds after which a worker that can open no more files tries again to take a connection."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")
_LAST_CHUNK = re.compile(rb"\r\n0+[ \t]*(?:;[^\r\n]*)?\r\n")
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def worth_a_thread(received: bytes | bytearray) -> bool:
    """Whether a request is there, as far as that can be told without parsing it; what it is, its parser decides."""
    end = received.find(b"\r\n\r\n")
    if end < 0 or len(received) >= COLLECTED:
        return len(received) >= COLLECTED
    head = bytes(received[: end + 2]).lower()
    if b"\r\ntransfer-encoding:" in head:
        # What looks like the last chunk may be in another one; then a thread reads the rest.
        return _LAST_CHUNK.search(received, end + 2) is not None
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
        self._continued = False
        self.deadline = 0.0

    def init(self) -> None:
        """Make the parser, whose reads end at the deadline."""
        if self.parser is None and not self.cfg.is_ssl:
            self.parser = RequestParser(self.cfg, _Timed(self), self.client)  # type: ignore[arg-type]
        super().init()

    def begin(self) -> None:
        """From now on the time for a request counts."""
        self._received = bytearray()
        self.deadline = time.monotonic() + self._read_timeout

    def arrived(self) -> bool:
        """Take what is there, without waiting; True where all of a request is, also because the connection has ended."""
        self.init()
        assert isinstance(self.parser, RequestParser)
        unreader = self.parser.unreader
        received: bytes | bytearray | None = self._received
        if received is None:
            received = unreader.take_buffered()
            self.deadline = time.monotonic() + self._read_timeout
        complete = bool(received) and worth_a_thread(received)
        if not complete:
            try:
                data = self.sock.recv(COLLECTED, socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._received = bytearray(received)
                return False
            except OSError:
                data = b""
            received = received + data if received else data
            complete = not data or worth_a_thread(received)
        self._received = None if complete else bytearray(received)
        if complete:
            self._continued = False
            unreader.unread(received)
        elif not self._continued and _EXPECT.search(received):
            # The client sends nothing more before it is told to.
            self._continued = True
            with suppress(OSError):
                self.sock.send(_CONTINUE, socket.MSG_DONTWAIT)
        return complete

    def hurry(self, deadline: float) -> None:
        """Give a request that has begun no more time than this, and one that hasn't none."""
        self.deadline = min(self.deadline, deadline) if self._received else 0.0
        self.timeout = self.deadline

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


_NOT_YET = object()
"""What a thread answers for a request of which more is to come."""


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
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # There is no file for it now; those who are connected go on meanwhile.
                self.log.warning("no more files can be opened, so connections wait")
                time.sleep(NO_FILES)
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        # A timeout of Python's own would cost each request three more system calls.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SENDING, 0))
        self.nr_conns += 1
        connection = Connection(self.read_timeout, self.cfg, client, address, listener.getsockname())
        if self.cfg.is_ssl:
            self.enqueue_req(connection)
            return
        connection.begin()
        self._wait_for_more(connection)

    def handle(self, conn: TConn) -> Any:
        """In a thread: answer a request that has arrived, or else give the connection back."""
        if isinstance(conn, Connection) and not self.cfg.is_ssl and not conn.arrived():
            return _NOT_YET
        return super().handle(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Go on with a connection behind an answer, or end it without letting all others wait for its client."""
        if self.cfg.is_ssl:
            super().finish_request(conn, fs)
            return
        try:
            result = fs.result()
        except (Exception, CancelledError):
            result = False
        if result is _NOT_YET and isinstance(conn, Connection):
            self._wait_for_more(conn)
            return
        if result:
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(conn)
            return
        conn.timeout = time.monotonic() + LINGERING
        self._watch(self._lingering, conn, self._throw_away)

    def _cap_keepalive(self, deadline: float) -> None:
        """At a stop, end what waits for its client by a deadline at the latest."""
        super()._cap_keepalive(deadline)  # type: ignore[misc]  # the stubs are of an older gunicorn
        for conn in self.pending_conns:
            if isinstance(conn, Connection):
                conn.hurry(deadline)
        self.pending_conns = deque(sorted(self.pending_conns, key=lambda conn: conn.timeout or 0))

    def _wait_for_more(self, conn: Connection) -> None:
        """Watch a connection until more of its request comes, among the others in the order in which they expire."""
        conn.timeout = conn.deadline
        place = len(self.pending_conns)
        while place and (self.pending_conns[place - 1].timeout or 0) > conn.deadline:
            place -= 1
        self.pending_conns.insert(place, conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

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
