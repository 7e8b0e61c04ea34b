"""/Users, /Groups and the endpoints of a profile's own resource types (RFC 7644 §3.3 to §3.6)."""

from __future__ import annotations

from flask import Response, request
from werkzeug.routing import BaseConverter

from scimsvc.protocol import etag
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.projection import Projection, parse_projection
from scimsvc.service.catalog import ServedType
from scimsvc.service.rendering import Rendered
from scimsvc.service.resources import ResourceService
from scimsvc.store.tenants import ME, SCIM, Scope
from scimsvc.web.http.authentication import Caller, authenticate
from scimsvc.web.http.environ import Environ
from scimsvc.web.http.negotiation import negotiate
from scimsvc.web.http.request import base_url, json_body, note_of, query_parameters
from scimsvc.web.http.response import respond
from scimsvc.web.scim import search
from scimsvc.web.scim.dialect import apply_dialect
from scimsvc.web.services import Services


class ResourceId(BaseConverter):
    """Match the id of a resource in a path. `.search` is not an id: it has a route of its own."""

    regex = r"(?!\.search$)[^/]+"
    part_isolating = True


class Resources:
    """The resources of one endpoint, such as `users`. Not every tenant's profile needs to have a resource type there.

    A token must have the scope `scope`.
    """

    def __init__(self, services: Services, name: str, scope: Scope = SCIM) -> None:
        self._services = services
        self._name = name
        self._scope = scope

    def served_to(self, environ: Environ) -> tuple[Caller, ServedType]:
        """Authenticate the request and return its caller and resource type. Raise ScimError 401, 403, 404, 406 or 503."""
        negotiate(environ)
        caller = authenticate(self._services, environ, self._scope)
        served = caller.catalog.types.get(self._name)
        if served is None:
            raise ScimError(404, f"This tenant has no endpoint /{self._name}; it has {', '.join(caller.catalog.endpoints())}.")
        return caller, served

    def _begin(self, environ: Environ, body: bool = False) -> tuple[Request, ResourceService]:
        """Do the same, and return the standard form of the request and the service that answers it. Raise also 400 or 415."""
        caller, served = self.served_to(environ)
        content = json_body(self._services, environ) if body else None
        if body:
            self._services.limits.check_body(content)
        sent = Request(environ["REQUEST_METHOD"], served.resource_type, query_parameters(environ), content)
        base = base_url(self._services, environ)
        database, by_the_user = self._services.database, self._scope == ME
        service = ResourceService(database, caller.tenant.id, served, base, by_the_user, actor=caller.actor)
        return apply_dialect(environ, sent), service

    def query(self) -> Response:
        """Query resources (§3.4.2)."""
        environ = request.environ
        return search.answer(self._services, *self.served_to(environ), environ, query_parameters(environ))

    def query_by_post(self) -> Response:
        """Query resources with a body, if the query is too long or too private for a URL (§3.4.3)."""
        environ = request.environ
        served = self.served_to(environ)
        return search.answer(self._services, *served, environ, search.search_request(self._services, environ))

    def create(self) -> Response:
        """Create a resource (§3.3)."""
        standard, service = self._begin(request.environ, body=True)
        rendered = service.create(standard.body, _projection(standard))
        note_of(request.environ).effect = rendered.effect
        return _resource(rendered, 201, shown=True)

    def get(self, id_: str) -> Response:
        """Retrieve a resource (§3.4.1): 304 if If-None-Match has its version, 412 if If-Match has only others."""
        environ = request.environ
        standard, service = self._begin(environ)
        rendered = service.get(id_, _projection(standard))
        if_match, if_none_match = _conditions(environ)
        etag.require(if_match, rendered.version)
        if if_none_match is not None and etag.matches(if_none_match, rendered.version):
            return respond(None, 304, [("ETag", etag.etag(rendered.version))])
        return _resource(rendered, shown=self._scope == ME)

    def replace(self, id_: str) -> Response:
        """Replace a resource (§3.5.1)."""
        environ = request.environ
        standard, service = self._begin(environ, body=True)
        if_match, if_none_match = _conditions(environ)
        rendered = service.replace(id_, standard.body, if_match, _projection(standard), if_none_match)
        note_of(environ).effect = rendered.effect
        return _resource(rendered, shown=True)

    def patch(self, id_: str) -> Response:
        """Change a resource (§3.5.2). Return 200 with the resource, or 204 for a group."""
        environ = request.environ
        standard, service = self._begin(environ, body=True)
        if_match, if_none_match = _conditions(environ)
        rendered = service.patch(id_, standard.body, standard.policy, if_match, _projection(standard), if_none_match)
        note_of(environ).effect = rendered.effect
        if rendered.body:
            return _resource(rendered, shown=True)
        return respond(None, 204, [("ETag", etag.etag(rendered.version))])

    def delete(self, id_: str) -> Response:
        """Delete a resource (§3.6)."""
        environ = request.environ
        _, service = self._begin(environ)
        service.delete(id_, *_conditions(environ))
        return respond(None, 204)


def _conditions(environ: Environ) -> tuple[str | None, str | None]:
    """Return the headers If-Match and If-None-Match (RFC 9110 §13.1)."""
    return environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH")


def _projection(standard: Request) -> Projection:
    parameters = standard.parameters
    return parse_projection(standard.resource_type, parameters.get("attributes"), parameters.get("excludedattributes"))


def _resource(rendered: Rendered, status: int = 200, shown: bool = False) -> Response:
    """Return an answer with a resource. `shown` is whether its URI differs from that of the request (RFC 9110 §8.7)."""
    headers = [("ETag", etag.etag(rendered.version)), ("Location", rendered.location)]
    if shown:
        headers.append(("Content-Location", rendered.location))
    return respond(rendered.body, status, headers)
