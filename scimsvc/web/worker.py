"""gunicorn's threaded worker, with threads for requests that have arrived and none for clients that are slow.

gunicorn's own gives a thread to every connection, and the thread waits for whatever the client sends, for ever. Here a thread
takes what is there and gives the connection back, to the loop that watches all of them, until the request has arrived. It reads
on only where a request is large, and not for long.

What threads do for each other costs as much as a small request does, so there is little of it: a thread has the loop watch a
connection without waking it, an answer leaves in one piece, and nobody makes futures.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from selectors import EVENT_READ
from threading import Thread
from typing import Any

from gunicorn.http import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

from scimsvc.settings import ServerSettings

COLLECTED = 65536
"""Bytes of a request that are collected before a thread reads on; all connections of a worker may have as many in memory."""
SENDING = 20
"""Seconds that one piece of an answer waits for a client that takes nothing; what the system holds may be three such pieces."""
TOGETHER = 65536
"""Bytes of a piece of an answer that leaves at once, with what was kept before it."""
LEFTOVER = 0.05
"""Seconds for which a thread waits for the rest of a body that nobody has read; then the connection ends."""
STOPPING = 2.0
"""Seconds for which a worker that stops keeps a connection that waits for the next request."""
LINGERING = 2.0
"""Seconds for which what a client still sends is thrown away behind the last answer (RFC 9112 §9.6)."""

NO_FILES = 0.05
"""Seconds after which a worker that can open no more files tries again to take a connection."""

_UNREAD = frozenset({"408", "413"})
"""Answers to a body that is too slow or too large."""
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
    """A client did not send its request in time, or takes nothing of the answer."""

    def __init__(self) -> None:
        # gunicorn logs a traceback for errors of a socket, but not for this one, which a client causes as easily.
        super().__init__(errno.ECONNRESET, "the client is too slow")


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

    def has_more(self) -> bool:
        """Whether something behind the request was read with it, which the system no longer has to tell of."""
        assert isinstance(self.parser, RequestParser)
        return bool(self.parser.unreader.buf.getvalue())

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
    """A socket as a parser reads from it: until the connection's deadline, and no longer than the timeout that is set."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._timeout: float | None = None

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, seconds: float | None) -> None:
        # The socket is told only where something is to be read.
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        left = self._connection.deadline - time.monotonic()
        if left <= 0:
            raise TooSlow
        self._connection.sock.settimeout(left if self._timeout is None else min(left, self._timeout))
        try:
            return self._connection.sock.recv(size)
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._connection.sock.settimeout(None)


class _Socket(socket.socket):
    """A socket that blocks always, where gunicorn has it block for each request and no longer behind it; and whose pieces of an
    answer leave together. Each system call that this saves is one for which a thread would let others pass it.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._pieces: list[bytes] | None = None

    def setblocking(self, flag: bool) -> None:
        """Nothing: what mustn't wait here says so itself."""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send, or keep it until the answer is complete or large."""
        if self._pieces is None:
            self._send(data, flags)
            return
        self._pieces.append(bytes(data))
        if len(data) > TOGETHER:
            self._send_pieces([])

    def collect(self) -> None:
        """An answer begins."""
        self._pieces = []

    def release(self) -> None:
        """It is complete."""
        self._send_pieces(None)

    def _send_pieces(self, following: list[bytes] | None) -> None:
        pieces, self._pieces = self._pieces, following
        if pieces:
            self._send(b"".join(pieces))

    def _send(self, data: Any, flags: int = 0) -> None:
        try:
            super().sendall(data, flags)
        except BlockingIOError:
            raise TooSlow from None


_NOT_YET = object()
"""What a thread answers for a request of which more is to come."""
_WATCHED = object()
"""What a thread answers where the loop watches the connection already."""


class _Threads:
    """Threads that do what is submitted. An executor makes a future of each, for whose result nobody waits here."""

    def __init__(self, number: int, failed: Callable[[str], object]) -> None:
        self._failed = failed
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=f"requests-{place}", daemon=True) for place in range(number)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[..., object], *arguments: Any) -> None:
        """Have the next free thread call `work`."""
        self._work.put(partial(work, *arguments))

    def shutdown(self, wait: bool = True) -> None:
        """End the threads when all is done that was submitted, and with `wait` not before."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _run(self) -> None:
        while work := self._work.get():
            try:
                work()
            except Exception:
                self._failed("a thread could not do its work")


class Worker(ThreadWorker):
    """The worker class of gunicorn.conf.py, which says how long a request may take to arrive.

    With gunicorn's own TLS, whose bytes only a thread can read, it is gunicorn's threaded worker and no more than that.
    """

    read_timeout: float = ServerSettings.read_timeout

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lingering: deque[TConn] = deque()

    def get_thread_pool(self) -> Any:
        """The threads of this worker."""
        return super().get_thread_pool() if self.cfg.is_ssl else _Threads(self.cfg.threads, self.log.exception)

    def load_wsgi(self) -> None:
        """Load the application, whose answers to a body that was not read to its end say that the connection ends."""
        super().load_wsgi()
        application = self.wsgi

        def closing(environ: Any, start_response: Any) -> Any:
            def started(status: str, *more: Any) -> Any:
                if status[:3] in _UNREAD:
                    start_response.__self__.force_close()
                return start_response(status, *more)

            return application(environ, started)

        self.wsgi = closing

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
        socket_ = client if self.cfg.is_ssl else _Socket(client)
        connection = Connection(self.read_timeout, self.cfg, socket_, address, listener.getsockname())
        if self.cfg.is_ssl:
            self.enqueue_req(connection)
            return
        connection.begin()
        self._wait_for_more(connection)

    def enqueue_req(self, conn: TConn) -> None:
        """Have a thread answer what is there of a request."""
        if self.cfg.is_ssl or not isinstance(conn, Connection):
            super().enqueue_req(conn)
        else:
            self.tpool.submit(self._serve, conn)

    def _serve(self, conn: Connection) -> None:
        """In a thread: answer a request that has arrived, and go on with its connection or have the loop do so."""
        result: Any = False
        try:
            result = self.handle(conn) if conn.arrived() else _NOT_YET
            if result is True and self.alive and not conn.has_more():
                self._keep(conn)
                result = _WATCHED
        finally:
            if result is not _WATCHED:
                self.method_queue.defer(self._finish, conn, result)

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """In a thread: answer a request, all of it at once."""
        if not isinstance(conn.sock, _Socket):
            return bool(super().handle_request(req, conn))
        conn.sock.collect()
        try:
            return bool(super().handle_request(req, conn))
        finally:
            conn.sock.release()

    def _keep(self, conn: Connection) -> None:
        """Watch a connection for its next request."""
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        # A loop that is about to end may have closed it meanwhile.
        with suppress(OSError, ValueError, KeyError):
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_client_socket_readable, conn))
        if not self.alive:
            conn.timeout = min(conn.timeout or 0, time.monotonic() + STOPPING)

    def _finish(self, conn: Connection, result: Any) -> None:
        """In the loop: go on with a connection, or end it without letting all others wait for its client."""
        if result is _NOT_YET:
            self._wait_for_more(conn)
        elif result and conn.has_more():
            self.enqueue_req(conn)
        elif result:
            self._keep(conn)
        else:
            self._end_behind_answer(conn)

    def _end_behind_answer(self, conn: Connection) -> None:
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(conn)
            return
        conn.timeout = time.monotonic() + LINGERING
        self._watch(self._lingering, conn, self._throw_away)

    def _cap_keepalive(self, deadline: float) -> None:
        """At a stop, end what waits for its client by a deadline at the latest."""
        # Threads add to them meanwhile.
        for conn in list(self.keepalived_conns):
            conn.timeout = min(conn.timeout or 0, deadline)
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
