"""/openapi.json for programs and /docs for people: what the SCIM endpoint can do."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from scimsvc.protocol.openapi import openapi
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.discovery import schemas_of
from scimsvc.store.tenants import ME, SCIM
from scimsvc.web import scim
from scimsvc.web.services import Services


def blueprint(services: Services) -> Blueprint:
    """The document of the tenant that asks, and a page about what every tenant has."""
    routes = Blueprint("documents", __name__, template_folder="templates")
    results, operations = services.settings.scim.max_results, services.settings.limits.bulk_operations

    @routes.get("/openapi.json")
    def document() -> Response:
        """The OpenAPI document, with the custom attributes of the tenant's profile."""
        types = scim.authenticate(services, request.environ, SCIM, ME).catalog.resource_types()
        found = openapi(types, scim.base_url(services, request.environ), results, operations, services.limits)
        return scim.respond_json(found, media_type="application/json")

    @routes.get("/docs")
    def page() -> Response:
        """The same to be read, without any tenant's own attributes."""
        types = [USER_TYPE, GROUP_TYPE]
        found = openapi(types, scim.base_url(services, request.environ), results, operations, services.limits)
        text = render_template("docs.html", document=found, schemas=schemas_of(types))
        headers = [("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")]
        return scim.respond(text.encode(), headers=headers, media_type="text/html; charset=utf-8")

    return routes
