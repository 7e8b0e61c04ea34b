"""gunicorn's own log as JSON lines on standard output, without what clients send: a request line may contain attribute values."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from scimsvc.web.observe import logs

_OF_REQUESTS = ("Error handling request", "Socket error processing request", "Invalid request")
"""The beginnings of gunicorn's messages about one request. What follows comes from the request line."""


class Logger(GunicornLogger):
    """Write a JSON line for each message. About a refused request, say only that it was refused."""

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning."""
        if str(msg).startswith("Invalid request"):
            msg, args = "Refused a request that is not valid HTTP", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an exception. If a request raised it, log only its type and places, because its message may contain values."""
        text = str(msg)
        if text.startswith(_OF_REQUESTS):
            super().exception(text.partition(" request")[0] + " request", extra={"of_request": True})
        else:
            super().exception(msg, *args, **kwargs)

    def _set_handler(self, log: logging.Logger, output: Any, fmt: Any, stream: Any = None) -> None:
        """Write to standard output if gunicorn would write text to standard error."""
        super()._set_handler(log, output, fmt, stream)  # type: ignore[misc]
        if log is self.error_log and output == "-":
            log.handlers = [handler for handler in log.handlers if not getattr(handler, "_gunicorn", False)]
            handler = JsonHandler()
            handler._gunicorn = True  # type: ignore[attr-defined]
            log.addHandler(handler)


class JsonHandler(logging.Handler):
    """Write each record to standard output, as one line of JSON."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. If standard output is closed, the server goes on."""
        try:
            sys.stdout.buffer.write(line_of(record))
            sys.stdout.buffer.flush()
        except (OSError, ValueError):
            return


def line_of(record: logging.LogRecord) -> bytes:
    """Return a record as a line of JSON. Of an exception it has the type and the places of its traceback."""
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
    fields: dict[str, Any] = {
        "event": record.getMessage(),
        "logger": "gunicorn",
        "process": record.process,
        "level": record.levelname.lower(),
        "timestamp": moment.replace("+00:00", "Z"),
    }
    if record.exc_info and record.exc_info[1]:
        error = record.exc_info[1]
        fields["error"] = type(error).__name__
        if not getattr(record, "of_request", False):
            fields["message"] = str(error)
        trace, places = error.__traceback__, []
        while trace is not None:
            places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
            trace = trace.tb_next
        fields["places"] = places
    return logs.line_of(fields) + b"\n"
