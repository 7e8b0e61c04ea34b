"""Attributes that can be given a value once (RFC 7643 §7, mutability immutable)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from scimsvc.protocol.errors import mutability
from scimsvc.schema.model import Attribute, ResourceType

Document = dict[str, Any]


def kept(resource_type: ResourceType, former: Mapping[str, Any], document: Document, carry: bool = False) -> Document:
    """The document of a changed resource, whose immutable attributes have the values that they had; with `carry` also those that
    the document leaves out, as a PUT may (RFC 7644 §3.5.1). Raises ScimError mutability.
    """
    for steps in _immutable(resource_type):
        before = _at(former, steps)
        after = _at(document, steps)
        if before is None or before == after:
            continue
        if not carry or after is not None:
            path = ".".join(step.name for step in steps)
            raise mutability(f"{path} can't be changed once it has a value.")
        document = _with(document, steps, before)
    return document


@lru_cache(maxsize=256)
def _immutable(resource_type: ResourceType) -> tuple[tuple[Attribute, ...], ...]:
    """The immutable attributes with one place in a resource: not those of elements, which come and go as a whole."""
    found: list[tuple[Attribute, ...]] = []
    for attribute in resource_type.root.sub_attributes:
        if attribute.mutability == "immutable":
            found.append((attribute,))
        elif not attribute.multi_valued:
            found += [(attribute, below) for below in attribute.sub_attributes if below.mutability == "immutable"]
    return tuple(found)


def _at(document: Mapping[str, Any], steps: tuple[Attribute, ...]) -> Any:
    value: Any = document
    for step in steps:
        value = value.get(step.name) if isinstance(value, dict) else None
    return value


def _with(document: Document, steps: tuple[Attribute, ...], value: Any) -> Document:
    first, *rest = steps
    return document | {first.name: _with(document.get(first.name) or {}, tuple(rest), value) if rest else value}
