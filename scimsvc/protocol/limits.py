"""What a client may send at once, besides the bytes of a body: checked before anything else looks at a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scimsvc.protocol.errors import too_many
from scimsvc.protocol.filter import Filter, scans

_SEPARATORS = re.compile(r"[:.\s]")
MAX_NAMES = 5000
"""The attributes that a body may name at its top: five times what a profile's table may have."""
MAX_VALUES = 50_000
"""The values that all attributes together may have in one request, apart from `members`, which are a setting."""
_PLAIN_PATH = 128
MAX_PATHS = 65_536
"""The characters of all paths of one request, as far as each is longer than a path with one comparison: one of many terms takes
milliseconds to read.
"""
MAX_PASSWORDS = 100
"""The passwords that one bulk request may set where they are hashed, which takes some seconds then."""


@dataclass(frozen=True)
class Limits:
    """The characters of a filter, the operations of a PATCH, the members that one request names, and how often a filter may look
    at all values (see scimsvc.protocol.filter.cost).
    """

    filter_length: int = 8192
    patch_operations: int = 1000
    members: int = 50_000
    filter_scans: int = 20

    def check_parameters(self, parameters: Mapping[str, str]) -> None:
        """Raise ScimError tooMany for a filter that is too long; names are in lower case."""
        length = len(parameters.get("filter", ""))
        if length > self.filter_length:
            raise too_many(f"A filter may have {self.filter_length} characters; this one has {length}.", "limits.filter_length")

    def check_filter(self, query: Filter | None) -> None:
        """Raise ScimError tooMany for a filter that looks at all values too often."""
        number = scans(query) if query else 0
        if number > self.filter_scans:
            raise too_many(
                f"A filter may look at all values {self.filter_scans} times; this one does {number} times: once for each term "
                "other than eq, or inside of a not, and once for each attribute that eq compares and that isn't unique. "
                "Send several.",
                "limits.filter_scans",
            )

    def check_body(self, body: Any) -> None:
        """Raise ScimError tooMany for a resource or PATCH with more than that."""
        operations = _member(body, "operations")
        number = sum(map(_operations_in, operations)) if isinstance(operations, list) else 0
        if number > self.patch_operations:
            raise too_many(
                f"A PATCH may have {self.patch_operations} operations, and each name in a value without path is one; "
                f"this one has {number}. Send several.",
                "limits.patch_operations",
            )
        if isinstance(body, dict) and len(body) > MAX_NAMES:
            raise too_many(f"A resource may name {MAX_NAMES} attributes; this one names {len(body)}.")
        check_amounts([body])
        members = sum(_members(body)) + sum(_members_of(operations))
        if members > self.members:
            raise too_many(
                f"A request may name {self.members} members; this one names {members}. Send several.", "limits.members"
            )


def check_amounts(bodies: Iterable[Any]) -> None:
    """Raise ScimError tooMany for what takes long to read in the bodies of one request: many values, or many terms in paths."""
    values = paths = 0
    for body in bodies:
        operations = _member(body, "operations")
        values += _values_in(body)
        for operation in operations if isinstance(operations, list) else ():
            path, value = _member(operation, "path"), _member(operation, "value")
            if isinstance(path, str):
                paths += max(0, len(path) - _PLAIN_PATH)
            if not path:
                values += _values_in(value)
            elif isinstance(value, list) and not (isinstance(path, str) and _names(path, "members")):
                values += len(value)
    if values > MAX_VALUES:
        raise too_many(f"A request may have {MAX_VALUES} values of attributes; this one has {values}. Send several.")
    if paths > MAX_PATHS:
        raise too_many(
            f"The paths of a request may be {MAX_PATHS} characters longer than usual; these are {paths}. Send several."
        )


def _operations_in(operation: Any) -> int:
    """Return how many operations one is; without a path it is one for each attribute of its value."""
    value = _member(operation, "value")
    return len(value) if isinstance(value, dict) and not _member(operation, "path") else 1


def _values_in(body: Any) -> int:
    """Return how many values the attributes of a resource have in arrays, also in its extensions."""
    number = 0
    for name, value in body.items() if isinstance(body, dict) else ():
        if isinstance(value, dict):
            number += sum(len(below) for below in value.values() if isinstance(below, list))
        elif isinstance(value, list) and not _names(name, "members") and name.lower() != "operations":
            number += len(value)
    return number


def check_passwords(bodies: Iterable[Any]) -> None:
    """Raise ScimError tooMany for a bulk request, given what its operations have as data, that sets too many passwords."""
    number = sum(map(_sets_password, bodies))
    if number > MAX_PASSWORDS:
        raise too_many(f"A bulk request may set {MAX_PASSWORDS} passwords; this one sets {number}. Send several.", "passwords")


def _sets_password(body: Any) -> bool:
    operations = _member(body, "operations")
    for operation in operations if isinstance(operations, list) else []:
        path, value = _member(operation, "path"), _member(operation, "value")
        if (isinstance(path, str) and _names(path, "password")) or _has_password(value):
            return True
    return _has_password(body)


def _has_password(value: Any) -> bool:
    return isinstance(value, dict) and any(_names(name, "password") and one is not None for name, one in value.items())


def _members_of(operations: Any) -> Iterator[int]:
    for operation in operations if isinstance(operations, list) else []:
        path, value = _member(operation, "path"), _member(operation, "value")
        if not path:
            yield from _members(value)
        elif isinstance(path, str) and _names(path, "members") and isinstance(value, list):
            yield len(value)


def _members(body: Any) -> Iterator[int]:
    for name, value in body.items() if isinstance(body, dict) else ():
        if isinstance(value, list) and _names(name, "members"):
            yield len(value)


def _names(text: str, attribute: str) -> bool:
    """Whether a path or a name may be that of an attribute, with or without the URN before it and anything behind it."""
    return attribute in _SEPARATORS.split(text.partition("[")[0].lower())


def _member(body: Any, name: str) -> Any:
    if not isinstance(body, dict):
        return None
    return body.get(name) if name in body else next((value for key, value in body.items() if str(key).lower() == name), None)
