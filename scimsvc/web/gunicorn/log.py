"""gunicorn's own log, without what clients send: a request line holds filters, and these hold attribute values."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger as GunicornLogger


class Logger(GunicornLogger):
    """Says of a request that gunicorn refused only that it did, and of others the path without the query."""

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning."""
        if str(msg).startswith("Invalid request"):
            msg, args = "Refused a request that is no HTTP", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an exception."""
        super().exception(msg, *(one.partition("?")[0] if isinstance(one, str) else one for one in args), **kwargs)
