"""Bring request targets into one spelling before they are routed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from scimsvc.protocol.dialects.entra import flag_inside_target
from scimsvc.web.http.environ import NOTE, Wsgi


class StandardTarget:
    """WSGI middleware for targets below the base path.

    It removes a feature flag in the middle of the target (see the dialect's rule) and writes the endpoint in lower case. Doubled
    slashes, which a Tenant URL with a slash at its end causes, become one. The root always gets its slash.
    """

    def __init__(self, application: Wsgi, base_path: str) -> None:
        self._application = application
        self._below = re.compile(rf"(?P<base>{re.escape(base_path)})(?:/+(?P<endpoint>[^/]*)/*(?P<rest>.*))?", re.DOTALL)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        query = environ.get("QUERY_STRING", "")
        if query and self._below.fullmatch(environ["PATH_INFO"]):
            environ["PATH_INFO"], environ["QUERY_STRING"] = flag_inside_target(environ["PATH_INFO"], query)
            if environ["QUERY_STRING"] != query:
                environ[NOTE].dialect = (flag_inside_target.__name__,)
        match = self._below.fullmatch(environ["PATH_INFO"])
        if match:
            rest = f"/{match['rest'].rstrip('/')}" if match["rest"] else ""
            environ["PATH_INFO"] = f"{match['base']}/{(match['endpoint'] or '').lower()}{rest}"
        return self._application(environ, start_response)
