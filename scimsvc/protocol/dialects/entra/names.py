"""How Entra names the attributes of extensions."""

from __future__ import annotations

import re
from collections.abc import Callable

from scimsvc.protocol.dialects.entra.applied import note
from scimsvc.schema.core import ENTERPRISE_USER_URN
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import resolve

_ENTERPRISE = re.compile(r"urn:(?:ietf:params:)?scim:schemas:extension:enterprise:2\.0(?::?User)?(?=[:.]|$)", re.IGNORECASE)


def standard_name(resource_type: ResourceType, name: str) -> str:
    """An attribute path as the standard spells it; a name that can't be mended stays."""
    if resolve(resource_type, name):
        return name
    for rule in RULES:
        mended = rule(resource_type, name)
        if mended != name and resolve(resource_type, mended):
            note(rule)
            return mended
    return name


def dot_after_urn(resource_type: ResourceType, name: str) -> str:
    """`urn:…:enterprise:2.0:User.department`: a dot where the colon before the attribute belongs.

    Compliance list, "Extension attributes use dot notation", the behaviour of jobs made before 18 December 2018.

    Sent:  {"attributes": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department"}
    Meant: {"attributes": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}
    """
    lowered = name.lower()
    for urn in resource_type.schema_ids:
        if lowered.startswith(f"{urn.lower()}."):
            return f"{urn}:{name[len(urn) + 1 :]}"
    return name


def extension_attribute_without_urn(resource_type: ResourceType, name: str) -> str:
    """`manager`, `department`: an extension's attribute by its bare name.

    Tutorial, request samples for the manager reference (`"path": "manager"`, the filter `manager eq "…"`) and for
    "Create user", where `department` and `manager` stand at the top level.

    Sent:  {"op": "add", "path": "department", "value": "Sales"}
    Meant: {"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Sales"}
    """
    first = name.partition(".")[0]
    for extension in resource_type.extensions:
        if any(attribute.name.lower() == first.lower() for attribute in extension.attributes):
            return f"{extension.id}:{name}"
    return name


def former_enterprise_urn(resource_type: ResourceType, name: str) -> str:
    r"""`urn:scim:schemas:extension:enterprise:2.0`, `urn:ietf:…:enterprise:2.0User`: the URN as drafts of RFC 7643 had it.

    OneLogin and HelloID send the first; tutorial, the create of the code samples, has the second.

    Sent:  {"filter": "urn:scim:schemas:extension:enterprise:2.0:department eq \"Sales\""}
    Meant: {"filter": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"Sales\""}
    """
    match = _ENTERPRISE.match(name)
    if match is None or all(extension.id != ENTERPRISE_USER_URN for extension in resource_type.extensions):
        return name
    rest = name[match.end() :]
    return f"{ENTERPRISE_USER_URN}:{rest[1:]}" if rest else ENTERPRISE_USER_URN


RULES: tuple[Callable[[ResourceType, str], str], ...] = (dot_after_urn, extension_attribute_without_urn, former_enterprise_urn)
