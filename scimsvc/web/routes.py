"""The one table of routes. To add a route, write its view and add a row here.

`app` binds each row to its view. The labels of metrics, the check of `scim.base_path`, the OpenAPI document and the management
port read the same rows. This module imports nothing, so each of them can import it.
"""

from __future__ import annotations

from typing import NamedTuple

OTHER = "other"


class Route(NamedTuple):
    """A method of a path.

    `path` is spelled as in RFC 7644; SCIM's paths are below `scim.base_path`, where case does not count. `{type}` stands for the
    endpoint of each resource type. `view` is the name of an object that `app` makes, a dot, and the name of its method.
    `operation` is the label of metrics and log lines.
    """

    method: str
    path: str
    view: str
    operation: str = OTHER
    scim: bool = True
    operational: bool = False
    """Whether it is for operators: it needs no token, has one spelling, and moves to `server.management_bind` if that is set."""
    label: str = ""
    """The endpoint in metrics and log lines if it is not the path: a prefix, which is then the same for all paths below it."""

    @property
    def endpoint(self) -> str:
        """Return the endpoint in metrics and log lines, such as `/schemas/{id}`."""
        return self.label or self.path.lower()


ROUTES = (
    Route("GET", "/api/accounts", "accounts.page", "accounts", scim=False, label="/api/accounts"),
    Route("GET", "/api/accounts/{id}", "accounts.get", "accounts", scim=False, label="/api/accounts"),
    Route("POST", "/api/mappings/preview/{table}", "mappings.preview", "mappings", scim=False, label="/api/mappings"),
    Route("GET", "/healthz", "health.healthz", scim=False, operational=True),
    Route("GET", "/readyz", "health.readyz", scim=False, operational=True),
    Route("GET", "/metrics", "health.metrics", scim=False, operational=True),
    Route("GET", "/docs", "documents.docs", scim=False),
    Route("GET", "/openapi.json", "documents.openapi", scim=False),
    Route("GET", "/", "documents.landing", scim=False),
    # RFC 7644 §4: discovery
    Route("GET", "/ServiceProviderConfig", "discovery.service_provider_config", "discovery"),
    Route("GET", "/ResourceTypes", "discovery.resource_types", "discovery"),
    Route("GET", "/ResourceTypes/{id}", "discovery.resource_type", "discovery"),
    Route("GET", "/Schemas", "discovery.schemas", "discovery"),
    Route("GET", "/Schemas/{id}", "discovery.schema", "discovery"),
    # §3.4.2, §3.4.3, §3.7, §3.11: all resources together, bulk requests, the token's own user
    Route("GET", "/", "search.query", "query"),
    Route("POST", "/.search", "search.query_by_post", "query"),
    Route("POST", "/Bulk", "bulk.run", "bulk"),
    Route("GET", "/Me", "me.get", "get"),
    Route("PUT", "/Me", "me.replace", "replace"),
    Route("PATCH", "/Me", "me.patch", "patch"),
    # §3.3 to §3.6: the resources of a type
    Route("GET", "/{type}", "resources.query", "query"),
    Route("POST", "/{type}/.search", "resources.query_by_post", "query"),
    Route("POST", "/{type}", "resources.create", "create"),
    Route("GET", "/{type}/{id}", "resources.get", "get"),
    Route("PUT", "/{type}/{id}", "resources.replace", "replace"),
    Route("PATCH", "/{type}/{id}", "resources.patch", "patch"),
    Route("DELETE", "/{type}/{id}", "resources.delete", "delete"),
)

OPERATIONAL = frozenset(route.path for route in ROUTES if route.operational)
"""The paths of the endpoints for operators."""
BESIDE_SCIM = tuple(dict.fromkeys(route.endpoint for route in ROUTES if not route.scim and route.path != "/"))
"""The paths that `scim.base_path` must not be, contain, or lie below."""
