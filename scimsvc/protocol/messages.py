"""Requests and answers as plain data: what a query asks for and the ListResponse (RFC 7644 §3.4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scimsvc.protocol.errors import invalid_value
from scimsvc.protocol.filter import Filter, parse_filter
from scimsvc.protocol.projection import Projection, parse_projection
from scimsvc.schema.model import ResourceType

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,9}\s*")
LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


@dataclass(frozen=True)
class Query:
    """A page of the resources that fulfil a filter; `start_index` counts from 1."""

    filter: Filter | None
    start_index: int
    count: int
    projection: Projection


def parse_query(resource_type: ResourceType, parameters: Mapping[str, str], max_results: int) -> Query:
    """Read the parameters of a query, whose names are in lower case.

    A startIndex below 1 is 1, a count below 0 is 0 (§3.4.2.4), a count above `max_results` is `max_results`.
    Raises ScimError invalidFilter or invalidValue.
    """
    text = parameters.get("filter")
    return Query(
        filter=None if text is None else parse_filter(text, resource_type),
        start_index=max(1, _integer(parameters, "startIndex", 1)),
        count=min(max(0, _integer(parameters, "count", max_results)), max_results),
        projection=parse_projection(resource_type, parameters.get("attributes"), parameters.get("excludedattributes")),
    )


def _integer(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name.lower())
    if text is None or not text.strip():
        return default
    if not _INTEGER.fullmatch(text):
        raise invalid_value(f"The parameter {name} must be a whole number, not {text[:32]!r}.")
    return int(text)


def list_response(resources: Sequence[bytes], total_results: int, start_index: int) -> bytes:
    """A ListResponse around resources that are JSON already."""
    return b'{"schemas":["%s"],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,"Resources":[%s]}' % (
        LIST_URN.encode(),
        total_results,
        start_index,
        len(resources),
        b",".join(resources),
    )
