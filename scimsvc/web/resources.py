"""/Users and /Groups (RFC 7644 §3.3 to §3.6)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from scimsvc.protocol import etag
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.messages import parse_query
from scimsvc.protocol.projection import Projection, parse_projection
from scimsvc.service.catalog import Catalog
from scimsvc.service.rendering import Rendered
from scimsvc.service.resources import ResourceService
from scimsvc.web import app as application
from scimsvc.web import scim

blueprint = Blueprint("resources", __name__)


def _begin(endpoint: str, body: bool = False) -> tuple[Request, ResourceService]:
    """Authenticate, find the resource type and read the request in its dialect. Raises ScimError 401, 404, 415, 400."""
    caller = scim.authenticate()
    served = caller.catalog.types.get(endpoint)
    if served is None:
        raise _unknown_endpoint(endpoint, caller.catalog)
    content = scim.json_body() if body else None
    standard = standardise(Request(request.method, served.resource_type, scim.parameters(), content))
    return standard, ResourceService(application.services().database, caller.tenant.id, served, scim.base_url())


def _unknown_endpoint(endpoint: str, catalog: Catalog) -> ScimError:
    known = [type_.endpoint for type_ in catalog.resource_types()] + ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"]
    return ScimError(404, f"There is no endpoint /{endpoint[:64]}; there are {', '.join(known)}.")


def _projection(standard: Request) -> Projection:
    asked = standard.parameters
    return parse_projection(standard.resource_type, asked.get("attributes"), asked.get("excludedattributes"))


def _resource(rendered: Rendered, status: int = 200) -> Response:
    headers = {"ETag": etag.etag(rendered.version), "Location": rendered.location}
    return scim.respond(rendered.body, status, headers)


@blueprint.get("/<endpoint>")
def query(endpoint: str) -> Response:
    """Query resources (§3.4.2)."""
    standard, service = _begin(endpoint)
    limit = application.services().settings.scim.max_results
    return scim.respond(service.query(parse_query(standard.resource_type, standard.parameters, limit)))


@blueprint.post("/<endpoint>")
def create(endpoint: str) -> Response:
    """Create a resource (§3.3)."""
    standard, service = _begin(endpoint, body=True)
    return _resource(service.create(standard.body, _projection(standard)), 201)


@blueprint.get("/<endpoint>/<id_>")
def get(endpoint: str, id_: str) -> Response:
    """Retrieve a resource (§3.4.1); 304 where If-None-Match has its version."""
    standard, service = _begin(endpoint)
    rendered = service.get(id_, _projection(standard))
    known = request.headers.get("If-None-Match")
    if known is not None and etag.matches(known, rendered.version):
        return scim.respond(None, 304, {"ETag": etag.etag(rendered.version)})
    return _resource(rendered)


@blueprint.put("/<endpoint>/<id_>")
def replace(endpoint: str, id_: str) -> Response:
    """Replace a resource (§3.5.1)."""
    standard, service = _begin(endpoint, body=True)
    return _resource(service.replace(id_, standard.body, request.headers.get("If-Match"), _projection(standard)))


@blueprint.patch("/<endpoint>/<id_>")
def patch(endpoint: str, id_: str) -> Response:
    """Change a resource (§3.5.2): 200 with the resource, 204 for a group."""
    standard, service = _begin(endpoint, body=True)
    if_match = request.headers.get("If-Match")
    rendered = service.patch(id_, standard.body, standard.policy, if_match, _projection(standard))
    return scim.respond(None, 204) if rendered is None else _resource(rendered)


@blueprint.delete("/<endpoint>/<id_>")
def delete(endpoint: str, id_: str) -> Response:
    """Delete a resource (§3.6)."""
    _, service = _begin(endpoint)
    service.delete(id_, request.headers.get("If-Match"))
    return scim.respond(None, 204)
