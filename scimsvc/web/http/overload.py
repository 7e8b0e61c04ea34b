"""Answer 429 to a request that the worker has no room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.openapi import MEDIA_TYPE
from scimsvc.service.authentication import Authenticator
from scimsvc.web.http.environ import NOTE, OVERLOADED, RETRY_AFTER, Wsgi
from scimsvc.web.http.note import Note

_ERROR = ScimError(
    429,
    "Too many requests of this tenant are waiting. Retry after the seconds in the header Retry-After.",
    rule="limits.queued_requests",
)
_BODY = orjson.dumps(_ERROR.document())


class Overload:
    """WSGI middleware: answer 429 instead of the application if too many requests of a tenant wait (see `web.gunicorn.schedule`).

    It is inside `Observed`, so that these requests are logged and counted as well.
    """

    def __init__(self, application: Wsgi, authenticator: Authenticator) -> None:
        self._application = application
        self._authenticator = authenticator

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        if OVERLOADED not in environ:
            return self._application(environ, start_response)
        note: Note = environ[NOTE]
        note.error = _ERROR
        note.credential = self._authenticator.known_credential(environ.get("HTTP_AUTHORIZATION", ""))
        headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(_BODY))), ("Retry-After", str(RETRY_AFTER))]
        start_response("429 Too Many Requests", headers)
        return [_BODY]
