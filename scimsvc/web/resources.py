"""/Users and /Groups (RFC 7644 §3.3 to §3.6)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from scimsvc.protocol import etag
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.messages import parse_search_request
from scimsvc.protocol.projection import Projection, parse_projection
from scimsvc.service.catalog import ServedType
from scimsvc.service.rendering import Rendered
from scimsvc.service.resources import ResourceService
from scimsvc.web import scim, search
from scimsvc.web.scim import Caller
from scimsvc.web.services import Services


def blueprint(services: Services, endpoint: str) -> Blueprint:
    """One endpoint, such as `users`, which is that of a resource type in some tenants' profiles."""
    routes = Blueprint(endpoint, __name__)

    def served_to() -> tuple[Caller, ServedType]:
        """Authenticate and find the resource type. Raises ScimError 401 or 404."""
        caller = scim.authenticate(services, request.environ)
        served = caller.catalog.types.get(endpoint)
        if served is None:
            raise ScimError(404, f"This tenant has no endpoint /{endpoint}; it has {', '.join(caller.catalog.endpoints())}.")
        return caller, served

    def begin(body: bool = False) -> tuple[Request, ResourceService]:
        """The same, and read the request in its dialect. Raises ScimError 401, 404, 415, 400."""
        environ = request.environ
        caller, served = served_to()
        content = scim.json_body(services, environ) if body else None
        asked = Request(environ["REQUEST_METHOD"], served.resource_type, scim.parameters(environ), content)
        base = scim.base_url(services, environ)
        return standardise(asked), ResourceService(services.database, caller.tenant.id, served, base)

    @routes.get("")
    def query() -> Response:
        """Query resources (§3.4.2)."""
        return search.answer(services, *served_to(), scim.parameters(request.environ))

    @routes.post("/.search")
    def query_by_post() -> Response:
        """The same with a body, for what is too long or too private for a URL (§3.4.3)."""
        return search.answer(services, *served_to(), parse_search_request(scim.json_body(services, request.environ)))

    @routes.post("")
    def create() -> Response:
        """Create a resource (§3.3)."""
        standard, service = begin(body=True)
        return _resource(service.create(standard.body, _projection(standard)), 201)

    @routes.get("/<id_>")
    def get(id_: str) -> Response:
        """Retrieve a resource (§3.4.1); 304 where If-None-Match has its version."""
        standard, service = begin()
        rendered = service.get(id_, _projection(standard))
        known = request.environ.get("HTTP_IF_NONE_MATCH")
        if known is not None and etag.matches(known, rendered.version):
            return scim.respond(None, 304, [("ETag", etag.etag(rendered.version))])
        return _resource(rendered)

    @routes.put("/<id_>")
    def replace(id_: str) -> Response:
        """Replace a resource (§3.5.1)."""
        standard, service = begin(body=True)
        return _resource(service.replace(id_, standard.body, _if_match(), _projection(standard)))

    @routes.patch("/<id_>")
    def patch(id_: str) -> Response:
        """Change a resource (§3.5.2): 200 with the resource, 204 for a group."""
        standard, service = begin(body=True)
        rendered = service.patch(id_, standard.body, standard.policy, _if_match(), _projection(standard))
        return scim.respond(None, 204) if rendered is None else _resource(rendered)

    @routes.delete("/<id_>")
    def delete(id_: str) -> Response:
        """Delete a resource (§3.6)."""
        _, service = begin()
        service.delete(id_, _if_match())
        return scim.respond(None, 204)

    return routes


def _if_match() -> str | None:
    found: str | None = request.environ.get("HTTP_IF_MATCH")
    return found


def _projection(standard: Request) -> Projection:
    asked = standard.parameters
    return parse_projection(standard.resource_type, asked.get("attributes"), asked.get("excludedattributes"))


def _resource(rendered: Rendered, status: int = 200) -> Response:
    return scim.respond(rendered.body, status, [("ETag", etag.etag(rendered.version)), ("Location", rendered.location)])
