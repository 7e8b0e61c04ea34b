"""/Schemas, /ResourceTypes and /ServiceProviderConfig (RFC 7644 §4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from flask import Blueprint, Response, request

from scimsvc.protocol.errors import ScimError, not_found
from scimsvc.protocol.messages import list_response
from scimsvc.schema.discovery import Limits, resource_type_document, schema_document, service_provider_config
from scimsvc.schema.service_provider import RESOURCE_TYPE, SCHEMA, SERVICE_PROVIDER_CONFIG
from scimsvc.service.catalog import Catalog
from scimsvc.store.tenants import ME, SCIM
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.negotiation import negotiate
from scimsvc.web.http.request import base_url, query_parameters
from scimsvc.web.http.response import respond, respond_json
from scimsvc.web.services import Services

_OWN_SCHEMAS = {schema.id.lower(): schema for schema in (SERVICE_PROVIDER_CONFIG, RESOURCE_TYPE, SCHEMA)}
"""Readable by their URN, but not listed: Microsoft's schema discovery takes whatever /Schemas lists beside User and
Group for an extension of User (SCIMReferenceCode, SCIMTests_Workflow.json)."""


def blueprint(services: Services) -> Blueprint:
    """The endpoints that say what this service provider serves a tenant."""
    routes = Blueprint("discovery", __name__)

    def catalog() -> Catalog:
        negotiate(request.environ)
        return authenticate(services, request.environ, SCIM, ME).catalog

    def base() -> str:
        return base_url(services, request.environ)

    @routes.get("/schemas")
    def schemas() -> Response:
        """All schemas of the resource types."""
        return _list([schema_document(schema, base()) for schema in catalog().schemas.values()])

    @routes.get("/schemas/<id_>")
    def schema(id_: str) -> Response:
        """One schema by its URN."""
        found = catalog().schemas.get(id_.lower()) or _OWN_SCHEMAS.get(id_.lower())
        if found is None:
            raise not_found("Schema", id_)
        return respond_json(schema_document(found, base()))

    @routes.get("/resourcetypes")
    def resource_types() -> Response:
        """All resource types."""
        return _list([resource_type_document(type_, base()) for type_ in catalog().resource_types()])

    @routes.get("/resourcetypes/<id_>")
    def resource_type(id_: str) -> Response:
        """One resource type by its name."""
        found = next((type_ for type_ in catalog().resource_types() if type_.name.lower() == id_.lower()), None)
        if found is None:
            raise not_found("ResourceType", id_)
        return respond_json(resource_type_document(found, base()))

    @routes.get("/serviceproviderconfig")
    def configuration() -> Response:
        """What this service provider supports."""
        passwords = catalog().profile.policies.passwords == "argon2"
        limits = services.settings.limits
        announced = Limits(services.settings.scim.max_results, limits.bulk_operations, limits.request_bytes, passwords)
        return respond_json(service_provider_config(base(), announced))

    return routes


def _list(documents: Sequence[Any]) -> Response:
    # A filter can't be applied here, and ignoring it would pretend otherwise (§4).
    if "filter" in query_parameters(request.environ):
        raise ScimError(403, "This endpoint takes no filter.")
    return respond(list_response([orjson.dumps(document) for document in documents], len(documents), 1))
