"""Requests and answers as plain data: what a query asks for and the ListResponse (RFC 7644 §3.4.2)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scimsvc.protocol.errors import ScimError, invalid_syntax, invalid_value
from scimsvc.protocol.filter import Filter, parse_filter, parse_filter_of_several
from scimsvc.protocol.projection import Projection, parse_projection
from scimsvc.protocol.sorting import Sort, parse_sort
from scimsvc.schema.model import ResourceType

_INTEGER = re.compile(r"\s*([+-]?)([0-9]+)\s*")
_MAX_DIGITS = 15
"""Of a whole number; one that has more is as good as the greatest that has so many."""
LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH_URN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
_SEARCH_PARAMETERS: dict[str, type] = {
    "attributes": list,
    "excludedAttributes": list,
    "filter": str,
    "sortBy": str,
    "sortOrder": str,
    "startIndex": int,
    "count": int,
    "cursor": str,
}
_LISTS = frozenset({"attributes", "excludedattributes"})
_EMPTY_IS_ABSENT = frozenset(map(str.lower, _SEARCH_PARAMETERS)) - {"cursor"}
"""An empty cursor asks for the first page (RFC 9865 §2.1)."""
_ROOT = "/"
_KINDS = {str: "string", int: "whole number"}


@dataclass(frozen=True)
class Query:
    """A page of the resources that fulfil a filter, as one resource type has it; `start_index` counts from 1.

    `sort` is None without an order of its own. `cursor` is None where pages go by index, and empty for the first page; it
    belongs to queries with the same `digest`, which are of one endpoint.
    """

    filter: Filter | None
    start_index: int
    count: int
    projection: Projection
    sort: Sort | None = None
    cursor: str | None = None
    digest: int = 0

    @property
    def plain(self) -> bool:
        """Whether pages go by index and in the order of creation."""
        return self.sort is None and self.cursor is None


def parse_query(resource_type: ResourceType, parameters: Mapping[str, str], max_results: int) -> Query:
    """Read the parameters of a query, whose names are in lower case.

    A startIndex below 1 is 1, a count below 0 is 0 (§3.4.2.4), a count above `max_results` is `max_results`.
    Raises ScimError invalidFilter, invalidValue or, with a cursor, invalidCount.
    """
    text = parameters.get("filter")
    found = None if text is None else parse_filter(text, resource_type)
    order = parse_sort([(resource_type, parameters)]) if "sortby" in parameters or "sortorder" in parameters else None
    return _query(resource_type, found, order[0] if order else None, parameters, max_results, resource_type.endpoint)


def parse_query_of_several(asked: Sequence[tuple[ResourceType, Mapping[str, str]]], max_results: int) -> list[Query]:
    """The same over several resource types (§3.4.2.1): the query as each of them has it, from the parameters of each."""
    texts = [(resource_type, parameters["filter"]) for resource_type, parameters in asked if "filter" in parameters]
    found: Sequence[Filter | None] = parse_filter_of_several(texts) if texts else [None] * len(asked)
    orders: Sequence[Sort | None] = parse_sort(asked) or [None] * len(asked)
    return [
        _query(resource_type, own, order, parameters, max_results, _ROOT)
        for (resource_type, parameters), own, order in zip(asked, found, orders, strict=True)
    ]


def _query(
    resource_type: ResourceType,
    found: Filter | None,
    order: Sort | None,
    parameters: Mapping[str, str],
    max_results: int,
    endpoint: str,
) -> Query:
    cursor = parameters.get("cursor")
    count = _integer(parameters, "count", max_results)
    if cursor is not None and count < 1:
        raise ScimError(400, f"With a cursor, count must be from 1 to {max_results}.", "invalidCount")
    return Query(
        filter=found,
        start_index=max(1, _integer(parameters, "startIndex", 1)),
        count=min(max(0, count), max_results),
        projection=parse_projection(resource_type, parameters.get("attributes"), parameters.get("excludedattributes")),
        sort=order,
        cursor=cursor,
        digest=0 if cursor is None else _digest(endpoint, parameters),
    )


def one_of_each(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters of a query by their names in lower case.

    An empty one is as if it weren't there. Lists of attributes that are repeated count together; any other parameter that is
    repeated raises ScimError invalidValue, since one of its values would be ignored.
    """
    found: dict[str, str] = {}
    for sent, value in parameters:
        name = sent.lower()
        if name in _EMPTY_IS_ABSENT and not value.strip():
            continue
        if name in found and name not in _LISTS:
            raise invalid_value(f"The parameter {sent[:64]} is there more than once; send one.")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _digest(endpoint: str, parameters: Mapping[str, str]) -> int:
    """The same for requests whose pages are those of one query."""
    parts = (endpoint, *(parameters.get(name, "") for name in ("filter", "sortby", "sortorder")))
    return zlib.crc32("\0".join(parts).encode())


def foreign_schemas(schemas: Any, known: Iterable[str]) -> list[str]:
    """Return the URNs in the `schemas` of a body that are not known, in any case of letters. A body may leave `schemas` out.

    Raises ScimError invalidSyntax where they are no URNs.
    """
    if schemas is None:
        return []
    if not isinstance(schemas, list) or not all(isinstance(urn, str) for urn in schemas):
        raise invalid_syntax("`schemas` must be an array of URNs.")
    lowered = {urn.lower() for urn in known}
    return [urn for urn in schemas if urn.lower() not in lowered]


def require_schema(what: str, schemas: Any, urn: str) -> None:
    """Refuse the `schemas` of a message that aren't those of its kind; it may leave them out. Raises ScimError invalidSyntax."""
    if schemas == [] or foreign_schemas(schemas, [urn]):
        raise invalid_syntax(f"The `schemas` of {what} must be [{urn!r}].")


def unknown_members(body: Any) -> tuple[str, ...]:
    """Return the names in a SearchRequest that are no parameters of a query and come with a value. They have no effect."""
    known = {"schemas", *map(str.lower, _SEARCH_PARAMETERS)}
    return tuple(name for name, value in body.items() if value is not None and name.lower() not in known)


def parse_search_request(body: Any) -> dict[str, str]:
    """The parameters of a query from the body of a POST to /.search (§3.4.3), names in lower case. Raises ScimError."""
    if not isinstance(body, dict):
        raise invalid_syntax("The body must be a SearchRequest as a JSON object.")
    names = {name.lower(): name for name in _SEARCH_PARAMETERS}
    parameters: list[tuple[str, str]] = []
    for sent, value in body.items():
        if sent.lower() == "schemas":
            require_schema("a SearchRequest", value, SEARCH_URN)
        name = names.get(sent.lower(), "")
        if not name or value is None:
            continue
        kinds = _SEARCH_PARAMETERS[name]
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise invalid_value(f"{name} must be {'an array of attributes' if kinds is list else 'a ' + _KINDS[kinds]}.")
        if isinstance(value, list):
            if not all(isinstance(one, str) for one in value):
                raise invalid_value(f"{name} must be an array of attributes.")
            value = ",".join(value)
        parameters.append((name, str(value)))
    return one_of_each(parameters)


def _integer(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name.lower())
    if text is None or not text.strip():
        return default
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise invalid_value(f"The parameter {name} must be a whole number, not {text[:32]!r}.")
    digits = match[2].lstrip("0") or "0"
    return int(match[1] + (digits if len(digits) <= _MAX_DIGITS else "9" * _MAX_DIGITS))


def cursor_response(resources: Sequence[bytes], total_results: int, next_cursor: str | None) -> bytes:
    """A ListResponse of a page by cursor (RFC 9865 §2); None for the last one."""
    following = b'"nextCursor":"%s",' % next_cursor.encode() if next_cursor else b""
    return b'{"schemas":["%s"],"totalResults":%d,"itemsPerPage":%d,%s"Resources":[%s]}' % (
        LIST_URN.encode(),
        total_results,
        len(resources),
        following,
        b",".join(resources),
    )


def list_response(resources: Sequence[bytes], total_results: int, start_index: int) -> bytes:
    """A ListResponse around resources that are JSON already."""
    return b'{"schemas":["%s"],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,"Resources":[%s]}' % (
        LIST_URN.encode(),
        total_results,
        start_index,
        len(resources),
        b",".join(resources),
    )
