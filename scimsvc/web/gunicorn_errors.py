"""gunicorn's own refusals, of what never reaches the application, as SCIM errors like all others."""

from __future__ import annotations

from socket import socket

import orjson
from gunicorn import util

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.openapi import MEDIA_TYPE

_DETAILS = {
    400: "The request is no HTTP/1.1 as RFC 9112 has it.",
    414: "The URL is too long for a GET; POST the query to /.search.",
    417: "The header Expect can only ask for 100-continue.",
    431: "The headers are longer, or more, than the service provider takes.",
    500: "Something went wrong here.",
    501: "The header Transfer-Encoding can only say chunked.",
}


def write_error(sock: socket, status_int: int, reason: str, mesg: str) -> None:
    """In the place of gunicorn's function of the same name, which sends HTML with parts of what the client has sent."""
    body = orjson.dumps(ScimError(status_int, _DETAILS.get(status_int, f"{reason}.")).document())
    headers = f"Connection: close\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}"
    headers += "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store"
    util.write_nonblock(sock, f"HTTP/1.1 {status_int} {reason}\r\n{headers}\r\n\r\n".encode("latin-1") + body)
