"""What every SCIM request and answer has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.sansio.utils import get_current_url

from scimsvc.protocol.errors import ScimError, invalid_syntax
from scimsvc.service.catalog import Catalog
from scimsvc.store.tenants import TenantRecord
from scimsvc.web import app as application

MEDIA_TYPE = "application/scim+json"
_ACCEPTED = frozenset({MEDIA_TYPE, "application/json", ""})


@dataclass(frozen=True)
class Caller:
    """The tenant that sends the request and what its profile serves."""

    tenant: TenantRecord
    catalog: Catalog


def authenticate() -> Caller:
    """Raises ScimError 401, or 503 where the tenant's profile is not there."""
    services = application.services()
    tenant = services.authenticator.tenant_of(request.headers.get("Authorization"))
    catalog = services.catalogs.get(tenant.profile)
    if catalog is None:
        raise ScimError(
            503, f"The mapping profile {tenant.profile!r} of this tenant is not loaded.", headers={"Retry-After": "60"}
        )
    return Caller(tenant, catalog)


def base_url() -> str:
    """The absolute URL of the SCIM endpoint as the client sees it, without a trailing slash."""
    scim = application.services().settings.scim
    environ = request.environ
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return (scim.public_url.rstrip("/") or _origin(environ["wsgi.url_scheme"], host)) + scim.base_path


# Werkzeug parses and encodes the address at every look.
@lru_cache(maxsize=256)
def _origin(scheme: str, host: str) -> str:
    return get_current_url(scheme, host).rstrip("/")


def parameters() -> Mapping[str, str]:
    """The query parameters, names in lower case; of one that is repeated the first counts."""
    return {name.lower(): value for name, value in request.args.items()} if request.query_string else {}


def json_body() -> Any:
    """The body as JSON. Raises ScimError 400, 413 or 415."""
    if not _is_json(request.environ.get("CONTENT_TYPE", "")):
        raise ScimError(415, f"Send JSON with Content-Type: {MEDIA_TYPE}, not {request.mimetype[:64]}.")
    body = request.get_data()
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_syntax(f"The body is not JSON: {error}.") from None
    limit = application.services().settings.limits.nesting
    # Counting brackets is quick and clears nearly every body; only a suspicious one is walked.
    if body.count(b"{") + body.count(b"[") > limit and _depth(parsed) > limit:
        raise invalid_syntax(f"The body is nested more than {limit} deep.")
    return parsed


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


class _Complete(Response):
    """A response whose headers are ready to be sent: Werkzeug would parse and encode Location once more."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        return self.headers


def respond(body: bytes | None, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of the SCIM media type; None for the body is an empty one. Header values must be ASCII."""
    complete = Headers(list(headers.items()) if headers else [])
    if body is not None:
        complete.add("Content-Type", MEDIA_TYPE)
        complete.add("Content-Length", str(len(body)))
    response = _Complete(None, status, complete)
    response.response = [body] if body else []
    return response


def respond_json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The same for a document that is yet to be written as JSON."""
    return respond(orjson.dumps(document), status, headers)
