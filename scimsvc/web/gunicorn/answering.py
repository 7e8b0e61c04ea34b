"""Answer requests: run the application in a thread or in the loop, and send its answer."""

from __future__ import annotations

import time
from contextlib import suppress
from io import BytesIO
from selectors import EVENT_WRITE
from typing import Any

from gunicorn.http import wsgi

from scimsvc.protocol.errors import ScimError
from scimsvc.service.authentication import SCOPES, Authenticator
from scimsvc.store.database import DatabaseUnavailable
from scimsvc.web.gunicorn.connection import Connection, Outgoing, State
from scimsvc.web.gunicorn.framing import Arrived
from scimsvc.web.gunicorn.request import StrictRequest
from scimsvc.web.gunicorn.response import Response
from scimsvc.web.gunicorn.room import Room
from scimsvc.web.http.environ import LISTENER, OVERLOADED


class _Unreadable:
    """A body that broke off, or whose chunks are malformed."""

    def read(self, size: int = -1) -> bytes:
        """Raise ValueError."""
        raise ValueError("the body can't be read")


class Answering(Room):
    """Answer a request that has arrived, and send the rest of an answer whenever the client takes some."""

    _authenticator: Authenticator
    _read_timeout: float
    _snapshot: Any

    def _serve(self, conn: Connection) -> bool:
        """In a thread: answer a request, or only look up its token. Return whether the connection is ready for the next one."""
        if conn.checking:
            assert conn.incoming.authorization is not None
            # If the token is wrong or the database is unavailable, the application answers without the body.
            with suppress(ScimError, DatabaseUnavailable):
                self._authenticator.credential_of(conn.incoming.authorization.decode("latin-1"), SCOPES)
            return False
        return self._answer(conn, overloaded=False)

    def _serve_here(self, conn: Connection, overloaded: bool = False) -> None:
        """In the loop: answer a request that waits for nothing."""
        self._answer(conn, overloaded)
        if conn.incoming.begun:
            # Other connections come first.
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
        """Have the application answer. Return whether the connection ends after the answer."""
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
            # Nothing has been sent yet, so a complete error can replace the answer.
            out.pieces.clear()
            self.handle_error(request, out, conn.client, error)
            return True

    def _go_on(self, conn: Connection) -> None:
        """In the loop: go on with a connection after an answer."""
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
        """Send more of an answer, and go on if all of it is sent."""
        try:
            sent = conn.send_more()
        except OSError:
            self._close(conn)
            return
        if sent:
            conn.since = time.monotonic()
            conn.deadline = conn.since + self.cfg.keepalive
            self._go_on(conn)
