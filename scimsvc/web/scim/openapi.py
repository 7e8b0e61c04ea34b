"""/openapi.json for programs, /docs for people, and the page at /."""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Response, render_template, request
from markupsafe import escape

from scimsvc import __version__
from scimsvc.protocol.openapi import openapi
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.discovery import schemas_of
from scimsvc.store.tenants import ME, SCIM
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.request import base_url
from scimsvc.web.http.response import respond, respond_json
from scimsvc.web.services import Services

_BASE = "https://base.invalid"
"""What stands for the SCIM base URL in a page, so that a page is rendered once whatever Host a client sends."""
_PAGE_HEADERS = [
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
]


def blueprint(services: Services) -> Blueprint:
    """Return the document of the tenant that asks, and pages about what every tenant has."""
    routes = Blueprint("documents", __name__, template_folder="templates")
    results, operations = services.settings.scim.max_results, services.settings.limits.bulk_operations

    @routes.get("/openapi.json")
    def document() -> Response:
        """Answer the OpenAPI document, with the custom attributes of the tenant's profile."""
        types = authenticate(services, request.environ, SCIM, ME).catalog.resource_types()
        found = openapi(types, base_url(services, request.environ), results, operations, services.limits)
        return respond_json(found, media_type="application/json")

    @lru_cache(maxsize=1)
    def docs_page() -> str:
        types = [USER_TYPE, GROUP_TYPE]
        found = openapi(types, _BASE, results, operations, services.limits)
        return render_template("docs.html", document=found, schemas=schemas_of(types))

    @lru_cache(maxsize=1)
    def landing_page() -> str:
        apart = bool(services.settings.server.management_bind)
        return render_template("landing.html", version=__version__, tenant_url=f"{_BASE}/", operational=not apart)

    def page(text: str) -> Response:
        text = text.replace(_BASE, str(escape(base_url(services, request.environ))))
        return respond(text.encode(), headers=_PAGE_HEADERS, media_type="text/html; charset=utf-8")

    @routes.get("/docs")
    def docs() -> Response:
        """Answer the document as a page, without any tenant's own attributes."""
        return page(docs_page())

    @routes.get("/")
    def landing() -> Response:
        """Answer the page that people see if they open the server in a browser."""
        return page(landing_page())

    return routes
