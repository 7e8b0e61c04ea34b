"""/openapi.json for programs, /docs for people, and the page at /."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from flask import Response, render_template, request
from markupsafe import escape

from scimsvc import __version__
from scimsvc.protocol.openapi import openapi
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.discovery import schemas_of
from scimsvc.schema.model import ResourceType
from scimsvc.store.tenants import ME, SCIM
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.request import base_url
from scimsvc.web.http.response import respond, respond_json
from scimsvc.web.routes import ROUTES
from scimsvc.web.services import Services

_BASE = "https://base.invalid"
"""A placeholder for the SCIM base URL, so that a page is rendered once whatever Host a client sends."""
_PAGE_HEADERS = [
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
]


class Documents:
    """The OpenAPI document of the tenant that asks, and pages that are the same for every tenant."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def openapi(self) -> Response:
        """Return the OpenAPI document, with the custom attributes of the tenant's profile."""
        catalog = authenticate(self._services, request.environ, SCIM, ME).catalog
        base = base_url(self._services, request.environ)
        return respond_json(self._document(catalog.resource_types(), base), media_type="application/json")

    def docs(self) -> Response:
        """Return the document as a page, without any tenant's custom attributes."""
        return self._page(self._docs)

    def landing(self) -> Response:
        """Return the page that people see if they open the server in a browser."""
        return self._page(self._landing)

    @cached_property
    def _docs(self) -> str:
        types = [USER_TYPE, GROUP_TYPE]
        return render_template("docs.html", document=self._document(types, _BASE), schemas=schemas_of(types))

    @cached_property
    def _landing(self) -> str:
        operational = not self._services.settings.server.management_bind
        return render_template("landing.html", version=__version__, tenant_url=f"{_BASE}/", operational=operational)

    def _page(self, text: str) -> Response:
        text = text.replace(_BASE, str(escape(base_url(self._services, request.environ))))
        return respond(text.encode(), headers=_PAGE_HEADERS, media_type="text/html; charset=utf-8")

    def _document(self, resource_types: Iterable[ResourceType], base: str) -> dict[str, Any]:
        types = list(resource_types)
        settings = self._services.settings
        limits = settings.scim.max_results, settings.limits.bulk_operations, self._services.limits
        return openapi(types, base, *limits, _routes(types))


def _routes(types: Iterable[ResourceType]) -> frozenset[tuple[str, str]]:
    """Return the method and path of each SCIM route that a tenant with these resource types has."""
    endpoints = [type_.endpoint for type_ in types]
    return frozenset(
        (route.method, route.path.replace("/{type}", endpoint))
        for route in ROUTES
        if route.scim
        for endpoint in (endpoints if "{type}" in route.path else [""])
    )
