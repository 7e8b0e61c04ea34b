"""Custom attributes: the portal's "Edit attribute list" (customize-application-attributes.md) on top of the schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scimsvc.schema.model import Attribute, ResourceType, Schema, Type

TYPES: dict[str, Type] = {
    "String": "string",
    "Boolean": "boolean",
    "DateTime": "dateTime",
    "Integer": "integer",
    "Reference": "reference",
    "Binary": "binary",
}
"""The portal's names of types, and RFC 7643's."""


@dataclass(frozen=True)
class CustomAttribute:
    """An attribute and the URN of the schema that it belongs to; None is the core schema."""

    urn: str | None
    attribute: Attribute


def split_name(name: str) -> tuple[str | None, str]:
    """`urn:…:User:costCode` as its URN and its attribute; a plain name has no URN."""
    urn, _, attribute = name.rpartition(":")
    return (urn or None), attribute


def extend(resource_type: ResourceType, custom: Sequence[CustomAttribute]) -> ResourceType:
    """The resource type with the attributes in the schemas that their names say; a new URN is a new extension."""
    if not custom:
        return resource_type
    core = _with(resource_type.schema, custom, None, resource_type.schema.id)
    extensions = [_with(extension, custom, extension.id) for extension in resource_type.extensions]
    known = {schema.id.lower() for schema in (core, *extensions)}
    for urn in dict.fromkeys(one.urn for one in custom if one.urn and one.urn.lower() not in known):
        if urn:
            extensions.append(_with(Schema(urn, urn.split(":")[-1], "Custom attributes.", ()), custom, urn))
    return replace(resource_type, schema=core, extensions=tuple(extensions))


def _with(schema: Schema, custom: Sequence[CustomAttribute], *urns: str | None) -> Schema:
    lowered = {urn.lower() if urn else None for urn in urns}
    own = tuple(one.attribute for one in custom if (one.urn.lower() if one.urn else None) in lowered)
    return replace(schema, attributes=schema.attributes + own) if own else schema
