"""What every SCIM request and answer has in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from flask import Response
from werkzeug.datastructures import Headers

from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.errors import ScimError, invalid_syntax
from scimsvc.protocol.messages import one_of_each, parse_search_request, unknown_members
from scimsvc.protocol.openapi import MEDIA_TYPE
from scimsvc.service.actor import Actor
from scimsvc.service.authentication import TokenRefused
from scimsvc.service.catalog import Catalog
from scimsvc.settings import HOST
from scimsvc.store.tenants import SCIM, Scope, TenantRecord
from scimsvc.web.observe.note import Note
from scimsvc.web.services import Services

_MEDIA_RANGE = re.compile(r"[\w!#$&^.+*-]+/[\w!#$&^.+*-]+", re.ASCII)
_QUALITY = re.compile(r"[01](\.[0-9]{0,9})?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ACCEPTED = frozenset({MEDIA_TYPE, "application/json", ""})

Environ = dict[str, Any]
"""A WSGI environment: what Flask's request would wrap and parse once more at each look."""


def standard(environ: Environ, asked: Request) -> Request:
    """Return a request as RFC 7644 has it, and note for its log line what the dialect changed and what will be ignored."""
    request = standardise(asked)
    if request.rules or request.ignored:
        note = note_of(environ)
        # A query of the root is one of each resource type.
        note.dialect = tuple(dict.fromkeys(note.dialect + request.rules))
        note.ignored += request.ignored
    return request


def search_request(services: Services, environ: Environ) -> dict[str, str]:
    """Return the parameters of a query in the body (RFC 7644 §3.4.3), and note what will be ignored. Raises ScimError."""
    body = json_body(services, environ)
    parameters = parse_search_request(body)
    note_of(environ).ignored = unknown_members(body)
    return parameters


def note_of(environ: Environ) -> Note:
    """Return what is noted of this request for its log line and the metrics."""
    note: Note = environ["scimsvc.note"]
    return note


class Caller(NamedTuple):
    """The tenant that sends the request, what its profile serves, who the journal names for what is changed, and the id of the
    user if the token is one user's.
    """

    tenant: TenantRecord
    catalog: Catalog
    actor: Actor
    subject: str | None = None


def authenticate(services: Services, environ: Environ, *scopes: Scope) -> Caller:
    """Raises ScimError 401, 403 for a token of another scope (without any, it is `scim`), or 503 where the tenant's profile is
    not there or the database is not ready.
    """
    services.readiness.require()
    note = note_of(environ)
    try:
        credential = services.authenticator.credential_of(environ.get("HTTP_AUTHORIZATION"), scopes or (SCIM,))
    except TokenRefused as refused:
        note.credential = refused.credential
        raise
    note.credential = credential
    tenant = credential.tenant
    catalog = services.catalogs.get(tenant.profile)
    if catalog is None:
        raise ScimError(
            503,
            f"The mapping profile {tenant.profile!r} of this tenant is not loaded.",
            headers={"Retry-After": "60"},
            rule="profile not loaded",
        )
    return Caller(tenant, catalog, Actor("token", str(credential.token_id), note.request_id), credential.subject)


def negotiate(environ: Environ) -> None:
    """Raises ScimError 406 where the client accepts no JSON (RFC 7644 §3.8)."""
    accept = environ.get("HTTP_ACCEPT")
    if accept and _accepted(accept) is None:
        raise ScimError(406, f"Answers are {MEDIA_TYPE} or application/json; the Accept header has neither.", rule="Accept")


@lru_cache(maxsize=256)
def _accepted(accept: str) -> str | None:
    """The media type of an answer to a client that accepts these: the one of higher quality, None where neither has any. SCIM's
    own comes first, also where the header has nothing that is a media range.
    """
    ranges: dict[str, float] = {}
    for one in accept.split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        quality = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
        if _MEDIA_RANGE.fullmatch(name):
            ranges[name] = float(quality) if _QUALITY.fullmatch(quality) else 1.0
    if not ranges:
        return MEDIA_TYPE
    # The most specific range decides (RFC 9110 §12.5.1).
    qualities = {
        media_type: next((ranges[name] for name in (media_type, "application/*", "*/*") if name in ranges), 0.0)
        for media_type in (MEDIA_TYPE, "application/json")
    }
    best = max(qualities, key=lambda media_type: qualities[media_type])
    return best if qualities[best] else None


def base_url(services: Services, environ: Environ) -> str:
    """The absolute URL of the SCIM endpoint as the client sees it, without a trailing slash. Raises ScimError 400."""
    scim = services.settings.scim
    if scim.public_url:
        return scim.public_url.rstrip("/") + scim.base_path
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return _origin(environ["wsgi.url_scheme"].lower(), host) + scim.base_path


@lru_cache(maxsize=256)
def _origin(scheme: str, host: str) -> str:
    if scheme not in _DEFAULT_PORTS:
        # The proxy handed on what a client sent; it would be the beginning of each location.
        raise ScimError(400, "The header X-Forwarded-Proto must be http or https.", rule="X-Forwarded-Proto")
    match = HOST.fullmatch(host)
    if match is None:
        raise ScimError(400, "The Host header must be a host name or address, with or without a port.", rule="Host")
    return f"{scheme}://{match['host'] if match['port'] == _DEFAULT_PORTS.get(scheme) else host}"


def parameters(environ: Environ) -> Mapping[str, str]:
    """Return the query parameters, names in lower case, without empty ones. Raises ScimError 400 for one that is repeated."""
    query = environ.get("QUERY_STRING")
    if not query:
        return {}
    # WSGI has bytes as Latin-1 (PEP 3333).
    text = query.encode("latin-1", "replace").decode("utf-8", "replace")
    return one_of_each(parse_qsl(text, keep_blank_values=True))


def json_body(services: Services, environ: Environ) -> Any:
    """The body as JSON. Raises ScimError 400, 408, 413, 415 or 501."""
    content_type = environ.get("CONTENT_TYPE", "")
    if not _is_json(content_type):
        raise ScimError(415, f"Send JSON with Content-Type: {MEDIA_TYPE}, not {content_type[:64]}.", rule="Content-Type")
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise ScimError(415, "Send the body without Content-Encoding.", rule="Content-Encoding")
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise ScimError(
            501, "Send the body as it is or in chunks; no other Transfer-Encoding is understood.", rule="Transfer-Encoding"
        )
    body = _body(environ, services.settings.limits.request_bytes)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_syntax(f"The body is not JSON: {error}.") from None
    limit = services.settings.limits.nesting
    # Counting brackets is quick and clears nearly every body; only a suspicious one is walked.
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
            # Each server has errors of its own for a connection that breaks and for chunks that are none.
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
            below for one in level if isinstance(one, (dict, list)) for below in (one.values() if isinstance(one, dict) else one)
        ]
        depth += 1
    return depth - 1


class Answer(Response):
    """An answer whose headers and body are ready to be sent: Werkzeug would parse, copy and encode them several times."""

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
        """A WSGI application (PEP 3333)."""
        if self._media_type == MEDIA_TYPE and (self._body is not None or self.status_code == 304):
            self._ready.append(("Vary", "Accept"))
        if self._body is not None:
            accept = environ.get("HTTP_ACCEPT")
            media_type = self._media_type
            if accept and media_type == MEDIA_TYPE:
                media_type = _accepted(accept) or media_type
            self._ready.append(("Content-Type", media_type))
        start_response(self.status, self._ready)
        return [self._body] if self._body and environ["REQUEST_METHOD"] != "HEAD" else []


def respond(
    body: bytes | None, status: int = 200, headers: Iterable[tuple[str, str]] = (), media_type: str = MEDIA_TYPE
) -> Response:
    """An answer; None for the body is an empty one. Header values must be ASCII."""
    return Answer(body, status, list(headers), media_type)


def respond_json(
    document: Any, status: int = 200, headers: Iterable[tuple[str, str]] = (), media_type: str = MEDIA_TYPE
) -> Response:
    """The same for a document that is yet to be written as JSON."""
    return respond(orjson.dumps(document), status, headers, media_type)
