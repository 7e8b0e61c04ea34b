"""The log: JSON lines on standard output, written in batches. `web.gunicorn.log` writes gunicorn's own lines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import orjson
import structlog

from scimsvc import __version__
from scimsvc.settings import LOG_LEVELS
from scimsvc.web.observe.batches import Batches

SERVICE = {"service": "scimsvc", "version": __version__}
"""The fields of every line: which program wrote it. In a container several programs may write to one stream."""


class Lines:
    """A binary stream that writes lines in batches, because a system call costs as much as a small request.

    A killed process loses the lines of one interval (see `batches`), a process that ends loses none.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._batches: Batches[bytes] = Batches("log", lambda lines: self.send(b"".join(lines)))
        self.write: Callable[[bytes], None] = self._batches.add

    def flush(self) -> None:
        """Do nothing: this class exists to avoid a flush after each line."""

    def send(self, lines: bytes) -> None:
        """Write lines at once."""
        try:
            self._stream.write(lines)
            self._stream.flush()
        except (OSError, ValueError):
            # The reader of the log is gone. The server goes on.
            return


def configure(level: str) -> Lines:
    """Configure structlog, and return the stream it writes to. `level` is one of LOG_LEVELS; case does not count."""
    lines = Lines(sys.stdout.buffer)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=lambda event, **_: line_of(event)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level.lower()]),
        logger_factory=structlog.BytesLoggerFactory(lines),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    return lines


def line_of(event: Mapping[str, Any]) -> bytes:
    """Return an event as JSON, without a line break."""
    fields = {**event, **SERVICE}
    try:
        return orjson.dumps(fields, default=str)
    except TypeError:
        # A path may contain bytes that are not UTF-8. Logging it must not stop the operation that logs.
        return json.dumps(fields, default=str).encode()


def informative(level: str) -> bool:
    """Return whether a log of this level has a line for each request."""
    return _LEVELS[level.lower()] <= logging.INFO


_LEVELS: dict[str, int] = {level: getattr(logging, level.upper()) for level in LOG_LEVELS}
