"""The table of routes is what the application serves, counts, and keeps apart from `scim.base_path`."""

import pytest
from flask import Flask

from scimsvc.settings import SettingsError, from_mapping
from scimsvc.web.observe.labels import Endpoints
from scimsvc.web.routes import OPERATIONAL, ROUTES, Route
from tests.support.server import BASE_PATH, ROOT

BOTH = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")


def path_of(route: Route) -> str:
    """A path that the route takes."""
    path = route.path.replace("{type}", "Users").replace("{id}", "x").replace("{table}", "users")
    return BASE_PATH + path.lower() if route.scim else path


@BOTH
def test_the_application_has_the_route_and_its_view(app: Flask, route: Route) -> None:
    adapter = app.url_map.bind("scim.example.com", url_scheme="http")
    endpoint, _ = adapter.match(path_of(route), method=route.method)
    assert endpoint == route.view.replace("resources.", "/users.")


def test_the_application_has_no_other_route(app: Flask) -> None:
    served = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods or () if method != "HEAD"}
    types = len({rule.endpoint.partition(".")[0] for rule in app.url_map.iter_rules() if rule.endpoint.startswith("/")})
    of_types = [route for route in ROUTES if "{type}" in route.path]
    assert len(served) == len(ROUTES) - len(of_types) + types * len(of_types)


@BOTH
def test_metrics_have_the_labels_of_the_table(route: Route) -> None:
    kind, _ = Endpoints(BASE_PATH, ["users"]).of(route.method, path_of(route))
    assert (kind.method, kind.endpoint) == (route.method, route.endpoint.replace("{type}", "users"))
    # The page at / shares its label with the root of SCIM.
    assert kind.operation == ("query" if route.path == "/" else route.operation)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if not route.scim and route.path != "/"], ids=lambda route: route.path
)
def test_the_base_path_must_not_hide_a_route(route: Route) -> None:
    for path in (route.endpoint, f"{route.endpoint}/v2", route.endpoint.upper()):
        with pytest.raises(SettingsError, match=r"scim\.base_path must be"):
            from_mapping({"scim": {"base_path": path}}, {}, ROOT / "config.yaml")


def test_what_operators_ask_for_needs_no_parameters() -> None:
    assert {"/healthz", "/readyz", "/metrics"} == OPERATIONAL
    assert all(route.method == "GET" for route in ROUTES if route.operational)
