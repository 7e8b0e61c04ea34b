"""What a client may send at once, besides the bytes of a body: checked before anything else looks at a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scimsvc.protocol.errors import too_many
from scimsvc.protocol.filter import Filter, scans

_SEPARATORS = re.compile(r"[:.\s]")
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
        if isinstance(operations, list) and len(operations) > self.patch_operations:
            raise too_many(
                f"A PATCH may have {self.patch_operations} operations; this one has {len(operations)}. Send several.",
                "limits.patch_operations",
            )
        members = sum(_members(body)) + sum(_members_of(operations))
        if members > self.members:
            raise too_many(
                f"A request may name {self.members} members; this one names {members}. Send several.", "limits.members"
            )


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
