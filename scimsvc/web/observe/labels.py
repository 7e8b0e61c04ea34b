"""The labels of metrics and the words of log lines. Each is from a set that no client can add to."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from scimsvc.store.tenants import Credential
from scimsvc.web.routes import OTHER, ROUTES

MAX_TENANTS = 500
"""Tenants with ids up to this number have series of their own. All other tenants together are `other`."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SEARCH = ".search"
_LABELLED = {route.label: route.operation for route in ROUTES if route.label}
"""The endpoints whose label is a prefix of the path, with their operations."""
_TYPE = "{type}"
_SEGMENTS = {route.path.split("/")[1].lower() for route in ROUTES if route.endpoint not in _LABELLED} - {"", SEARCH, _TYPE}
"""The first segments of all other paths."""
_USUAL = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}
"""What a method does to a resource: for an operation of a bulk request, and for a request that no route takes."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""The ids that this server assigns (UUIDs of version 7). Any other text in the place of an id may be an attribute's value."""


def id_of(text: str) -> str:
    """Return `text` if it is an id that this server assigns, else an empty string."""
    return text if text and _ID.fullmatch(text) else ""


def tenant_label(credential: Credential | None) -> str:
    """Return the label of the tenant whose token was sent; it is empty if the token is unknown."""
    if credential is None:
        return ""
    return credential.tenant.name if credential.tenant.id <= MAX_TENANTS else OTHER


class Kind(NamedTuple):
    """The labels of a request: its method, its endpoint and its operation."""

    method: str
    endpoint: str
    operation: str


class Endpoints:
    """The endpoints of the table of routes. `of_profiles` are those of resource types in all profiles, in lower case."""

    def __init__(self, base_path: str, of_profiles: Collection[str]) -> None:
        self._below = f"{base_path}/"
        self._types = {"users", "groups", *of_profiles}
        self._known = _SEGMENTS | self._types
        self._operations: dict[tuple[str, str], str] = {}
        for route in ROUTES:
            if route.scim:
                for name in self._types if _TYPE in route.path else [""]:
                    self._operations[route.method, route.endpoint.replace(_TYPE, name)] = route.operation
        self._operations |= {("HEAD", path): what for (method, path), what in self._operations.items() if method == "GET"}
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        """The labels of earlier requests. The keys are of fixed sets."""

    def of(self, method: str, path: str) -> tuple[Kind, str]:
        """Return the labels of a request and the text in the place of an id, which may be empty."""
        if path.startswith(self._below):
            first, _, rest = path[len(self._below) :].partition("/")
        else:
            first, _, rest = path[1:].partition("/")
        kind = self._kinds.get((method, first, "" if not rest else SEARCH if rest == SEARCH else "id"))
        if kind is None:
            return self._found(method, path, first, rest)
        return kind, "" if rest == SEARCH else rest

    def of_operation(self, method: str, endpoint: str) -> Kind:
        """Return the labels of an operation in a bulk request."""
        known = endpoint if endpoint in self._types else ""
        label = (f"/{known}" if known else OTHER) + ("" if method == "POST" else "/{id}" if known else "")
        return Kind(method if method in METHODS else OTHER, label, _USUAL.get(method, OTHER) if known else OTHER)

    def _found(self, method: str, path: str, first: str, rest: str) -> tuple[Kind, str]:
        """Find the labels, and keep them if they depend only on values of fixed sets."""
        name = method if method in METHODS else OTHER
        for endpoint, operation in _LABELLED.items():
            if path == endpoint or path.startswith(f"{endpoint}/"):
                return Kind(name, endpoint, operation), path[len(endpoint) + 1 :]
        if first in ("", SEARCH) and not rest:
            endpoint = f"/{first}"
        elif first in self._known:
            endpoint = f"/{first}/{SEARCH}" if rest == SEARCH else f"/{first}/{{id}}" if rest else f"/{first}"
        else:
            return Kind(name, OTHER, OTHER), ""
        usual = _USUAL if rest != SEARCH and (first == "me" or first in self._types) else {}
        kind = Kind(name, endpoint, self._operations.get((name, endpoint)) or usual.get(name, OTHER))
        if name == method:
            self._kinds[method, first, "" if not rest else SEARCH if rest == SEARCH else "id"] = kind
        return kind, "" if rest == SEARCH else rest
