"""Read a request: its note, its base URL, its query parameters and its JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson

from scimsvc.protocol.errors import ScimError, invalid_syntax
from scimsvc.protocol.messages import one_of_each
from scimsvc.protocol.openapi import MEDIA_TYPE
from scimsvc.settings import HOST
from scimsvc.web.http.environ import NOTE, Environ
from scimsvc.web.http.note import Note
from scimsvc.web.services import Services

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ACCEPTED = frozenset({MEDIA_TYPE, "application/json", ""})


def note_of(environ: Environ) -> Note:
    """Return the note of a request, for its log line and the metrics."""
    note: Note = environ[NOTE]
    return note


def base_url(services: Services, environ: Environ) -> str:
    """Return the absolute URL of the SCIM endpoint as the client sees it, without a slash at its end. Raise ScimError 400."""
    scim = services.settings.scim
    if scim.public_url:
        return scim.public_url.rstrip("/") + scim.base_path
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return _origin(environ["wsgi.url_scheme"].lower(), host) + scim.base_path


@lru_cache(maxsize=256)
def _origin(scheme: str, host: str) -> str:
    if scheme not in _DEFAULT_PORTS:
        # The proxy passed on what a client sent. It would be in every URL of the answer.
        raise ScimError(400, "The header X-Forwarded-Proto must be http or https.", rule="X-Forwarded-Proto")
    match = HOST.fullmatch(host)
    if match is None:
        raise ScimError(400, "The Host header must be a host name or address, with or without a port.", rule="Host")
    return f"{scheme}://{match['host'] if match['port'] == _DEFAULT_PORTS.get(scheme) else host}"


def query_parameters(environ: Environ) -> Mapping[str, str]:
    """Return the query parameters, names in lower case, without empty ones. Raise ScimError 400 if a name is repeated."""
    query = environ.get("QUERY_STRING")
    if not query:
        return {}
    # WSGI passes bytes as Latin-1 text (PEP 3333).
    text = query.encode("latin-1", "replace").decode("utf-8", "replace")
    return one_of_each(parse_qsl(text, keep_blank_values=True))


def json_body(services: Services, environ: Environ) -> Any:
    """Return the JSON value of the body. Raise ScimError 400, 408, 413, 415 or 501."""
    content_type = environ.get("CONTENT_TYPE", "")
    if not _is_json(content_type):
        raise ScimError(415, f"Send JSON with Content-Type: {MEDIA_TYPE}, not {content_type[:64]}.", rule="Content-Type")
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise ScimError(415, "Send the body without Content-Encoding.", rule="Content-Encoding")
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise ScimError(
            501, "Send the body as it is or in chunks; no other Transfer-Encoding is supported.", rule="Transfer-Encoding"
        )
    body = _body(environ, services.settings.limits.request_bytes)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_syntax(f"The body is not valid JSON: {error}.") from None
    limit = services.settings.limits.nesting
    # Counting brackets is fast and clears nearly every body, so few bodies are walked.
    if body.count(b"{") + body.count(b"[") > limit and _depth(parsed) > limit:
        raise invalid_syntax(f"The body is nested more than {limit} deep.", "limits.nesting")
    return parsed


def _body(environ: Environ, limit: int) -> bytes:
    stated = environ.get("CONTENT_LENGTH")
    length = int(stated) if stated and stated.isdecimal() else None
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""
    body = b""
    if length is None or length <= limit:
        try:
            body = environ["wsgi.input"].read(limit + 1 if length is None else length)
        except TimeoutError:
            raise ScimError(408, "The body did not arrive in time.", rule="server.read_timeout") from None
        except Exception:
            # Each WSGI server has its own exceptions for a broken connection and for malformed chunks.
            raise invalid_syntax("The body could not be read to its end.") from None
    if len(body) > limit or (length or 0) > limit:
        raise ScimError(413, f"The body is larger than {limit} bytes; send less at once.", rule="limits.request_bytes")
    if length is not None and len(body) < length:
        raise invalid_syntax(f"The body has {len(body)} bytes, but Content-Length says {length}.")
    return body


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in _ACCEPTED


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        level = [
            below
            for item in level
            if isinstance(item, (dict, list))
            for below in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth - 1
