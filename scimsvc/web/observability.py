"""Request ids, one log line and the metrics of each request. Neither holds attribute values: no bodies, no queries."""

from __future__ import annotations

import logging
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

from scimsvc.web.logfile import BatchedLines

_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_REQUESTS = Counter("scimsvc_requests_total", "Requests by method, endpoint and status.", ["method", "endpoint", "status"])
_SECONDS = Histogram("scimsvc_request_seconds", "Seconds that requests took, by method and endpoint.", ["method", "endpoint"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENDPOINTS = frozenset({"users", "groups", "schemas", "resourcetypes", "serviceproviderconfig", "healthz", "readyz", "metrics"})

log = structlog.get_logger()
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def configure_logging(level: str) -> None:
    """JSON lines on standard output. `level` is debug, info, warning or error; raises KeyError for another."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(BatchedLines(sys.stdout.buffer)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


class Observed:
    """WSGI middleware: gives every request an id, counts, times and logs it.

    A request id that the client or a proxy sends in X-Request-Id is kept where it is a plain token.
    """

    def __init__(self, application: Wsgi, base_path: str) -> None:
        self._application = application
        self._base_path = base_path

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A WSGI application (PEP 3333)."""
        began = time.perf_counter()
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        environ["scimsvc.request_id"] = request_id

        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            headers.append(("X-Request-Id", request_id))
            seconds = time.perf_counter() - began
            method, endpoint = self._what(environ)
            _counter(method, endpoint, status[:3])()
            _timer(method, endpoint)(seconds)
            log.info(
                "request",
                request_id=request_id,
                method=method,
                endpoint=endpoint,
                status=int(status[:3]),
                ms=round(seconds * 1000, 2),
            )
            return start_response(status, headers, *error)

        return self._application(environ, started)

    def _what(self, environ: dict[str, Any]) -> tuple[str, str]:
        """Method and endpoint, from fixed sets: never what a client made up."""
        method = environ["REQUEST_METHOD"]
        steps = environ["PATH_INFO"].removeprefix(self._base_path).strip("/").split("/")
        endpoint = f"/{steps[0]}{'/{id}' if len(steps) > 1 else ''}" if steps[0] in _ENDPOINTS else "other"
        return method if method in _METHODS else "other", endpoint


# Finding a metric's child by its labels takes longer than counting.
@lru_cache(maxsize=1024)
def _counter(method: str, endpoint: str, status: str) -> Callable[[], None]:
    return _REQUESTS.labels(method, endpoint, status).inc


@lru_cache(maxsize=1024)
def _timer(method: str, endpoint: str) -> Callable[[float], None]:
    return _SECONDS.labels(method, endpoint).observe


def exposition() -> bytes:
    """The metrics of all processes that share PROMETHEUS_MULTIPROC_DIR, or of this one where it isn't set."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
