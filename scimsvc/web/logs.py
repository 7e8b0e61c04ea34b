"""The log: JSON lines on standard output, written in batches. gunicorn's own lines are made in `gunicorn_log.py`."""

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
from scimsvc.web.background import Batches

SERVICE = {"service": "scimsvc", "version": __version__}
"""What every line has: which program wrote it. In a container several write to one stream."""


class Lines:
    """A binary stream that takes lines and hands them on in batches: a system call a line costs what a small request does.

    A killed process loses the lines of one interval (see `background`), an ended one none.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._batches: Batches[bytes] = Batches("log", lambda lines: self.send(b"".join(lines)))
        self.write: Callable[[bytes], None] = self._batches.add

    def flush(self) -> None:
        """Nothing: flushing each line is what this class is there to avoid."""

    def send(self, lines: bytes) -> None:
        """Write lines at once."""
        try:
            self._stream.write(lines)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads the log any more; that is no reason to stop serving.
            return


def configure(level: str) -> Lines:
    """Set structlog up, and give the stream it writes to. `level` is one of LOG_LEVELS, in any case."""
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
        # A path may have bytes that are not UTF-8. A line that can't be written must not stop what it tells of.
        return json.dumps(fields, default=str).encode()


def informative(level: str) -> bool:
    """Whether a log of this level has the lines of single requests."""
    return _LEVELS[level.lower()] <= logging.INFO


_LEVELS: dict[str, int] = {level: getattr(logging, level.upper()) for level in LOG_LEVELS}
