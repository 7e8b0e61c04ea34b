"""/Schemas, /ResourceTypes and /ServiceProviderConfig (RFC 7644 §4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from flask import Blueprint, Response

from scimsvc.protocol.errors import ScimError, not_found
from scimsvc.protocol.messages import list_response
from scimsvc.schema.discovery import Limits, resource_type_document, schema_document, service_provider_config
from scimsvc.schema.service_provider import RESOURCE_TYPE, SCHEMA, SERVICE_PROVIDER_CONFIG
from scimsvc.web import app as application
from scimsvc.web import scim

blueprint = Blueprint("discovery", __name__)

_OWN_SCHEMAS = {schema.id.lower(): schema for schema in (SERVICE_PROVIDER_CONFIG, RESOURCE_TYPE, SCHEMA)}
"""Readable by their URN, but not listed: Microsoft's schema discovery takes whatever /Schemas lists beside User and
Group for an extension of User (SCIMReferenceCode, SCIMTests_Workflow.json)."""


def _list(documents: Sequence[Any]) -> Response:
    # A filter can't be applied here, and ignoring it would pretend otherwise (§4).
    if "filter" in scim.parameters():
        raise ScimError(403, "This endpoint takes no filter.")
    return scim.respond(list_response([orjson.dumps(document) for document in documents], len(documents), 1))


@blueprint.get("/schemas")
def schemas() -> Response:
    """All schemas of the resource types."""
    catalog = scim.authenticate().catalog
    return _list([schema_document(schema, scim.base_url()) for schema in catalog.schemas.values()])


@blueprint.get("/schemas/<id_>")
def schema(id_: str) -> Response:
    """One schema by its URN."""
    catalog = scim.authenticate().catalog
    found = catalog.schemas.get(id_.lower()) or _OWN_SCHEMAS.get(id_.lower())
    if found is None:
        raise not_found("Schema", id_)
    return scim.respond_json(schema_document(found, scim.base_url()))


@blueprint.get("/resourcetypes")
def resource_types() -> Response:
    """All resource types."""
    catalog = scim.authenticate().catalog
    return _list([resource_type_document(type_, scim.base_url()) for type_ in catalog.resource_types()])


@blueprint.get("/resourcetypes/<id_>")
def resource_type(id_: str) -> Response:
    """One resource type by its name."""
    types = scim.authenticate().catalog.resource_types()
    found = next((type_ for type_ in types if type_.name.lower() == id_.lower()), None)
    if found is None:
        raise not_found("ResourceType", id_)
    return scim.respond_json(resource_type_document(found, scim.base_url()))


@blueprint.get("/serviceproviderconfig")
def configuration() -> Response:
    """What this service provider supports."""
    scim.authenticate()
    limits = Limits(application.services().settings.scim.max_results)
    return scim.respond_json(service_provider_config(scim.base_url(), limits))
