"""`attributes:` of a table: custom attributes, which the portal calls "Edit attribute list", with a finding for each mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from scimsvc.mapping.profile.custom_attributes import (
    REFERENCED,
    TYPES,
    Name,
    adopting,
    alike,
    extended,
    obstacle,
    parse_name,
    shared_with,
    sharing,
)
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import parse_path
from scimsvc.schema.model import Attribute, ResourceType

MAX_ATTRIBUTES = 1_000
"""Custom attributes of a table."""
_ATTRIBUTE_KEYS = ("name", "type", "description", "multiValued", "required", "exactCase", "referencedObjectAttribute")


def extend_types(
    source: Source, types: Sequence[ResourceType], of_users: yaml.Node | None, of_groups: yaml.Node | None
) -> list[ResourceType]:
    """Return User, Group and other resource types with the custom attributes in the lists of both tables.

    An extension has one definition for all resource types that have it, so what one list adds is there for the others, too.
    """
    user_type, plain_group_type, *others = types
    user_type = _extended(source, of_users, user_type, user_type, (plain_group_type, *others))
    group_type = sharing(plain_group_type, user_type)
    group_type = _extended(source, of_groups, group_type, plain_group_type, (user_type, *others))
    user_type = sharing(user_type, group_type)
    return [user_type, group_type, *(sharing(sharing(other, user_type), group_type) for other in others)]


def _extended(
    source: Source, node: yaml.Node | None, resource_type: ResourceType, plain: ResourceType, others: Sequence[ResourceType]
) -> ResourceType:
    """Return the resource type with the custom attributes of a list.

    `others` may have extensions that these are added to; `plain` is the resource type without the other table's attributes.
    """
    result = resource_type
    for count, entry in enumerate(source.sequence(node, "attributes")):
        if count == MAX_ATTRIBUTES:
            source.complain(entry, f"a table can't have more than {MAX_ATTRIBUTES} custom attributes")
            break
        result = _with_custom(source, entry, result, plain, others)
    return result


def _with_custom(
    source: Source, node: yaml.Node, resource_type: ResourceType, plain: ResourceType, others: Sequence[ResourceType]
) -> ResourceType:
    """Return the resource type with one custom attribute, or as it is if a mistake keeps the attribute out."""
    entries = source.mapping(node, "a custom attribute", _ATTRIBUTE_KEYS)
    text = source.text_of(entries.get("name"), "name")
    if text is None:
        if isinstance(node, yaml.MappingNode) and "name" not in entries:
            source.complain(node, "the key 'name' is missing")
        return resource_type
    name = parse_name(text)
    if name is None:
        source.complain(
            entries["name"],
            'a custom attribute\'s name is letters and digits, name.sub, name[type eq "x"].sub, or one of them below urn:…:User:',
        )
        return resource_type
    own_type = adopting(resource_type, name.urn, others)
    shared = shared_with(own_type, plain, name, others)
    problem = None if shared else obstacle(own_type, name, others)
    if problem:
        source.complain(entries["name"], problem)
        return resource_type
    attribute = _attribute(source, entries, name)
    if attribute is None:
        return resource_type
    if shared:
        other, known = shared
        if not alike(known, attribute):
            problem = f"{other.name} has another attribute {text}, and a schema is one definition: make both the same"
            source.complain(node, problem)
        return own_type
    result = extended(own_type, name, attribute)
    return resource_type if name.value_filter and not _parses(source, entries["name"], text, result) else result


def _attribute(source: Source, entries: Mapping[str, yaml.Node], name: Name) -> Attribute | None:
    """Return the attribute that an entry of the list declares; None, with a finding, if its type is not a string."""
    portal_type = source.text_of(entries["type"], "type") if "type" in entries else "String"
    if portal_type is None:
        return None
    if portal_type not in TYPES:
        hint = did_you_mean(portal_type, TYPES)
        source.complain(entries["type"], f"unknown type {portal_type!r}{hint}; known are {', '.join(TYPES)}")
        portal_type = "String"
    type_ = TYPES[portal_type]
    attribute = Attribute(
        name.sub or name.attribute,
        type_,
        source.text_of(entries.get("description"), "description") or "A custom attribute.",
        multi_valued=bool(source.typed(entries.get("multiValued"), bool, "multiValued")),
        required=bool(source.typed(entries.get("required"), bool, "required")),
        case_exact=bool(source.typed(entries.get("exactCase"), bool, "exactCase")) or type_ in ("reference", "binary"),
        reference_types=_referenced(source, entries.get("referencedObjectAttribute"), portal_type),
    )
    if name.sub and attribute.multi_valued:
        source.complain(entries["multiValued"], "a sub-attribute has one value")
    elif name.value_filter and attribute.required:
        source.complain(entries["required"], f"elements that {name.value_filter} doesn't choose have no {name.sub}")
    return attribute


def _referenced(source: Source, node: yaml.Node | None, portal_type: str) -> tuple[str, ...]:
    """Return the types of the resources that a reference may refer to (RFC 7643 §7, referenceTypes)."""
    if node is None:
        return ("external",) if portal_type == "Reference" else ()
    if portal_type != "Reference":
        source.complain(node, f"only a Reference has a referencedObjectAttribute, not a {portal_type}")
        return ()
    types = []
    for entry in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        text = source.text_of(entry, "referencedObjectAttribute")
        if text is not None and text not in REFERENCED:
            source.complain(entry, f"a reference is to {' or '.join(REFERENCED)}{did_you_mean(text, REFERENCED)}")
        elif text is not None:
            types.append(text.partition(".")[0])
    return tuple(types)


def _parses(source: Source, node: yaml.Node, text: str, resource_type: ResourceType) -> bool:
    try:
        parse_path(text, resource_type)
    except ScimError as error:
        source.complain(node, error.detail.rstrip("."))
        return False
    return True
