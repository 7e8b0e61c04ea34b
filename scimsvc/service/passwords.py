"""Passwords (RFC 7643 §4.1.1): kept as argon2id hashes where a policy asks for it, and as nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from argon2 import PasswordHasher

from scimsvc.protocol.patch import Operation
from scimsvc.schema.model import Attribute, ResourceType

_NAME = "password"
# What OWASP recommends at least, at a fifth of the time and memory of the library's own parameters; a hash carries its own.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def password_of(resource_type: ResourceType) -> Attribute | None:
    """The attribute that is a password: one text that is never returned. Another one of the name is a value like any other."""
    found = resource_type.root.sub_attribute(_NAME)
    is_one = found is not None and found.type == "string" and not found.multi_valued and found.returned == "never"
    return found if is_one else None


def hashed_in(attribute: Attribute, document: Mapping[str, Any]) -> str | None:
    """The hash of the password in a document that was read; None where there is none."""
    password = document.get(attribute.name)
    return _HASHER.hash(password) if password else None


def hashed_by(attribute: Attribute, operations: Iterable[Operation]) -> tuple[bool, str | None]:
    """Whether PATCH operations concern the password, and the hash of what it is to be; None where it goes."""
    own = [operation for operation in operations if operation.path.attribute.leaf is attribute]
    if not own:
        return False, None
    return True, None if own[-1].op == "remove" else hashed_in(attribute, {attribute.name: own[-1].value})
