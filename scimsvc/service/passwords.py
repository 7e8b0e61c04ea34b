"""Passwords (RFC 7643 §4.1.1): kept as argon2id hashes where a policy asks for it, and as nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from argon2 import PasswordHasher

from scimsvc.protocol.patch import Operation

ATTRIBUTE = "password"
# What OWASP recommends at least, at a fifth of the time and memory of the library's own parameters; a hash carries its own.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed_in(document: Mapping[str, Any]) -> str | None:
    """The hash of the password in a document as a client sends it; None where there is none."""
    password = document.get(ATTRIBUTE)
    return _HASHER.hash(password) if isinstance(password, str) and password else None


def hashed_by(operations: Iterable[Operation]) -> tuple[bool, str | None]:
    """Whether PATCH operations concern the password, and the hash of what it is to be; None where it goes."""
    last = None
    for operation in operations:
        if operation.path.attribute.steps[0].name == ATTRIBUTE:
            last = operation
    if last is None:
        return False, None
    return True, None if last.op == "remove" else hashed_in({ATTRIBUTE: last.value})
