"""The worker class of gunicorn.conf.py: one loop that waits for all clients, and threads for requests that have arrived.

gunicorn's own threaded worker gives a thread to a connection, and the thread waits for whatever the client sends or takes.
`connection` describes how it is done here. The class is written in layers. Each is a module and knows only those before it:

| module      | class     | what it adds                                                     |
| ----------- | --------- | ---------------------------------------------------------------- |
| `loop`      | Loop      | the sockets that are watched; connections that threads hand back |
| `ending`    | Ending    | refusals, lingering, deadlines                                   |
| `room`      | Room      | which connections end if they are too many or hold too much      |
| `answering` | Answering | the application is run, its answer is sent                       |
| `reading`   | Reading   | bytes become requests, requests are submitted to `threads`       |
| `listening` | Listening | connections are accepted                                         |
| `worker`    | Worker    | gunicorn's interface: configuration, start, stop                 |
"""

from __future__ import annotations

import os
import time
from typing import Any

from scimsvc.web.gunicorn.listening import Listening
from scimsvc.web.gunicorn.request import Snapshot
from scimsvc.web.gunicorn.threads import Threads

TICK = 0.5
"""Seconds between two looks at the deadlines."""
STOPPING_TICK = 0.1
"""The same while the worker stops."""


class Worker(Listening):
    """A worker whose threads wait for no client. A proxy ends TLS."""

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse TLS: with gunicorn's TLS a thread waits for the client."""
        if cfg.is_ssl:
            raise SystemExit("scimsvc can't start:\ncertfile, keyfile: let a proxy end TLS, see deploy/nginx.conf")

    def init_process(self) -> None:
        """Open what each process needs, and run the loop until the worker stops."""
        self._open()
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application, and take from it what the loop needs: limits, and the tokens that are remembered."""
        super().load_wsgi()
        application: Any = self.wsgi
        services = application.extensions["scimsvc"]
        settings = services.settings
        self._read_timeout = settings.server.read_timeout
        self._request_bytes = settings.limits.request_bytes
        self._authenticator = services.authenticator
        self._count_refusal = application.extensions["scimsvc.metrics"].count_refusal
        self._snapshot = Snapshot(self.cfg)
        queued = settings.limits.queued_requests
        self._threads = Threads(self.cfg.threads, queued, self._serve, self._leave, self.log.exception)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop gracefully, at SIGTERM."""
        super().handle_exit(sig, frame)
        self._wake()

    def run(self) -> None:
        """Serve until the worker stops, then let requests and clients end."""
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
            now = self._turn(now, STOPPING_TICK)

    def _parent_lives(self) -> bool:
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            return False
        return True
