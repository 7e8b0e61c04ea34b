"""Request ids, one log line and the metrics of each request. Neither holds attribute values: no bodies, no queries."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

from scimsvc.web import logs
from scimsvc.web.background import Batches

_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENDPOINTS = frozenset({"users", "groups", "schemas", "resourcetypes", "serviceproviderconfig", "healthz", "readyz", "metrics"})

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Record(NamedTuple):
    ended: float
    """Seconds since the epoch."""
    seconds: float
    request_id: str
    method: str
    path: str
    status: str


class Observed:
    """WSGI middleware: gives every request an id; counts, times and logs it, after the answer has left.

    A request id that the client or a proxy sends in X-Request-Id is kept where it is a plain token.
    Without `lines` nothing is logged.
    """

    def __init__(self, application: Wsgi, base_path: str, lines: logs.Lines | None) -> None:
        self._application = application
        self._base_path = base_path
        self._lines = lines
        self._records: Batches[_Record] = Batches("requests", self._note)
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "scimsvc_requests_total",
            "Requests by method, endpoint and status.",
            ["method", "endpoint", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "scimsvc_request_seconds",
            "Seconds that requests took, by method and endpoint.",
            ["method", "endpoint"],
            registry=self._registry,
        )

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A WSGI application (PEP 3333)."""
        began = time.perf_counter()
        sent = environ.get("HTTP_X_REQUEST_ID")
        request_id = sent if sent and _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        environ["scimsvc.request_id"] = request_id

        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            headers.append(("X-Request-Id", request_id))
            seconds = time.perf_counter() - began
            self._records.add(
                _Record(time.time(), seconds, request_id, environ["REQUEST_METHOD"], environ["PATH_INFO"], status[:3])
            )
            return start_response(status, headers, *error)

        return self._application(environ, started)

    def exposition(self) -> bytes:
        """The metrics of all processes that share PROMETHEUS_MULTIPROC_DIR, or of this one where it isn't set."""
        self._records.drain()
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _note(self, records: list[_Record]) -> None:
        counts: Tally[tuple[str, str, str]] = Tally()
        observe: dict[tuple[str, str], Callable[[float], None]] = {}
        lines = []
        for record in records:
            what = self._what(record)
            counts[*what, record.status] += 1
            if what not in observe:
                observe[what] = self._seconds.labels(*what).observe
            observe[what](record.seconds)
            if self._lines:
                lines.append(_line(record, *what))
        for labels, number in counts.items():
            self._requests.labels(*labels).inc(number)
        if self._lines:
            self._lines.send(lines)

    def _what(self, record: _Record) -> tuple[str, str]:
        """Method and endpoint, from fixed sets: never what a client made up."""
        steps = record.path.removeprefix(self._base_path).strip("/").split("/")
        endpoint = f"/{steps[0]}{'/{id}' if len(steps) > 1 else ''}" if steps[0] in _ENDPOINTS else "other"
        return record.method if record.method in _METHODS else "other", endpoint


def _line(record: _Record, method: str, endpoint: str) -> bytes:
    return logs.line(
        {
            "event": "request",
            "request_id": record.request_id,
            "method": method,
            "endpoint": endpoint,
            "status": int(record.status),
            "ms": round(record.seconds * 1000, 2),
            "level": "info",
            "timestamp": datetime.fromtimestamp(record.ended, UTC).isoformat().replace("+00:00", "Z"),
        }
    )
