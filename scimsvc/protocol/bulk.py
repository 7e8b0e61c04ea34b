"""Bulk requests (RFC 7644 §3.7) as plain data: their operations, and the references between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from scimsvc.protocol.errors import ScimError, invalid_syntax, invalid_value

BULK_REQUEST_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
METHODS = ("POST", "PUT", "PATCH", "DELETE")
_PATH = re.compile(r"/*(?P<endpoint>[A-Za-z][\w-]*)(?:/+(?P<id>[^/?#]+))?/*", re.ASCII)
_REFERENCE = re.compile(r"bulkId:(.+)", re.DOTALL)
_REFERENCE_IN_FILTER = re.compile(r'"bulkId:([^"\\]+)"')
_UNRESOLVED = object()


@dataclass(frozen=True)
class BulkOperation:
    """One operation. `endpoint` is in lower case, as `users`; `problem` is why it can't be carried out at all."""

    method: str
    endpoint: str = ""
    id: str | None = None
    bulk_id: str | None = None
    version: str | None = None
    data: Any = None
    problem: ScimError | None = None

    def references(self) -> set[str]:
        """The bulkIds that it refers to, in its path and its data."""
        found = {name for text in _texts(self.data) for name in _names(text)}
        return found | set(_names(self.id or ""))

    def resolved(self, ids: Mapping[str, str]) -> BulkOperation:
        """The same with ids in the place of bulkIds; what refers to others is left out of the data, as far as it is."""
        data = _resolved(self.data, ids)
        return replace(self, id=self.id and _resolved(self.id, ids), data=None if data is _UNRESOLVED else data)


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
    members = {str(name).lower(): value for name, value in body.items()}
    schemas = members.get("schemas")
    if schemas is not None and schemas != [BULK_REQUEST_URN]:
        raise invalid_syntax(f"The `schemas` of a bulk request must be [{BULK_REQUEST_URN!r}].")
    operations = members.get("operations")
    if not isinstance(operations, list):
        raise invalid_syntax("A bulk request needs `Operations`, an array of objects with `method`, `path` and `data`.")
    if len(operations) > max_operations:
        raise ScimError(
            413, f"A bulk request may have {max_operations} operations; this one has {len(operations)}. Send several."
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
    members = {str(name).lower(): value for name, value in one.items()}
    method, path, bulk_id, version = (members.get(name) for name in ("method", "path", "bulkid", "version"))
    known = method.upper() if isinstance(method, str) and method.upper() in METHODS else ""
    named = bulk_id if isinstance(bulk_id, str) and bulk_id else None
    operation = BulkOperation(known, bulk_id=named, data=members.get("data"))
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


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def _names(text: str) -> list[str]:
    whole = _REFERENCE.fullmatch(text)
    return [whole[1]] if whole else _REFERENCE_IN_FILTER.findall(text) if "bulkId:" in text else []


def _resolved(value: Any, ids: Mapping[str, str]) -> Any:
    """With ids for bulkIds. Whatever holds a reference that can't be resolved yet is _UNRESOLVED, and left out of what holds it;
    an object whose `value` is left out is nothing without it.
    """
    if isinstance(value, str):
        names = _names(value)
        if any(name not in ids for name in names):
            return _UNRESOLVED
        whole = _REFERENCE.fullmatch(value)
        return ids[whole[1]] if whole else _REFERENCE_IN_FILTER.sub(_quoted(ids), value) if names else value
    if isinstance(value, list):
        elements = [_resolved(one, ids) for one in value]
        kept = [one for one in elements if one is not _UNRESOLVED]
        return _UNRESOLVED if elements and not kept else kept
    if isinstance(value, dict):
        members = {name: _resolved(one, ids) for name, one in value.items()}
        if any(one is _UNRESOLVED and name.lower() == "value" for name, one in members.items()):
            return _UNRESOLVED
        return {name: one for name, one in members.items() if one is not _UNRESOLVED}
    return value


def _quoted(ids: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda match: f'"{ids[match[1]]}"'
