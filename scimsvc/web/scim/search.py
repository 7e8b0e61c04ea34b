"""Queries of one endpoint, and of the root, which has the resources of all endpoints (RFC 7644 §3.4.2 and §3.4.3)."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, request

from scimsvc.protocol.dialects import Request
from scimsvc.protocol.filter import read_filter
from scimsvc.protocol.messages import parse_query, parse_query_of_several, parse_search_request, unknown_members
from scimsvc.service.catalog import ServedType
from scimsvc.service.resources import ResourceService
from scimsvc.service.search import SearchService
from scimsvc.web.http.authentication import Caller, authenticate
from scimsvc.web.http.environ import Environ
from scimsvc.web.http.negotiation import negotiate
from scimsvc.web.http.request import base_url, json_body, note_of, query_parameters
from scimsvc.web.http.response import respond
from scimsvc.web.scim.dialect import apply_dialect
from scimsvc.web.services import Services


class Search:
    """The root: the resources of all types."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def query(self) -> Response:
        """Query all resources (§3.4.2.1)."""
        environ = request.environ
        negotiate(environ)
        return answer_of_all(self._services, authenticate(self._services, environ), environ, query_parameters(environ))

    def query_by_post(self) -> Response:
        """Query all resources with a body (§3.4.3)."""
        environ = request.environ
        negotiate(environ)
        caller = authenticate(self._services, environ)
        return answer_of_all(self._services, caller, environ, search_request(self._services, environ))


def search_request(services: Services, environ: Environ) -> dict[str, str]:
    """Return the parameters of a query in the body (§3.4.3), and note which members will be ignored. Raise ScimError."""
    body = json_body(services, environ)
    parameters = parse_search_request(body)
    note_of(environ).ignored = unknown_members(body)
    return parameters


def answer(services: Services, caller: Caller, served: ServedType, environ: Environ, parameters: Mapping[str, str]) -> Response:
    """Answer a query of one resource type. Names of `parameters` are in lower case. Raise ScimError 400."""
    services.limits.check_parameters(parameters)
    base, limit = base_url(services, environ), services.settings.scim.max_results
    listed = services.settings.limits.listed_members
    standard = apply_dialect(environ, Request("GET", served.resource_type, parameters))
    query = parse_query(served.resource_type, standard.parameters, limit)
    services.limits.check_filter(query.filter)
    if query.plain:
        return respond(ResourceService(services.database, caller.tenant.id, served, base, listed_members=listed).query(query))
    return respond(SearchService(services.database, caller.tenant.id, [served], base, services.cursors, listed).query([query]))


def answer_of_all(services: Services, caller: Caller, environ: Environ, parameters: Mapping[str, str]) -> Response:
    """Answer a query of all resource types of the tenant. Raise ScimError 400."""
    services.limits.check_parameters(parameters)
    base, limit = base_url(services, environ), services.settings.scim.max_results
    listed = services.settings.limits.listed_members
    served = list(caller.catalog.types.values())
    if "filter" in parameters:
        # Read once, whatever each type makes of it.
        parameters = {**parameters, "filter": read_filter(parameters["filter"])}
    note = note_of(environ)
    ignored = note.ignored
    requests = [apply_dialect(environ, Request("GET", type_.resource_type, parameters)) for type_ in served]
    of_types = [(standard.resource_type, standard.parameters) for standard in requests]
    # A name that one of the types has is not ignored.
    note.ignored = ignored + tuple(name for name in requests[0].ignored if all(name in other.ignored for other in requests))
    queries = parse_query_of_several(of_types, limit)
    for query in queries:
        services.limits.check_filter(query.filter)
    return respond(SearchService(services.database, caller.tenant.id, served, base, services.cursors, listed).query(queries))
