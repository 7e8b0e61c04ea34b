"""Brings request targets into their one spelling before they are routed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from scimsvc.protocol.dialects.entra import flag_inside_target

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class StandardTarget:
    """WSGI middleware for what is below the base path.

    A feature flag in the middle of the target goes (see the dialect's rule), endpoint names are found in any
    case, and doubled slashes, as from a Tenant URL that ends in one, count once. The root has its slash always.
    """

    def __init__(self, application: Wsgi, base_path: str) -> None:
        self._application = application
        self._below = re.compile(rf"(?P<base>{re.escape(base_path)})(?:/+(?P<endpoint>[^/]*)/*(?P<rest>.*))?", re.DOTALL)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A WSGI application (PEP 3333)."""
        query = environ.get("QUERY_STRING", "")
        if query and self._below.fullmatch(environ["PATH_INFO"]):
            environ["PATH_INFO"], environ["QUERY_STRING"] = flag_inside_target(environ["PATH_INFO"], query)
            if environ["QUERY_STRING"] != query:
                environ["scimsvc.note"].dialect = (flag_inside_target.__name__,)
        match = self._below.fullmatch(environ["PATH_INFO"])
        if match:
            rest = f"/{match['rest'].rstrip('/')}" if match["rest"] else ""
            environ["PATH_INFO"] = f"{match['base']}/{(match['endpoint'] or '').lower()}{rest}"
        return self._application(environ, start_response)
