"""Entra's resources, as sent with POST and PUT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scimsvc.protocol.dialects.entra.names import standard_name
from scimsvc.schema.model import ResourceType

Document = dict[str, Any]


def unknown_schema_uris(resource_type: ResourceType, document: Document) -> Document:
    """Schema URIs that no one else knows, such as the one that Entra adds to a group, or one without a colon.

    Tutorial, "Create Group" (`http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group`) and
    the create of the code samples (`urn:…:enterprise:2.0User`).
    """
    schemas = document.get("schemas")
    if not isinstance(schemas, list):
        return document
    known = {urn.lower() for urn in resource_type.schema_ids}
    kept = [urn for urn in schemas if not isinstance(urn, str) or urn.lower() in known or urn.lower().startswith(_CORE)]
    return document if len(kept) == len(schemas) else {**document, "schemas": kept}


# The core schema of another resource type is a mistake worth telling, not a habit.
_CORE = "urn:ietf:params:scim:schemas:core:2.0:"


def extension_attributes_at_top_level(resource_type: ResourceType, document: Document) -> Document:
    """`"department": …, "manager": …` beside the core attributes. Tutorial, the create of the code samples."""
    moved: dict[str, Document] = {}
    for name in document:
        if not resource_type.root.sub_attribute(name):
            urn, _, attribute = standard_name(resource_type, name).rpartition(":")
            if urn in resource_type.schema_ids:
                moved.setdefault(urn, {})[attribute] = document[name]
    if not moved:
        return document
    kept = {name: value for name, value in document.items() if resource_type.root.sub_attribute(name)}
    for urn, attributes in moved.items():
        own = kept.get(urn)
        kept[urn] = {**attributes, **own} if isinstance(own, dict) else attributes
    return kept


RULES: tuple[Callable[[ResourceType, Document], Document], ...] = (unknown_schema_uris, extension_attributes_at_top_level)
