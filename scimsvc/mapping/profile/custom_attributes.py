"""Custom attributes: the portal's "Edit attribute list" (customize-application-attributes.md) on top of the schemas."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

from scimsvc.schema.model import Attribute, ResourceType, Schema, Type
from scimsvc.schema.paths import resolve

TYPES: dict[str, Type] = {
    "String": "string",
    "Boolean": "boolean",
    "DateTime": "dateTime",
    "Integer": "integer",
    "Reference": "reference",
    "Binary": "binary",
}
"""The portal's names of types, and RFC 7643's."""
REFERENCED = ("User.id", "Group.id")
"""What a reference may refer to: the portal's referenced object attribute."""

_NAME = re.compile(
    r"""(?:(?P<urn>(?i:urn):[\w.:-]+):)?
    (?P<attribute>[A-Za-z][\w$-]*)
    (?P<filter>\[(?:[^\[\]"]|"(?:[^"\\]|\\.)*")+\])?
    (?:\.(?P<sub>[A-Za-z][\w$-]*))?""",
    re.VERBOSE | re.ASCII,
)
_NEVER_EXTENDED = ("members", "groups", "meta")
"""Kept by the service provider in a form of their own."""


@dataclass(frozen=True)
class Name:
    """The parts of `[URN:]attribute[filter].sub`, the name of a custom attribute."""

    urn: str | None
    attribute: str
    value_filter: str | None
    sub: str | None

    @property
    def parent(self) -> str:
        """Return the path of the attribute without filter and sub-attribute."""
        return f"{self.urn}:{self.attribute}" if self.urn else self.attribute


def parse_name(text: str) -> Name | None:
    """Return the parts of a custom attribute's name, or None if it is not valid.

    Valid are `badge`, `name.nick` and `emails[type eq "x"].rank`, also below a URN.
    """
    match = _NAME.fullmatch(text)
    if match is None or (match["filter"] and not match["sub"]):
        return None
    return Name(match["urn"], match["attribute"], match["filter"], match["sub"])


def adopting(resource_type: ResourceType, urn: str | None, others: Iterable[ResourceType]) -> ResourceType:
    """Return the resource type with the extension of a URN that another one has, if it lacks it.

    A URN has one definition for all resource types.
    """
    if urn is None or _has(resource_type, urn):
        return resource_type
    known = (extension for other in others for extension in other.extensions if extension.id.lower() == urn.lower())
    found = next(known, None)
    return replace(resource_type, extensions=(*resource_type.extensions, found)) if found else resource_type


def sharing(resource_type: ResourceType, other: ResourceType) -> ResourceType:
    """Return the resource type with those of its schemas that another one has, as they are there with custom attributes."""
    own = (resource_type.schema, *resource_type.extensions)
    theirs = {one.id.lower(): one for one in (other.schema, *other.extensions)}
    schema, *extensions = shared = tuple(theirs.get(one.id.lower(), one) for one in own)
    return resource_type if shared == own else replace(resource_type, schema=schema, extensions=tuple(extensions))


def shared_with(
    resource_type: ResourceType, plain: ResourceType, name: Name, others: Iterable[ResourceType]
) -> tuple[ResourceType, Attribute] | None:
    """Return the other resource type that gave a resource type an attribute below a URN, and the attribute.

    None if there is no such attribute, or if `plain`, the resource type without the other's attributes, has it too.
    """
    path = f"{name.parent}.{name.sub}" if name.sub else name.parent
    own = resolve(resource_type, path) if name.urn and not resolve(plain, path) else None
    for other in others if own else ():
        theirs = resolve(other, path)
        if own and theirs and theirs.leaf is own.leaf:
            return other, own.leaf
    return None


def portal_definition(attribute: Attribute) -> tuple[str, bool, bool, bool]:
    """Return what the portal's attribute list has of an attribute: its type there, multi-value, required, exact case."""
    type_ = next((portal for portal, scim in TYPES.items() if scim == attribute.type), attribute.type)
    return type_, attribute.multi_valued, attribute.required, attribute.case_exact


def alike(one: Attribute, other: Attribute) -> bool:
    """Return whether two declarations are of the same attribute; descriptions do not matter."""
    what = attrgetter("type", "multi_valued", "required", "case_exact", "reference_types")
    return bool(what(one) == what(other))


def _has(resource_type: ResourceType, urn: str) -> bool:
    return urn.lower() in (one.lower() for one in resource_type.schema_ids)


def obstacle(resource_type: ResourceType, name: Name, others: Iterable[ResourceType] = ()) -> str | None:
    """Return why a resource type can't have an attribute of that name, or None if it can.

    `others` are the other resource types, whose schemas have their own URNs.
    """
    if name.urn and not _has(resource_type, name.urn):
        of = next((other.name for other in others if other.schema.id.lower() == name.urn.lower()), None)
        return f"{name.urn} is the schema of {of}; the URN of an extension of {resource_type.name} is another" if of else None
    parent = resolve(resource_type, name.parent)
    if name.sub is None:
        return f"{resource_type.name} has an attribute {name.parent} already" if parent else None
    if parent is None:
        return None
    attribute = parent.leaf
    if attribute.type != "complex":
        return f"{parent.name} is a {attribute.type}, which has no sub-attributes"
    if attribute.name in _NEVER_EXTENDED:
        return f"{parent.name} can't have further sub-attributes"
    if name.value_filter and not attribute.multi_valued:
        return f"{parent.name} has one value, so there is nothing to choose from: leave out {name.value_filter}"
    if attribute.sub_attribute(name.sub):
        return f"{resource_type.name} has an attribute {parent.name}.{name.sub} already"
    return None


def extended(resource_type: ResourceType, name: Name, attribute: Attribute) -> ResourceType:
    """Return the resource type with an attribute at that name, to which there must be no obstacle.

    A new URN becomes a new extension. A new parent of a name with a filter, such as `badges[type eq "door"].number`, is
    multi-valued.
    """
    urn = (name.urn or resource_type.schema.id).lower()
    if urn == resource_type.schema.id.lower():
        return replace(resource_type, schema=_with(resource_type.schema, name, attribute))
    extensions = [_with(one, name, attribute) if one.id.lower() == urn else one for one in resource_type.extensions]
    if name.urn and urn not in (one.id.lower() for one in extensions):
        fresh = Schema(name.urn, name.urn.split(":")[-1], "Custom attributes.", ())
        extensions.append(_with(fresh, name, attribute))
    return replace(resource_type, extensions=tuple(extensions))


def _with(schema: Schema, name: Name, attribute: Attribute) -> Schema:
    if name.sub is None:
        return replace(schema, attributes=(*schema.attributes, attribute))
    lowered = name.attribute.lower()
    grown = tuple(
        replace(one, sub_attributes=(*one.sub_attributes, attribute)) if one.name.lower() == lowered else one
        for one in schema.attributes
    )
    if all(one.name.lower() != lowered for one in schema.attributes):
        grown += (_parent(name, attribute),)
    return replace(schema, attributes=grown)


def _parent(name: Name, attribute: Attribute) -> Attribute:
    """Return a complex attribute for a sub-attribute.

    If a filter chooses elements, it is multi-valued and has the default sub-attributes of RFC 7643 §2.4.
    """
    defaults: tuple[Attribute, ...] = ()
    if name.value_filter:
        defaults = (
            Attribute("value", description="The value."),
            Attribute("display", description="A name to show for the value."),
            Attribute("type", description="What the value is for."),
            Attribute("primary", "boolean", "Whether this is the preferred value; true at most once."),
        )
    own = tuple(one for one in defaults if one.name.lower() != attribute.name.lower())
    return Attribute(
        name.attribute,
        "complex",
        "A custom attribute.",
        multi_valued=bool(name.value_filter),
        sub_attributes=(*own, attribute),
    )
