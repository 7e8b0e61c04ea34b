"""Types of WSGI (PEP 3333), and the keys that scimsvc adds to a request's environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
"""A WSGI environment. Flask's request would wrap it, and parse it again whenever it is read."""
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
"""A WSGI application."""

LISTENER = "scimsvc.listener"
"""The worker stores the address of the listener that accepted the connection under this key.

gunicorn takes SERVER_NAME and SERVER_PORT from the Host header if it listens on a Unix socket, so a client could choose them.
"""
NOTE = "scimsvc.note"
"""`observe.observability` stores the request's Note under this key."""
OVERLOADED = "scimsvc.overloaded"
"""The worker sets this key if too many requests of the tenant wait (see `web.gunicorn.schedule`)."""
REQUEST_ID = "scimsvc.request_id"
"""`observe.observability` stores the request's id under this key."""

RETRY_AFTER = 5
"""Seconds after which a client may try again if the server was too busy."""
