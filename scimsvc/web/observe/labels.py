"""The labels of metrics and the words of log lines: each is from a set that no client can add to."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from scimsvc.store.tenants import Credential

MAX_TENANTS = 500
"""How many tenants have series of their own: those whose numbers are not greater. All others together are `other`."""
OTHER = "other"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SEARCH = ".search"
_BESIDE_SCIM = ("/api/accounts", "/api/mappings")
_ENDPOINTS = frozenset(
    {
        *("bulk", "me", "users", "groups", "schemas", "resourcetypes", "serviceproviderconfig"),
        *("healthz", "readyz", "metrics", "docs", "openapi.json"),
    }
)
_OPERATIONS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}
_OF_EVERYBODY = frozenset({"schemas", "resourcetypes", "serviceproviderconfig"})
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""The ids that this server gives (UUIDs of version 7). Any other text in the place of an id may be an attribute's value."""


def id_of(text: str) -> str:
    """Return the id of a resource that a path has, or "" if it is no id of this server's."""
    return text if text and _ID.fullmatch(text) else ""


def tenant_label(credential: Credential | None) -> str:
    """Return the label of the tenant whose token was sent, which is empty if the token is unknown."""
    if credential is None:
        return ""
    return credential.tenant.name if credential.tenant.id <= MAX_TENANTS else OTHER


class Kind(NamedTuple):
    """The labels of a request: its method, its endpoint and what it does."""

    method: str
    endpoint: str
    operation: str


class Endpoints:
    """The endpoints that there are: those of every tenant and, in lower case, those `of_profiles`."""

    def __init__(self, base_path: str, of_profiles: Collection[str]) -> None:
        self._below = f"{base_path}/"
        self._known = _ENDPOINTS.union(of_profiles)
        self._types = {"users", "groups", *of_profiles}
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        """What was found out before. The keys are of fixed sets."""

    def of(self, method: str, path: str) -> tuple[Kind, str]:
        """Return the labels of a request and what stands in the place of an id, which may be empty."""
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
        return Kind(method if method in METHODS else OTHER, label, _OPERATIONS.get(method, OTHER) if known else OTHER)

    def _found(self, method: str, path: str, first: str, rest: str) -> tuple[Kind, str]:
        """Find the labels out, and keep them if what they were made of is of a fixed set."""
        name = method if method in METHODS else OTHER
        for own in _BESIDE_SCIM:
            if path == own or path.startswith(f"{own}/"):
                return Kind(name, own, own.rpartition("/")[2]), path[len(own) + 1 :]
        if first in ("", SEARCH) and not rest:
            endpoint, rest = f"/{first}", rest
        elif first in self._known:
            endpoint = f"/{first}/{SEARCH}" if rest == SEARCH else f"/{first}/{{id}}" if rest else f"/{first}"
        else:
            return Kind(name, OTHER, OTHER), ""
        kind = Kind(name, endpoint, self._operation(name, first, rest))
        if name == method:
            self._kinds[method, first, "" if not rest else SEARCH if rest == SEARCH else "id"] = kind
        return kind, "" if rest == SEARCH else rest

    def _operation(self, method: str, first: str, rest: str) -> str:
        """Return what a request does: create, get, query, replace, patch, delete, bulk, discovery or `other`."""
        if first == "bulk":
            return "bulk" if method == "POST" else OTHER
        if first in _OF_EVERYBODY:
            return "discovery" if method in ("GET", "HEAD") else OTHER
        if first in ("", SEARCH) or rest == SEARCH:
            return "query" if method in (("POST",) if SEARCH in (first, rest) else ("GET", "HEAD")) else OTHER
        if first in self._types:
            return "query" if method in ("GET", "HEAD") and not rest else _OPERATIONS.get(method, OTHER)
        return _OPERATIONS.get(method, OTHER) if first == "me" else OTHER
