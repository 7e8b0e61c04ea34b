"""Request ids, one log line and the metrics of each request. Neither holds attribute values: no bodies, no queries."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from scimsvc.service.catalogs import Catalogs
from scimsvc.web import logs
from scimsvc.web.background import Batches
from scimsvc.web.target import Wsgi

_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENDPOINTS = frozenset(
    {
        "bulk",
        "me",
        "users",
        "groups",
        "schemas",
        "resourcetypes",
        "serviceproviderconfig",
        "healthz",
        "readyz",
        "metrics",
        "docs",
        "openapi.json",
    }
)

_SEARCH = ".search"
_OWN = ("/api/accounts", "/api/mappings")
"""Endpoints that are none of SCIM."""

_Record = tuple[float, float, str, str, str, str]
"""Seconds since the epoch at its end, seconds it took, request id, method, path, status."""


class Observed:
    """WSGI middleware: gives every request an id; counts, times and logs it, after the answer has left.

    A request id that the client or a proxy sends in X-Request-Id is kept where it is a plain token.
    Without `lines` nothing is logged.
    """

    def __init__(self, application: Wsgi, base_path: str, lines: logs.Lines | None, catalogs: Catalogs) -> None:
        self._application = application
        self._base_path = base_path
        self._lines = lines
        self._catalogs = catalogs
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
        self._broken = Gauge(
            "scimsvc_profiles_broken",
            "1 where the files of mapping profiles are broken, and those stay in use that were good.",
            multiprocess_mode="livemax",
            registry=self._registry,
        )

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A WSGI application (PEP 3333)."""
        began = time.perf_counter()
        sent = environ.get("HTTP_X_REQUEST_ID")
        request_id = sent if sent and _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        environ["scimsvc.request_id"] = request_id
        add = self._records.add

        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            headers.append(("X-Request-Id", request_id))
            ended = time.perf_counter() - began
            add((time.time(), ended, request_id, environ["REQUEST_METHOD"], environ["PATH_INFO"], status[:3]))
            return start_response(status, headers, *error)

        return self._application(environ, started)

    def exposition(self) -> bytes:
        """The metrics of all processes that share PROMETHEUS_MULTIPROC_DIR, or of this one where it isn't set."""
        self._records.drain()
        self._catalogs.look()
        self._broken.set(self._catalogs.problem is not None)
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _note(self, records: list[_Record]) -> None:
        counts: Tally[tuple[str, str, str]] = Tally()
        observe: dict[tuple[str, str], Callable[[float], None]] = {}
        lines = []
        for ended, seconds, request_id, method, path, status in records:
            what = self._what(method, path)
            counts[*what, status] += 1
            if what not in observe:
                observe[what] = self._seconds.labels(*what).observe
            observe[what](seconds)
            if self._lines:
                lines.append(_LINE % (request_id, *what, status, seconds * 1000, *_timestamp(ended)))
        for labels, number in counts.items():
            self._requests.labels(*labels).inc(number)
        if self._lines:
            self._lines.send("".join(lines).encode("ascii"))

    def _what(self, method: str, path: str) -> tuple[str, str]:
        """Method and endpoint, from fixed sets: never what a client made up."""
        first, *rest = path.removeprefix(self._base_path).strip("/").split("/", 1)
        if first in ("", _SEARCH):
            endpoint = f"/{first}"
        elif path.startswith(_OWN):
            endpoint = next(own for own in _OWN if path.startswith(own))
        elif first in _ENDPOINTS:
            endpoint = f"/{first}{f'/{_SEARCH}' if rest == [_SEARCH] else '/{id}' if rest else ''}"
        else:
            endpoint = "other"
        return method if method in _METHODS else "other", endpoint


# Every value is of a fixed set or a plain token, so nothing is to be escaped; this takes a third of the time of a JSON library.
_LINE = (
    '{"event":"request","request_id":"%s","method":"%s","endpoint":"%s","status":%s,"ms":%.2f,"level":"info",'
    '"timestamp":"%s.%06dZ"}\n'
)


def _timestamp(seconds: float) -> tuple[str, int]:
    whole, fraction = divmod(seconds, 1)
    return _second(int(whole)), int(fraction * 1_000_000)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
