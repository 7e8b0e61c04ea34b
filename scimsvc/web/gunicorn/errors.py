"""SCIM errors for requests that never reach the application: gunicorn and the loop of the worker refuse them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.openapi import MEDIA_TYPE
from scimsvc.web.http.environ import RETRY_AFTER

_DETAILS = {
    400: "The request is not valid HTTP/1.1 (RFC 9112).",
    408: "The request did not arrive in time.",
    413: "The body is larger than the server accepts; send less at once.",
    414: "The URL is too long for a GET; POST the query to /.search.",
    417: "The header Expect can only ask for 100-continue.",
    431: "The headers are too long or too many; send fewer.",
    500: "Internal server error; nothing was saved.",
    501: "The header Transfer-Encoding can only say chunked.",
    503: "Too many large requests arrive at the same time; retry later.",
}


def refusal(status: int) -> bytes:
    """Return the bytes of an error response with a status. The connection ends after it."""
    reason = HTTPStatus(status).phrase
    body = orjson.dumps(ScimError(status, _DETAILS.get(status, f"{reason}.")).document())
    retry = f"Retry-After: {RETRY_AFTER}\r\n" if status == 503 else ""
    headers = f"{retry}Connection: close\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}"
    headers += "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store"
    return f"HTTP/1.1 {status} {reason}\r\n{headers}\r\n\r\n".encode("latin-1") + body


def write_error(sock: Any, status_int: int, reason: str, mesg: str) -> None:
    """Write a refusal. It replaces gunicorn's function of this name, which sends HTML with parts of the request."""
    sock.sendall(refusal(status_int))
