"""The worker class of gunicorn.conf.py: one loop that waits for all clients, and threads for requests that have arrived.

gunicorn's own threaded worker gives a thread to a connection, and the thread waits for whatever the client sends or takes.
`connection.py` says how it is done here.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from io import BytesIO
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.http import wsgi
from gunicorn.workers.base import Worker as BaseWorker

from scimsvc.protocol.errors import ScimError
from scimsvc.service.authentication import SCOPES
from scimsvc.store.database import DatabaseUnavailable
from scimsvc.web.gunicorn.connection import ANONYMOUS, UNKNOWN, Connection, Outgoing, State
from scimsvc.web.gunicorn.errors import refusal
from scimsvc.web.gunicorn.framing import HEAD_BYTES, Arrived, Incoming, Refused
from scimsvc.web.gunicorn.listener import NoFiles, accept
from scimsvc.web.gunicorn.request import Snapshot, StrictRequest
from scimsvc.web.gunicorn.response import Response
from scimsvc.web.gunicorn.schedule import Verdict
from scimsvc.web.gunicorn.threads import Threads
from scimsvc.web.ops.management import LISTENER
from scimsvc.web.overload import OVERLOADED

READ = 65536
"""Bytes that are read at once."""
BODY_BYTES = 64 * 1024 * 1024
"""Bytes of unfinished and unanswered requests of a worker, beyond which unfinished ones are refused."""
ANSWER_BYTES = 256 * 1024 * 1024
"""Bytes of answers of a worker that clients have not taken, beyond which the oldest are dropped."""
TICK = 0.5
"""Seconds between two looks at the deadlines; 0.1 while the worker stops."""
RETURNED = 16
"""Connections that go on in one turn of the loop, in which one new connection is accepted."""
NO_FILES = 0.05
"""Seconds after which a worker that can open no more files tries again to take a connection."""
LINGERING = 2.0
"""Seconds for which the rest of a request is thrown away behind the last answer (RFC 9112 §9.6)."""
STOPPING_IDLE = 1.0
"""Seconds for which a worker that stops keeps a silent connection, from its last answer or the stop, whichever was later."""
STOPPING_BEGUN = 2.0
"""The same for a connection that has sent a part of a request."""

_LOOP_PATHS = (b"GET /healthz ", b"HEAD /healthz ", b"GET /healthz?")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Unreadable:
    """A body that broke off or has wrong chunks."""

    def read(self, size: int = -1) -> bytes:
        """Raise ValueError."""
        raise ValueError("the body can't be read")


class Worker(BaseWorker):
    """A worker whose threads wait for no client. TLS is a proxy's job."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections: set[Connection] = set()
        self._returned: deque[Connection] = deque()
        self._accepting = False
        self._stopped_at: float | None = None
        self._count_refusal: Callable[[int], None] = lambda status: None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse TLS: gunicorn's needs a thread that waits for the client."""
        if cfg.is_ssl:
            raise SystemExit("scimsvc can't start:\ncertfile, keyfile: let a proxy end TLS, see deploy/nginx.conf")

    def init_process(self) -> None:
        """Make what a process needs for itself, and run the loop until the worker stops."""
        self._poller = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application and take from it what the loop must know: limits, and tokens that were seen."""
        super().load_wsgi()
        application: Any = self.wsgi
        services = application.extensions["scimsvc"]
        settings = services.settings
        self._read_timeout = settings.server.read_timeout
        self._request_bytes = settings.limits.request_bytes
        self._authenticator = services.authenticator
        self._count_refusal = application.extensions["scimsvc.metrics"].count_refusal
        self._snapshot: Any = Snapshot(self.cfg)
        queued = settings.limits.queued_requests
        self._threads = Threads(self.cfg.threads, queued, self._serve, self._leave, self.log.exception)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop: at SIGTERM."""
        super().handle_exit(sig, frame)
        self._wake()

    # The loop

    def run(self) -> None:
        """Serve until the worker stops, then let requests and clients end."""
        self._poller.register(self._wake_reader, EVENT_READ, self._take_back)
        self._names = {listener: listener.getsockname() for listener in self.sockets}
        now = time.monotonic()
        while self.alive and self._parent_lives():
            self._accept_or_not()
            now = self._turn(now, TICK)
        self.alive = False
        self._stop_listening()
        self._stopped_at = time.monotonic()
        end = self._stopped_at + self.cfg.graceful_timeout
        while self._connections and now < end:
            now = self._turn(now, 0.1)

    def _turn(self, looked: float, tick: float) -> float:
        """Handle what has happened. Return when deadlines were last looked at."""
        for key, events in self._poller.select(tick):
            key.data(events)
        now = time.monotonic()
        if now - looked < tick:
            return looked
        self.notify()
        for conn in list(self._connections):
            self._check_deadline(conn, now)
        return now

    def _parent_lives(self) -> bool:
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            return False
        return True

    def _wake(self) -> None:
        # A pipe that is full wakes the loop as well.
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b"\0")

    def _leave(self, conn: Connection) -> None:
        """In a thread: have the loop go on with a connection."""
        self._returned.append(conn)
        self._wake()

    def _take_back(self, events: int) -> None:
        os.read(self._wake_reader, 4096)
        # What the loop itself puts back waits for the next turn, or one client could keep it here.
        for _ in range(min(len(self._returned), RETURNED)):
            conn = self._returned.popleft()
            if conn.state is State.READING:
                self._or_close(conn, self._advance)
            elif conn.state is not State.CLOSED and conn.state is not State.LINGERING:
                self._or_close(conn, self._checked if conn.checking else self._go_on)
        if self._returned:
            self._wake()

    # Listening

    def _accept_or_not(self) -> None:
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
        try:
            self._accept(listener)
        except NoFiles:
            # Those who are connected go on meanwhile.
            self.log.warning("no more files can be opened, so connections wait")
            if not self._close_oldest():
                time.sleep(NO_FILES)

    def _accept(self, listener: Any) -> bool:
        """Take a new connection, in the place of the oldest idle one if there are too many. Return whether there was one."""
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

    def _oldest_idle(self) -> Connection | None:
        """Return the connection whose end does the least harm: the client is silent, slow, or does not read."""
        waiting = [conn for conn in self._connections if conn.state in _EXPENDABLE]
        return min(waiting, key=lambda conn: (_EXPENDABLE[conn.state], conn.known, conn.since), default=None)

    def _close_oldest(self) -> bool:
        oldest = self._oldest_idle()
        if oldest is not None:
            self._close(oldest)
        return oldest is not None

    def _stop_listening(self) -> None:
        """Take every connection that the system has accepted already, so that none is reset, and close the sockets."""
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

    # Reading

    def _watch(self, conn: Connection, events: int) -> None:
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
        """Do a step for a connection. If it fails, the connection ends, and not the worker with all others."""
        try:
            step(conn)
        except Exception:
            self.log.exception("a connection was closed because the worker failed")
            self._close(conn)

    def _read_or_send(self, conn: Connection) -> None:
        if conn.state is State.SENDING:
            self._send_more(conn)
            return
        if conn.state is State.CLOSED:
            return
        try:
            data = conn.sock.recv(READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
            conn.lost = True
        if conn.state is State.LINGERING:
            if not data:
                self._close(conn)
            return
        if conn.state is not State.READING:
            with self._threads.lock:
                # A thread may have finished just now.
                reading = conn.reading
                if not reading:
                    conn.incoming.feed(data)
                    conn.ended |= not data
            if not reading:
                self._on_early(conn)
                return
        if data and conn.answered and not conn.incoming.begun:
            conn.deadline = time.monotonic() + self._read_timeout
        conn.incoming.feed(data)
        conn.ended |= not data
        self._advance(conn)

    def _on_early(self, conn: Connection) -> None:
        """Something has come from a client whose request waits or runs."""
        if conn.ended:
            if self._threads.withdraw(conn):
                self._close(conn)
            else:
                self._watch(conn, 0)
        elif conn.full:
            self._watch(conn, 0)

    def _advance(self, conn: Connection) -> None:
        """Go on with a connection in READING: with its request if it is here, or with waiting for it."""
        incoming = conn.incoming
        if conn.lost:
            self._close(conn)
            return
        try:
            arrived = incoming.next()
        except Refused as refused:
            self._refuse(conn, refused.status)
            return
        if incoming.paused:
            # Others come first.
            self._watch(conn, 0)
            self._leave(conn)
            return
        if arrived is None and conn.ended:
            if not incoming.body_begun:
                self._close(conn)
                return
            arrived = incoming.give_up()
        if arrived is None and incoming.body_begun:
            if incoming.awaited > HEAD_BYTES:
                conn.tenant = self._tenant_of(incoming.authorization)
                if conn.tenant is ANONYMOUS:
                    arrived = incoming.give_up()
                elif conn.tenant is UNKNOWN:
                    conn.checking = True
                    self._submit(conn, UNKNOWN)
                    return
                elif not self._has_room(conn):
                    return
            if arrived is None and incoming.expects_continue and not conn.told_to_continue:
                # The client sends nothing more before it is told to.
                conn.told_to_continue = True
                if not self._send_now(conn, _CONTINUE):
                    return
        if arrived is None:
            self._watch(conn, EVENT_READ)
            return
        conn.told_to_continue = False
        conn.arrived = arrived
        if arrived.head.startswith(_LOOP_PATHS):
            conn.state = State.RUNNING
            self._serve_here(conn)
        else:
            self._submit(conn, self._sender_of(conn, arrived.authorization))

    def _sender_of(self, conn: Connection, authorization: bytes | None) -> Hashable:
        """Return whose turn a request takes. A client sends the same token again, so that is not looked up again."""
        if authorization is None or authorization != conn.authorization:
            conn.authorization, conn.sender = authorization, self._tenant_of(authorization)
            if conn.sender is UNKNOWN:
                # It is known once a thread has looked it up.
                conn.authorization = None
        return conn.sender

    def _tenant_of(self, authorization: bytes | None) -> Hashable:
        if authorization is None:
            return ANONYMOUS
        tenant = self._authenticator.known_tenant(authorization.decode("latin-1"))
        return UNKNOWN if tenant is None else tenant

    def _has_room(self, conn: Connection) -> bool:
        """Refuse unfinished requests while they are too large together. Return whether this one goes on."""
        while True:
            held: dict[Hashable, int] = {}
            for other in self._connections:
                arrived = other.arrived
                body = len(arrived.body) if arrived and arrived.body else 0
                held[other.tenant] = held.get(other.tenant, 0) + len(other.incoming) + body
            if sum(held.values()) <= BODY_BYTES:
                return True
            large = [other for other in self._connections if other.state is State.READING and len(other.incoming) > HEAD_BYTES]
            if not large:
                return True
            victim = min(large, key=lambda other: (-held[other.tenant], other.deadline))
            self._refuse(victim, 503)
            if victim is conn:
                return False

    def _submit(self, conn: Connection, tenant: Hashable) -> None:
        verdict = self._threads.submit(conn, tenant)
        if verdict is Verdict.FULL:
            if conn.checking:
                conn.checking = False
                conn.arrived = conn.incoming.give_up()
            self._serve_here(conn, overloaded=True)
        elif conn.ended:
            self._on_early(conn)
        else:
            self._watch(conn, 0 if conn.full else EVENT_READ)

    def _checked(self, conn: Connection) -> None:
        """A thread has looked up the token of a large request: go on with its body if the token is good."""
        conn.checking = False
        conn.state = State.READING
        conn.deadline = time.monotonic() + self._read_timeout
        if conn.lost or conn.incoming.authorization is None or self._tenant_of(conn.incoming.authorization) is not UNKNOWN:
            self._advance(conn)
        else:
            conn.arrived = conn.incoming.give_up()
            self._submit(conn, UNKNOWN)

    # Answering

    def _serve(self, conn: Connection) -> bool:
        """In a thread: answer a request. Return whether the loop need not hear of it."""
        if conn.checking:
            assert conn.incoming.authorization is not None
            # If the token is wrong, or the database is away, the application says so without the body.
            with suppress(ScimError, DatabaseUnavailable):
                self._authenticator.credential_of(conn.incoming.authorization.decode("latin-1"), SCOPES)
            return False
        return self._answer(conn, overloaded=False)

    def _serve_here(self, conn: Connection, overloaded: bool = False) -> None:
        """In the loop: answer a request that waits for nothing."""
        self._answer(conn, overloaded)
        if conn.incoming.begun:
            # Others come first.
            self._leave(conn)
        else:
            self._go_on(conn)

    def _answer(self, conn: Connection, overloaded: bool) -> bool:
        """Answer a request and send what the socket takes. Return whether its connection is ready for the next one."""
        assert conn.arrived is not None
        out = Outgoing()
        conn.closing = self._run_application(conn, conn.arrived, out, overloaded)
        conn.arrived = None
        conn.answered = True
        try:
            conn.transmit(out.pieces)
        except OSError:
            conn.lost = True
        conn.since = time.monotonic()
        conn.deadline = conn.since + self.cfg.keepalive
        return not (conn.closing or conn.unsent or conn.lost)

    def _run_application(self, conn: Connection, arrived: Arrived, out: Any, overloaded: bool) -> bool:
        """Have the application answer. Return whether the connection ends behind the answer."""
        request = None
        try:
            request = StrictRequest(self._snapshot, arrived.head, conn.client)
            self.nr += 1
            if self.nr >= self.max_requests and self.alive:
                self.log.info("Autorestarting worker after current request.")
                self.alive = False
            response, environ = wsgi.create(request, out, conn.client, conn.server, self._snapshot, Response)
            environ["wsgi.multithread"] = True
            environ[LISTENER] = conn.server
            environ["wsgi.input"] = _Unreadable() if arrived.body is None else BytesIO(arrived.body)
            if overloaded:
                environ[OVERLOADED] = True
            application: Any = self.wsgi
            pieces = application(environ, response.start_response)
            try:
                if not (arrived.whole and self.alive):
                    response.force_close()
                for piece in pieces:
                    response.write(piece)
                response.close()
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
            return bool(response.should_close())
        except Exception as error:
            # Nothing has left yet, so the answer is an error, whole.
            out.pieces.clear()
            self.handle_error(request, out, conn.client, error)
            return True

    def _go_on(self, conn: Connection) -> None:
        """In the loop: go on with a connection behind an answer."""
        if conn.lost:
            self._close(conn)
        elif conn.unsent:
            conn.state = State.SENDING
            conn.deadline = conn.sending_deadline(time.monotonic())
            self._watch(conn, EVENT_WRITE)
            self._drop_answers()
        elif conn.closing:
            self._linger(conn)
        else:
            conn.state = State.READING
            if conn.incoming.begun:
                conn.deadline = time.monotonic() + self._read_timeout
            self._advance(conn)

    def _send_more(self, conn: Connection) -> None:
        try:
            sent = conn.send_more()
        except OSError:
            self._close(conn)
            return
        if sent:
            conn.since = time.monotonic()
            conn.deadline = conn.since + self.cfg.keepalive
            self._go_on(conn)

    def _drop_answers(self) -> None:
        """Close the connections that wait longest for their clients while too much waits."""
        waiting = [conn for conn in self._connections if conn.state is State.SENDING]
        size = sum(sum(map(len, conn.unsent)) for conn in waiting)
        waiting.sort(key=lambda conn: (conn.known, conn.since))
        while size > ANSWER_BYTES and len(waiting) > 1:
            conn = waiting.pop(0)
            size -= sum(map(len, conn.unsent))
            self._close(conn)

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
        """End a connection with an answer of the loop's own."""
        self.log.info("Refused a request with %s", status)
        self._count_refusal(status)
        if self._send_now(conn, refusal(status)):
            self._linger(conn)

    # Ending

    def _linger(self, conn: Connection) -> None:
        """End a connection behind its last answer: what still comes is thrown away, or the answer could be lost."""
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

    def _close(self, conn: Connection) -> None:
        if conn.state is State.CLOSED:
            return
        self._watch(conn, 0)
        conn.state = State.CLOSED
        conn.unsent = []
        self._connections.discard(conn)
        conn.sock.close()

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


_EXPENDABLE = {State.LINGERING: 0, State.READING: 1, State.SENDING: 2}
"""States in which a connection may be ended for a new one, and in which order."""
