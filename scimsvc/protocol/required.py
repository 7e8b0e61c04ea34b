"""Attributes that must have a value (RFC 7643 §2.2, required), after a change of a part of a resource."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from scimsvc.protocol.errors import invalid_value, mutability
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath


def require_complete(
    resource_type: ResourceType, former: Mapping[str, Any], document: Mapping[str, Any], removed: Collection[Attribute] = ()
) -> None:
    """Refuse a document in which something lacks a value that it must have, of what differs from the former one.

    `removed` are the attributes that the client removed something of. Raises ScimError invalidValue, or mutability for these.
    """
    for attribute in resource_type.can_lack:
        value, before = document.get(attribute.name), former.get(attribute.name)
        if value == before:
            continue
        path = AttributePath((attribute,))
        lacking = next(_lacking(path, value), None) if value is not None else path if attribute.required else None
        if lacking is not None:
            refuse = mutability if attribute in removed else invalid_value
            raise refuse(f"{lacking.name} is required; with this change it would have no value.", lacking.name)


def _lacking(path: AttributePath, value: Any) -> Iterator[AttributePath]:
    if isinstance(value, list):
        for element in value:
            yield from _lacking_in(path, element)
    else:
        yield from _lacking_in(path, value)


def _lacking_in(path: AttributePath, value: Any) -> Iterator[AttributePath]:
    for attribute in path.leaf.sub_attributes if isinstance(value, dict) else ():
        below = value.get(attribute.name)
        if below is None and attribute.required and attribute.is_kept:
            yield path.child(attribute)
        elif below is not None and attribute.can_lack:
            yield from _lacking(path.child(attribute), below)
