"""The id, the log line and the metrics of each request. None of them contains attribute values: no bodies, no queries."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from scimsvc.web.http.environ import NOTE, REQUEST_ID, Wsgi
from scimsvc.web.http.note import Note
from scimsvc.web.observe import logs, request_log
from scimsvc.web.observe.batches import Batches
from scimsvc.web.observe.labels import Endpoints, id_of
from scimsvc.web.observe.metrics import Metrics
from scimsvc.web.observe.refusals import Refusals
from scimsvc.web.observe.request_log import Done

_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}", re.ASCII)

_Record = tuple[float, float, Note, str, str, str]
"""Seconds since the epoch at the end of the request, seconds that it took, its note, method, path, status."""


class Observed:
    """WSGI middleware: give every request an id; count, time and log it after the answer has left.

    With `behind_proxy`, the server uses the id that a trusted proxy sends in X-Request-Id if it is a plain token. Otherwise any
    client could send the header, so it is only noted beside the server's id. Without `lines` nothing is logged.
    """

    def __init__(
        self,
        application: Wsgi,
        endpoints: Endpoints,
        lines: logs.Lines | None,
        metrics: Metrics,
        refusals: Refusals,
        behind_proxy: bool,
    ) -> None:
        self._application = application
        self._endpoints = endpoints
        self._lines = lines
        self._metrics = metrics
        self._refusals = refusals
        self._behind_proxy = behind_proxy
        self._records: Batches[_Record] = Batches("requests", self._note)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        began = time.perf_counter()
        sent = environ.get("HTTP_X_REQUEST_ID")
        if sent and not _REQUEST_ID.fullmatch(sent):
            sent = None
        if sent and self._behind_proxy:
            request_id, sent = sent, None
        else:
            request_id = f"{random.getrandbits(128):032x}"
        note = Note(request_id, sent, environ.get("REMOTE_ADDR", ""))
        environ[REQUEST_ID] = request_id
        environ[NOTE] = note
        add = self._records.add

        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            headers += (("X-Request-Id", request_id), _NO_SNIFFING, _NO_STORE)
            ended = time.perf_counter() - began
            if status[:3] == "201":
                note.location = next((value for name, value in headers if name == "Location"), "")
            add((time.time(), ended, note, environ["REQUEST_METHOD"], environ["PATH_INFO"], status[:3]))
            return start_response(status, headers, *error)

        return self._application(environ, started)

    def exposition(self) -> bytes:
        """Return the metrics of all processes in Prometheus' text format. They are at most a second old."""
        self._records.drain()
        return self._metrics.exposition()

    def _note(self, records: list[_Record]) -> None:
        requests: list[Done] = []
        lines: list[str] = []
        for ended, seconds, note, method, path, status in records:
            kind, sent = self._endpoints.of(method, path)
            if not _ADDRESS.fullmatch(note.address):
                note.address = ""
            effect = note.effect if status < "400" else None
            resource_id = id_of(sent) if sent else self._resource_id(note, kind.endpoint)
            done = Done(note, kind, int(status), seconds, resource_id, note.error, effect, note.dialect, note.ignored)
            requests.append(done)
            self._refusals.add(done, ended)
            if self._lines:
                lines.append(request_log.line_of(done, ended))
            for index, result in enumerate(note.operations):
                of_operation = self._endpoints.of_operation(result.method, result.endpoint)
                done = Done(note, of_operation, result.status, None, id_of(result.id), *result[4:])
                requests.append(done)
                self._refusals.add(done, ended)
                if self._lines:
                    lines.append(request_log.line_of(done, ended, index))
        self._metrics.count(requests)
        if self._lines:
            self._lines.send("".join(lines).encode())

    @staticmethod
    def _resource_id(note: Note, endpoint: str) -> str:
        """Return the id of the resource if the path has none: from the answer to a create, or from the token."""
        if note.location:
            return id_of(note.location.rpartition("/")[2])
        if endpoint == "/me" and note.credential and note.credential.subject:
            return note.credential.subject
        return ""


_NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
_NO_STORE = ("Cache-Control", "no-store")
