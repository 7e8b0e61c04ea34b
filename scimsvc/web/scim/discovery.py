"""/Schemas, /ResourceTypes and /ServiceProviderConfig (RFC 7644 §4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from flask import Response, request

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

_DISCOVERY_SCHEMAS = {schema.id.lower(): schema for schema in (SERVICE_PROVIDER_CONFIG, RESOURCE_TYPE, SCHEMA)}
"""Readable by their URN, but not listed. Microsoft's schema discovery takes each schema that /Schemas lists beside User and Group
for an extension of User (SCIMReferenceCode, SCIMTests_Workflow.json)."""


class Discovery:
    """What this service provider serves the token's tenant."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def service_provider_config(self) -> Response:
        """Return what this service provider supports."""
        catalog, base = self._begin()
        limits = self._services.settings.limits
        passwords = catalog.profile.policies.passwords == "argon2"
        results = self._services.settings.scim.max_results
        announced = Limits(results, limits.bulk_operations, limits.request_bytes, passwords)
        return respond_json(service_provider_config(base, announced))

    def resource_types(self) -> Response:
        """List all resource types."""
        catalog, base = self._begin()
        return _list([resource_type_document(type_, base) for type_ in catalog.resource_types()])

    def resource_type(self, id_: str) -> Response:
        """Return a resource type by its name."""
        catalog, base = self._begin()
        for type_ in catalog.resource_types():
            if type_.name.lower() == id_.lower():
                return respond_json(resource_type_document(type_, base))
        raise not_found("ResourceType", id_)

    def schemas(self) -> Response:
        """List the schemas of all resource types."""
        catalog, base = self._begin()
        return _list([schema_document(schema, base) for schema in catalog.schemas.values()])

    def schema(self, id_: str) -> Response:
        """Return a schema by its URN."""
        catalog, base = self._begin()
        schema = catalog.schemas.get(id_.lower()) or _DISCOVERY_SCHEMAS.get(id_.lower())
        if schema is None:
            raise not_found("Schema", id_)
        return respond_json(schema_document(schema, base))

    def _begin(self) -> tuple[Catalog, str]:
        """Authenticate the request. Return the tenant's catalog and the base URL."""
        negotiate(request.environ)
        catalog = authenticate(self._services, request.environ, SCIM, ME).catalog
        return catalog, base_url(self._services, request.environ)


def _list(documents: Sequence[Any]) -> Response:
    # RFC 7644 §4 wants 403, because a client must not believe that its filter was applied.
    if "filter" in query_parameters(request.environ):
        raise ScimError(403, "This endpoint takes no filter.")
    return respond(list_response([orjson.dumps(document) for document in documents], len(documents), 1))
