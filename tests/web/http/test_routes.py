"""Remembered routes are those that Werkzeug finds, in whatever order paths come."""

from typing import Any

from flask import Flask, Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter
from werkzeug.test import create_environ

BASE = "/api/scim/v2"
SEGMENTS = st.sampled_from(
    ["users", "groups", "me", ".search", "schemas", "bulk", "a", "1 2", "ü", "x\n", ".search\n", "", "preview"]
)
PATHS = st.one_of(
    st.sampled_from(["/", "/healthz", "/api/mappings/preview/users", "/api/accounts", BASE, f"{BASE}/"]),
    st.lists(SEGMENTS, max_size=4).map(lambda parts: "/".join((BASE, *parts))),
    st.lists(SEGMENTS, max_size=3).map(lambda parts: "/".join(("/api", *parts))),
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


def found(adapter: MapAdapter) -> Any:
    """The route of the request of an adapter, as Flask asks for it, or the error."""
    try:
        rule, arguments = adapter.match(return_rule=True)
    except HTTPException as error:
        return type(error), sorted(getattr(error, "valid_methods", None) or ())
    return rule, dict(arguments)


def test_routes_are_werkzeugs(app: Flask):
    @given(st.lists(st.tuples(METHODS, PATHS), min_size=1, max_size=6))
    def each_is(requests: list[tuple[str, str]]) -> None:
        for method, path in requests:
            request = Request(create_environ(path, method=method))
            adapter = app.create_url_adapter(request)
            assert adapter is not None
            plain = MapAdapter(app.url_map, "", "/", "", "http", request.path, method, None)
            assert found(adapter) == found(plain)

    each_is()
