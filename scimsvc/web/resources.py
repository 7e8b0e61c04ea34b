"""/Users, /Groups and the endpoints of a profile's own resource types (RFC 7644 §3.3 to §3.6)."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from scimsvc.protocol import etag
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.projection import Projection, parse_projection
from scimsvc.service.catalog import ServedType
from scimsvc.service.rendering import Rendered
from scimsvc.service.resources import ResourceService
from scimsvc.store.tenants import ME, SCIM, Scope
from scimsvc.web import scim, search
from scimsvc.web.scim import Caller, Environ
from scimsvc.web.services import Services


class ResourceId(BaseConverter):
    """What may be the id of a resource: not `.search`, which is no resource and has a method of its own."""

    regex = r"(?!\.search$)[^/]+"
    part_isolating = True


class Endpoint:
    """What can be done at one endpoint, such as `users`, which is that of a resource type in some tenants' profiles.

    `scope` is that of the tokens that it opens to.
    """

    def __init__(self, services: Services, name: str, scope: Scope = SCIM) -> None:
        self._services = services
        self._name = name
        self._scope = scope

    def served_to(self, environ: Environ) -> tuple[Caller, ServedType]:
        """Authenticate and find the resource type. Raises ScimError 401, 403, 404 or 406."""
        scim.negotiate(environ)
        caller = scim.authenticate(self._services, environ, self._scope)
        served = caller.catalog.types.get(self._name)
        if served is None:
            raise ScimError(404, f"This tenant has no endpoint /{self._name}; it has {', '.join(caller.catalog.endpoints())}.")
        return caller, served

    def _begin(self, environ: Environ, body: bool = False) -> tuple[Request, ResourceService]:
        """The same, and read the request in its dialect. Raises ScimError 415 or 400, too."""
        caller, served = self.served_to(environ)
        content = scim.json_body(self._services, environ) if body else None
        if body:
            self._services.limits.check_body(content)
        asked = Request(environ["REQUEST_METHOD"], served.resource_type, scim.parameters(environ), content)
        base = scim.base_url(self._services, environ)
        database, by_the_user = self._services.database, self._scope == ME
        service = ResourceService(database, caller.tenant.id, served, base, by_the_user, actor=caller.actor)
        return scim.standard(environ, asked), service

    def query(self) -> Response:
        """Query resources (§3.4.2)."""
        environ = request.environ
        return search.answer(self._services, *self.served_to(environ), environ, scim.parameters(environ))

    def query_by_post(self) -> Response:
        """The same with a body, for what is too long or too private for a URL (§3.4.3)."""
        environ = request.environ
        served = self.served_to(environ)
        return search.answer(self._services, *served, environ, scim.search_request(self._services, environ))

    def create(self) -> Response:
        """Create a resource (§3.3)."""
        standard, service = self._begin(request.environ, body=True)
        rendered = service.create(standard.body, _projection(standard))
        scim.note_of(request.environ).effect = rendered.effect
        return _resource(rendered, 201, shown=True)

    def get(self, id_: str) -> Response:
        """Retrieve a resource (§3.4.1); 304 where If-None-Match has its version, 412 where If-Match has another."""
        environ = request.environ
        standard, service = self._begin(environ)
        rendered = service.get(id_, _projection(standard))
        asked, known = _conditions(environ)
        etag.require(asked, rendered.version)
        if known is not None and etag.matches(known, rendered.version):
            return scim.respond(None, 304, [("ETag", etag.etag(rendered.version))])
        return _resource(rendered, shown=self._scope == ME)

    def replace(self, id_: str) -> Response:
        """Replace a resource (§3.5.1)."""
        environ = request.environ
        standard, service = self._begin(environ, body=True)
        if_match, if_none_match = _conditions(environ)
        rendered = service.replace(id_, standard.body, if_match, _projection(standard), if_none_match)
        scim.note_of(environ).effect = rendered.effect
        return _resource(rendered, shown=True)

    def patch(self, id_: str) -> Response:
        """Change a resource (§3.5.2): 200 with the resource, 204 for a group."""
        environ = request.environ
        standard, service = self._begin(environ, body=True)
        if_match, if_none_match = _conditions(environ)
        rendered = service.patch(id_, standard.body, standard.policy, if_match, _projection(standard), if_none_match)
        scim.note_of(environ).effect = rendered.effect
        if rendered.body:
            return _resource(rendered, shown=True)
        return scim.respond(None, 204, [("ETag", etag.etag(rendered.version))])

    def delete(self, id_: str) -> Response:
        """Delete a resource (§3.6)."""
        environ = request.environ
        _, service = self._begin(environ)
        service.delete(id_, *_conditions(environ))
        return scim.respond(None, 204)


def blueprint(services: Services, name: str) -> Blueprint:
    """The routes of an endpoint."""
    # The slash keeps its name apart from those of the service's own blueprints.
    routes = Blueprint(f"/{name}", __name__)
    endpoint = Endpoint(services, name)
    routes.get("")(endpoint.query)
    routes.post("")(endpoint.create)
    routes.post("/.search")(endpoint.query_by_post)
    routes.get("/<resource:id_>")(endpoint.get)
    routes.put("/<resource:id_>")(endpoint.replace)
    routes.patch("/<resource:id_>")(endpoint.patch)
    routes.delete("/<resource:id_>")(endpoint.delete)
    return routes


def me(services: Services) -> Blueprint:
    """/Me: the user of the token (§3.11), for tokens of that scope alone. Users can't delete their own account."""
    routes = Blueprint("me", __name__)
    endpoint = Endpoint(services, "users", ME)

    @routes.route("/me", methods=["GET", "PUT", "PATCH"])
    def of_token() -> Response:
        """Read or change the account of the token's user."""
        caller, _ = endpoint.served_to(request.environ)
        do = {"PUT": endpoint.replace, "PATCH": endpoint.patch}.get(request.method, endpoint.get)
        return do(caller.subject or "")

    return routes


def _conditions(environ: Environ) -> tuple[str | None, str | None]:
    """If-Match and If-None-Match (RFC 9110 §13.1)."""
    return environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH")


def _projection(standard: Request) -> Projection:
    asked = standard.parameters
    return parse_projection(standard.resource_type, asked.get("attributes"), asked.get("excludedattributes"))


def _resource(rendered: Rendered, status: int = 200, shown: bool = False) -> Response:
    """`shown`: the answer shows a resource whose URI isn't that of the request (RFC 9110 §8.7)."""
    headers = [("ETag", etag.etag(rendered.version)), ("Location", rendered.location)]
    if shown:
        headers.append(("Content-Location", rendered.location))
    return scim.respond(rendered.body, status, headers)
