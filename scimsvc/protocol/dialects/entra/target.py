"""Entra's feature flag in the request target."""

from __future__ import annotations

import re

_FLAG = re.compile(r"(?:aadOptscim062020|AzureAdScimPatch2017)(?:=[^/&?]*)?", re.IGNORECASE)


def flag_inside_target(path: str, query: str) -> tuple[str, str]:
    """The path and query that are meant where a feature flag is part of the Tenant URL.

    Compliance list, "Flags to alter the SCIM behavior": the flag is a parameter of the Tenant URL, and what
    Entra requests is appended: `/scim/v2?aadOptscim062020/Users?filter=…`, or `/scim/v2/Users?aadOptscim062020&filter=…`.

    Sent:  "/scim/v2?aadOptscim062020/Users?count=1"
    Meant: "/scim/v2/Users?count=1"
    """
    match = _FLAG.match(query)
    if match is None:
        return path, query
    rest = query[match.end() :]
    if rest.startswith("/"):
        appended, _, query = rest.partition("?")
        return path.rstrip("/") + appended, query
    return path, rest.lstrip("&?")
