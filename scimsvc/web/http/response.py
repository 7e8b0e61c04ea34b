"""Responses whose headers and body are complete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from flask import Response
from werkzeug.datastructures import Headers

from scimsvc.protocol.openapi import MEDIA_TYPE
from scimsvc.web.http.negotiation import accepted


class _Ready(Response):
    """A response whose headers and body are ready to be sent: Werkzeug would parse, copy and encode them several times."""

    default_mimetype = None

    def __init__(self, body: bytes | None, status: int, headers: list[tuple[str, str]], media_type: str) -> None:
        # Werkzeug's own __init__ would make headers and a body that are not sent.
        self.headers = Headers()
        self.status_code = status
        self._ready = headers
        self._body = body
        self._media_type = media_type
        if body is not None:
            headers.append(("Content-Length", str(len(body))))

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Send the response as a WSGI application (PEP 3333)."""
        if self._media_type == MEDIA_TYPE and (self._body is not None or self.status_code == 304):
            self._ready.append(("Vary", "Accept"))
        if self._body is not None:
            accept = environ.get("HTTP_ACCEPT")
            media_type = self._media_type
            if accept and media_type == MEDIA_TYPE:
                media_type = accepted(accept) or media_type
            self._ready.append(("Content-Type", media_type))
        start_response(self.status, self._ready)
        return [self._body] if self._body and environ["REQUEST_METHOD"] != "HEAD" else []


def respond(
    body: bytes | None, status: int = 200, headers: Iterable[tuple[str, str]] = (), media_type: str = MEDIA_TYPE
) -> Response:
    """Return a response; it has no body if `body` is None. Header values must be ASCII."""
    return _Ready(body, status, list(headers), media_type)


def respond_json(
    document: Any, status: int = 200, headers: Iterable[tuple[str, str]] = (), media_type: str = MEDIA_TYPE
) -> Response:
    """Return a response with `document` as JSON."""
    return respond(orjson.dumps(document), status, headers, media_type)
