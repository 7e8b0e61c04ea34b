"""Entra's resources, as sent with POST and PUT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scimsvc.protocol.dialects.entra.filters import attribute_of
from scimsvc.protocol.dialects.entra.names import standard_name
from scimsvc.protocol.dialects.entra.spellings import require_agreement
from scimsvc.protocol.dialects.entra.values import standard_value
from scimsvc.protocol.errors import invalid_value
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath, resolve

Document = dict[str, Any]
_LENGTH = 128
"""Characters of a client's name that a message repeats."""


def unknown_schema_uris(resource_type: ResourceType, document: Document) -> Document:
    """Schema URIs that no one else knows, such as the one that Entra adds to a group, or one without a colon.

    Tutorial, "Create Group" (`http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group`) and
    the create of the code samples (`urn:…:enterprise:2.0User`).

    Sent:  {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "http://example.com/User"]}
    Meant: {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}
    """
    schemas = document.get("schemas")
    if not isinstance(schemas, list):
        return document
    known = {urn.lower() for urn in resource_type.schema_ids}
    kept = [urn for urn in schemas if not isinstance(urn, str) or urn.lower() in known or urn.lower().startswith(_CORE)]
    return document if len(kept) == len(schemas) else {**document, "schemas": kept}


# The core schema of another resource type is a mistake worth telling, not a habit.
_CORE = "urn:ietf:params:scim:schemas:core:2.0:"


def attribute_paths_as_names(resource_type: ResourceType, document: Document) -> Document:
    """`"department": …, "manager": …` beside the core attributes. Tutorial, the create of the code samples.

    Any other path that leads to one value, or to an attribute as a whole, is taken as well: `"urn:…:core:2.0:User:displayName"`,
    `"name.givenName"`.

    Raises ScimError invalidValue if an attribute has another value by another of its names, or a name leads into elements.

    Sent:  {"name.givenName": "Ann"}
    Meant: {"name": {"givenName": "Ann"}}
    """
    root = resource_type.root
    if document.keys() <= root.names:
        return document
    require_agreement(resource_type, document)
    _refuse_elements(resource_type, document)
    paths = {name: path for name in document if not root.sub_attribute(name) and (path := _single(resource_type, name))}
    if not paths:
        return document
    moved = {name: value for name, value in document.items() if name not in paths}
    for name, path in paths.items():
        _put(moved, path.steps, document[name])
    return moved


def _refuse_elements(resource_type: ResourceType, document: Document) -> None:
    """Refuse a value by a name that leads into elements: `emails[type eq "work"].value`, `emails.value`.

    In a PATCH such a path changes the elements that are there. A resource that is sent has all its elements in an array, so the
    value would be lost. Raises ScimError invalidValue (RFC 7644 §3.12), which shows the right form.
    """
    for name, value in document.items():
        if value in (None, "", []) or resource_type.root.sub_attribute(name):
            continue
        path, has_filter = attribute_of(resource_type, name)
        if path is None or path.is_read_only or not (has_filter or any(step.multi_valued for step in path.steps[:-1])):
            continue
        steps = path.steps[:1] if not path.steps[0].is_extension else path.steps[:2]
        whole = AttributePath(steps)
        one = "{…}" if whole.leaf.type == "complex" else "…"
        right = f'"{whole.leaf.name}": ' + (f"[{one}]" if whole.leaf.multi_valued else one)
        inside = f" in the object {path.steps[0].name!r}" if path.steps[0].is_extension else ""
        raise invalid_value(
            f"{name[:_LENGTH]!r} is a path for PATCH: it chooses among the values of {whole.name}. In a resource send {right}"
            f"{inside}.",
            whole.name,
        )


def _single(resource_type: ResourceType, name: str) -> AttributePath | None:
    """Return the path that a name is, unless it leads into the elements of a multi-valued attribute."""
    path = resolve(resource_type, standard_name(resource_type, name))
    return None if path is None or any(step.multi_valued for step in path.steps[:-1]) else path


def _put(document: Document, steps: Sequence[Attribute], value: Any) -> None:
    """Set a value in a document, which agrees with what is there, or adds to it."""
    if value is None:
        return
    key = next((key for key in document if key.lower() == steps[0].name.lower()), steps[0].name)
    have = document.get(key)
    if have is not None:
        have = standard_value(steps[0], have)
    if have is not None and not isinstance(have, dict):
        # It is equal to the value, or no value of the attribute, which the schema refuses.
        return
    if len(steps) > 1:
        document[key] = below = dict(have or {})
        _put(below, steps[1:], value)
    elif have is None:
        document[key] = value
    else:
        more = standard_value(steps[0], value)
        if isinstance(more, dict):
            document[key] = have | {name: one for name, one in more.items() if one is not None}
        elif steps[0].type == "complex":
            document[key] = more


RULES: tuple[Callable[[ResourceType, Document], Document], ...] = (unknown_schema_uris, attribute_paths_as_names)
