"""Read requests: collect the bytes of each connection, and submit a request when it has arrived."""

from __future__ import annotations

import socket
import time
from collections.abc import Hashable
from selectors import EVENT_READ

from scimsvc.web.gunicorn.answering import Answering
from scimsvc.web.gunicorn.connection import ANONYMOUS, UNKNOWN, Connection, State
from scimsvc.web.gunicorn.framing import HEAD_BYTES, Arrived, Refused
from scimsvc.web.gunicorn.schedule import Verdict
from scimsvc.web.gunicorn.threads import Threads

READ = 65536
"""Bytes that are read at once."""

_LOOP_PATHS = (b"GET /healthz ", b"HEAD /healthz ", b"GET /healthz?")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Reading(Answering):
    """Read what clients send. `_threads` runs the requests that have arrived."""

    _threads: Threads

    def _read_or_send(self, conn: Connection) -> None:
        """Read what the client has sent, or send what it can take, depending on the state."""
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
                # A thread may have finished in the meantime.
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
        """Handle what has come from a client whose request waits or runs: more bytes, or the end of its side."""
        if conn.ended:
            if self._threads.withdraw(conn):
                self._close(conn)
            else:
                self._watch(conn, 0)
        elif conn.full:
            self._watch(conn, 0)

    def _advance(self, conn: Connection) -> None:
        """Go on with a connection in READING: answer its request if it has arrived, or wait for the rest."""
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
            # Other connections come first.
            self._watch(conn, 0)
            self._leave(conn)
            return
        if arrived is None and conn.ended:
            if not incoming.body_begun:
                self._close(conn)
                return
            arrived = incoming.give_up()
        if arrived is not None:
            self._begin(conn, arrived)
        elif incoming.body_begun:
            self._await_body(conn)
        else:
            self._watch(conn, EVENT_READ)

    def _await_body(self, conn: Connection) -> None:
        """Wait for the rest of a body. A large one needs a token that is known, and room in the worker's memory."""
        incoming = conn.incoming
        if incoming.awaited > HEAD_BYTES:
            conn.tenant = self._tenant_of(incoming.authorization)
            if conn.tenant is ANONYMOUS:
                self._begin(conn, incoming.give_up())
                return
            if conn.tenant is UNKNOWN:
                conn.checking = True
                self._submit(conn, UNKNOWN)
                return
            if not self._has_room(conn):
                return
        if incoming.expects_continue and not conn.told_to_continue:
            # The client waits for this before it sends the body.
            conn.told_to_continue = True
            if not self._send_now(conn, _CONTINUE):
                return
        self._watch(conn, EVENT_READ)

    def _begin(self, conn: Connection, arrived: Arrived) -> None:
        """Have a request answered: in the loop if it waits for nothing, else by a thread."""
        conn.told_to_continue = False
        conn.arrived = arrived
        if arrived.head.startswith(_LOOP_PATHS):
            conn.state = State.RUNNING
            self._serve_here(conn)
        else:
            self._submit(conn, self._sender_of(conn, arrived.authorization))

    def _sender_of(self, conn: Connection, authorization: bytes | None) -> Hashable:
        """Return the tenant whose turn a request takes. A client repeats its token, so the last one is not looked up again."""
        if authorization is None or authorization != conn.authorization:
            conn.authorization, conn.sender = authorization, self._tenant_of(authorization)
            if conn.sender is UNKNOWN:
                # A thread will look the token up; the next request must ask again.
                conn.authorization = None
        return conn.sender

    def _tenant_of(self, authorization: bytes | None) -> Hashable:
        """Return the tenant of a token that authentication remembers. Look nothing up: the loop must not wait."""
        if authorization is None:
            return ANONYMOUS
        tenant = self._authenticator.known_tenant(authorization.decode("latin-1"))
        return UNKNOWN if tenant is None else tenant

    def _submit(self, conn: Connection, tenant: Hashable) -> None:
        """Have a thread serve a connection. If too many requests of the tenant wait, answer 429 at once."""
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
        """Go on with a large request whose token a thread has looked up: with its body if the token is good."""
        conn.checking = False
        conn.state = State.READING
        conn.deadline = time.monotonic() + self._read_timeout
        if conn.lost or conn.incoming.authorization is None or self._tenant_of(conn.incoming.authorization) is not UNKNOWN:
            self._advance(conn)
        else:
            conn.arrived = conn.incoming.give_up()
            self._submit(conn, UNKNOWN)
