"""Bulk requests (RFC 7644 §3.7) as plain data: their operations, and which of them can't be carried out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from scimsvc.protocol.errors import ScimError, invalid_syntax, invalid_value
from scimsvc.protocol.keys import by_lower_case
from scimsvc.protocol.messages import require_schema
from scimsvc.protocol.references import bulk_id_of

BULK_REQUEST_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
METHODS = ("POST", "PUT", "PATCH", "DELETE")
_PATH = re.compile(r"/*(?P<endpoint>[A-Za-z][\w-]*)(?:/+(?P<id>[^/?#]+))?/*", re.ASCII)
_MAX_ECHO = 64
"""Characters of an unknown method that its outcome repeats."""


@dataclass(frozen=True)
class BulkOperation:
    """One operation. `endpoint` is in lower case, as `users`; `problem` is why it can't be carried out at all, and `method` may
    be whatever was sent then.
    """

    method: str
    endpoint: str = ""
    id: str | None = None
    bulk_id: str | None = None
    version: str | None = None
    data: Any = None
    problem: ScimError | None = None

    @property
    def reference(self) -> str | None:
        """The bulkId that its path has in the place of an id."""
        return bulk_id_of(self.id) if self.id else None


@dataclass(frozen=True)
class BulkRequest:
    """The operations in their order; after `fail_on_errors` failures no more are begun, 0 means never."""

    operations: tuple[BulkOperation, ...]
    fail_on_errors: int = 0


def parse_bulk(body: Any, max_operations: int) -> BulkRequest:
    """Read a bulk request. What is wrong with one operation is that one's `problem`.

    Raises ScimError invalidSyntax or invalidValue, and 413 for more operations than are announced.
    """
    if not isinstance(body, dict):
        raise invalid_syntax("The body of a bulk request is an object with `schemas` and `Operations`.")
    members = by_lower_case(body)
    require_schema("a bulk request", members.get("schemas"), BULK_REQUEST_URN)
    operations = members.get("operations")
    if not isinstance(operations, list):
        raise invalid_syntax("A bulk request needs `Operations`, an array of objects with `method`, `path` and `data`.")
    if len(operations) > max_operations:
        raise ScimError(
            413,
            f"A bulk request may have {max_operations} operations; this one has {len(operations)}. Send several.",
            rule="limits.bulk_operations",
        )
    fail_on_errors = members.get("failonerrors")
    if fail_on_errors is None:
        fail_on_errors = 0
    if type(fail_on_errors) is not int or fail_on_errors < 0:
        raise invalid_value("failOnErrors must be a whole number from 0 on.")
    taken: set[str] = set()
    return BulkRequest(tuple(_operation(one, taken) for one in operations), fail_on_errors)


def _operation(one: Any, taken: set[str]) -> BulkOperation:
    if not isinstance(one, dict):
        return BulkOperation("", problem=invalid_syntax("An operation must be an object with `method`, `path` and `data`."))
    try:
        members = by_lower_case(one)
    except ScimError as error:
        return BulkOperation("", problem=error)
    method, path, bulk_id, version = (members.get(name) for name in ("method", "path", "bulkid", "version"))
    known = method.upper() if isinstance(method, str) and method.upper() in METHODS else ""
    named = bulk_id if isinstance(bulk_id, str) and bulk_id else None
    sent = method[:_MAX_ECHO] if isinstance(method, str) else ""
    operation = BulkOperation(known or sent, bulk_id=named, data=members.get("data"))
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    problem = None
    if not known:
        problem = invalid_syntax(f"method must be one of {', '.join(METHODS)}.")
    elif match is None:
        problem = invalid_syntax("path must be an endpoint, such as /Users, or a resource, such as /Users/{id}.")
    elif (known == "POST") != (match["id"] is None):
        problem = invalid_syntax(f"The path of a {known} must be {'an endpoint' if known == 'POST' else 'that of a resource'}.")
    elif bulk_id is not None and named is None:
        problem = invalid_syntax("bulkId must be a text.")
    elif known == "POST" and named in taken:
        problem = invalid_value(f"Another operation of this request has the bulkId {named[:64]!r}." if named else "")
    elif version is not None and not isinstance(version, str):
        problem = invalid_syntax("version must be the text of an entity tag.")
    elif known != "DELETE" and not isinstance(operation.data, dict):
        problem = invalid_syntax(f"A {known} needs `data`, a JSON object.")
    if problem or match is None:
        return replace(operation, problem=problem)
    if known == "POST" and named:
        taken.add(named)
    id_ = unquote(match["id"]) if match["id"] else None
    return replace(operation, endpoint=match["endpoint"].lower(), id=id_, version=version)


def hopeless(needs: Mapping[int, Iterable[str]], makers: Mapping[str, int]) -> dict[int, list[str]]:
    """The operations that can't be carried out whatever happens, by their places, each with the bulkIds that nothing creates.

    `needs` are the bulkIds that each of the possible operations refers to, `makers` the places of the creates that have one.
    """
    found: dict[int, list[str]] = {}
    users: dict[str, list[int]] = {}
    for place, names in needs.items():
        for name in names:
            users.setdefault(name, []).append(place)
    names_of = {place: name for name, place in makers.items() if place in needs}
    lost = [name for name in users if name not in makers or makers[name] not in needs]
    while lost:
        name = lost.pop()
        for place in users[name]:
            # Who lacks one more than before has been told on to its own users already.
            if place not in found and names_of.get(place) in users:
                lost.append(names_of[place])
            found.setdefault(place, []).append(name)
    return found
