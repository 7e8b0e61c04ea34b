"""Serve the endpoints for operators in one spelling only, and only at `server.management_bind` if that is set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.openapi import MEDIA_TYPE
from scimsvc.web.http.environ import LISTENER, Wsgi
from scimsvc.web.routes import OPERATIONAL

Address = tuple[Any, ...] | str | bytes
"""The address of a socket in Python: a tuple that begins with host and port, or the path of a Unix socket."""
_management_address: Address | None = None


def use_management_address(address: Address | None) -> None:
    """Set the address of the listener of `server.management_bind`, as `getsockname` returns it. Each worker calls this once."""
    global _management_address
    _management_address = address


class ManagementPort:
    """WSGI middleware: answer 404 if an operational endpoint is asked for in another spelling or on the wrong port.

    A proxy that hides `/metrics` compares paths, so `//metrics` or `/metrics%2f` must not be the same endpoint.
    """

    def __init__(self, application: Wsgi, base_path: str, apart: bool) -> None:
        self._application = application
        self._base_path = base_path
        self._apart = apart

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        path: str = environ["PATH_INFO"]
        if not self._apart and path.startswith(self._base_path):
            return self._application(environ, start_response)
        operational = f"/{path.strip('/')}" in OPERATIONAL
        if operational and environ.get("RAW_URI", path).partition("?")[0] != path:
            return _not_found(path, start_response)
        if operational and path not in OPERATIONAL:
            return _not_found(path, start_response)
        if self._apart and operational != _is_at_management_port(environ):
            return _not_found(path, start_response)
        return self._application(environ, start_response)


def _is_at_management_port(environ: dict[str, Any]) -> bool:
    return _management_address is not None and environ.get(LISTENER) == _management_address


def _not_found(path: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = orjson.dumps(ScimError(404, f"There is nothing at {path[:128]}.").document())
    start_response("404 NOT FOUND", [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))])
    return [body]
