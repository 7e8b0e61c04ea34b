"""Queries: of one endpoint, and of the root, which has the resources of all (RFC 7644 §3.4.2 and §3.4.3)."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request

from scimsvc.protocol.dialects import Request
from scimsvc.protocol.messages import parse_query, parse_query_of_several
from scimsvc.service.catalog import ServedType
from scimsvc.service.resources import ResourceService
from scimsvc.service.search import SearchService
from scimsvc.web import scim
from scimsvc.web.scim import Caller, Environ
from scimsvc.web.services import Services


def blueprint(services: Services) -> Blueprint:
    """The root: every resource of every type."""
    routes = Blueprint("search", __name__)

    @routes.get("/")
    def query() -> Response:
        """Query all resources."""
        environ = request.environ
        scim.negotiate(environ)
        return answer_of_all(services, scim.authenticate(services, environ), environ, scim.parameters(environ))

    @routes.post("/.search")
    def query_by_post() -> Response:
        """The same with a body."""
        environ = request.environ
        scim.negotiate(environ)
        caller = scim.authenticate(services, environ)
        return answer_of_all(services, caller, environ, scim.search_request(services, environ))

    return routes


def answer(services: Services, caller: Caller, served: ServedType, environ: Environ, parameters: Mapping[str, str]) -> Response:
    """What a query finds in one resource type; parameter names are in lower case. Raises ScimError 400."""
    services.limits.check_parameters(parameters)
    base, limit = scim.base_url(services, environ), services.settings.scim.max_results
    listed = services.settings.limits.listed_members
    standard = scim.standard(environ, Request("GET", served.resource_type, parameters))
    query = parse_query(served.resource_type, standard.parameters, limit)
    services.limits.check_filter(query.filter)
    if query.plain:
        return scim.respond(
            ResourceService(services.database, caller.tenant.id, served, base, listed_members=listed).query(query)
        )
    return scim.respond(
        SearchService(services.database, caller.tenant.id, [served], base, services.cursors, listed).query([query])
    )


def answer_of_all(services: Services, caller: Caller, environ: Environ, parameters: Mapping[str, str]) -> Response:
    """What a query finds in all resource types of the tenant. Raises ScimError 400."""
    services.limits.check_parameters(parameters)
    base, limit = scim.base_url(services, environ), services.settings.scim.max_results
    listed = services.settings.limits.listed_members
    served = list(caller.catalog.types.values())
    types = [one.resource_type for one in served]
    note = scim.note_of(environ)
    ignored = note.ignored
    requests = [scim.standard(environ, Request("GET", type_, parameters)) for type_ in types]
    asked = [(one.resource_type, one.parameters) for one in requests]
    # A name that one of the types has is not ignored.
    note.ignored = ignored + tuple(name for name in requests[0].ignored if all(name in one.ignored for one in requests))
    queries = parse_query_of_several(asked, limit)
    for query in queries:
        services.limits.check_filter(query.filter)
    return scim.respond(SearchService(services.database, caller.tenant.id, served, base, services.cursors, listed).query(queries))
