"""The attributes of Entra's users and groups as a mapping's source, and how Microsoft Graph has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

Kind = Literal["User", "Group"]
"""The kind of a directory object."""

Read = Callable[[Mapping[str, Any]], Any]


def _at(path: str) -> Read:
    first, *rest = path.split(".")

    def read(found: Mapping[str, Any]) -> Any:
        value = found.get(first)
        for name in rest:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return read


def _first(name: str) -> Read:
    def read(found: Mapping[str, Any]) -> Any:
        value = found.get(name)
        return (value[0] if value else None) if isinstance(value, list) else value

    return read


def _id(name: str) -> Read:
    def read(found: Mapping[str, Any]) -> Any:
        value = found.get(name)
        return value.get("id") if isinstance(value, Mapping) else value

    return read


def _ids(name: str) -> Read:
    def read(found: Mapping[str, Any]) -> Any:
        value = found.get(name)
        if not isinstance(value, list):
            return None
        return [one.get("id") if isinstance(one, Mapping) else one for one in value]

    return read


def _is_soft_deleted(found: Mapping[str, Any]) -> str:
    """Return `True` if Entra disables the account: the object is deleted, or its account is disabled.

    Source: how-provisioning-works.md, de-provisioning.
    """
    return "True" if found.get("deletedDateTime") or found.get("accountEnabled") is False else "False"


def _account_enabled(found: Mapping[str, Any]) -> str | None:
    enabled = found.get("accountEnabled")
    return None if enabled is None else str(enabled)


def _same(*names: str) -> dict[str, Read]:
    return {name: _at(name) for name in names}


_USER: dict[str, Read] = {
    "objectId": _at("id"),
    "IsSoftDeleted": _is_soft_deleted,
    "accountEnabled": _account_enabled,
    **_same(
        "appRoleAssignments",
        "city",
        "companyName",
        "country",
        "department",
        "displayName",
        "employeeHireDate",
        "employeeId",
        "employeeLeaveDateTime",
        "employeeOrgData.costCenter",
        "employeeOrgData.division",
        "employeeType",
        "givenName",
        "jobTitle",
        "mail",
        "mailNickname",
        "onPremisesDistinguishedName",
        "onPremisesSecurityIdentifier",
        "onPremisesUserPrincipalName",
        "otherMails",
        "passwordProfile.password",
        "postalCode",
        "preferredLanguage",
        "proxyAddresses",
        "state",
        "streetAddress",
        "surname",
        "usageLocation",
        "userPrincipalName",
        "userType",
    ),
    "facsimileTelephoneNumber": _at("faxNumber"),
    "immutableId": _at("onPremisesImmutableId"),
    "manager": _id("manager"),
    "mobile": _at("mobilePhone"),
    "netId": _at("netId"),
    "onPremisesSamAccountName": _at("onPremisesSamAccountName"),
    "originalUserPrincipalName": _at("userPrincipalName"),
    "physicalDeliveryOfficeName": _at("officeLocation"),
    "telephoneNumber": _first("businessPhones"),
    **{f"extensionAttribute{n}": _at(f"onPremisesExtensionAttributes.extensionAttribute{n}") for n in range(1, 16)},
}
_GROUP: dict[str, Read] = {
    "objectId": _at("id"),
    **_same(
        "description",
        "displayName",
        "mail",
        "mailEnabled",
        "mailNickname",
        "onPremisesSamAccountName",
        "onPremisesSecurityIdentifier",
        "proxyAddresses",
        "securityEnabled",
    ),
    "members": _ids("members"),
    "owners": _ids("owners"),
}
_SOURCES: dict[Kind, dict[str, Read]] = {"User": _USER, "Group": _GROUP}
_NAMES_OF_GRAPH: dict[Kind, dict[str, str]] = {
    "User": {
        "businessPhones": "telephoneNumber",
        "faxNumber": "facsimileTelephoneNumber",
        "id": "objectId",
        "mobilePhone": "mobile",
        "officeLocation": "physicalDeliveryOfficeName",
        "onPremisesImmutableId": "immutableId",
        **{f"onPremisesExtensionAttributes.extensionAttribute{n}": f"extensionAttribute{n}" for n in range(1, 16)},
    },
    "Group": {"id": "objectId"},
}
"""Properties of Microsoft Graph that are a source attribute of another name."""

MULTI_VALUED: Mapping[Kind, frozenset[str]] = {
    "User": frozenset({"appRoleAssignments", "otherMails", "proxyAddresses"}),
    "Group": frozenset({"members", "owners", "proxyAddresses"}),
}
"""Source attributes with several values."""

REFERENCES = frozenset({"manager", "members", "owners"})
"""Source attributes that refer to other objects."""

_EXTENSION = re.compile(r"extension_[0-9a-fA-F]{32}_\w+|CustomSecurityAttribute\S*|ext[0-9a-z]+_\w+(?:\.\w+)?", re.ASCII)
"""Directory extensions and custom security attributes, which each directory has of its own; their names are case-sensitive."""


def source_attributes(kind: Kind) -> Iterable[str]:
    """Return the names of the attributes that every directory has."""
    return _SOURCES[kind]


def has_source_attribute(kind: Kind, name: str) -> bool:
    """Return whether objects of a kind have, or may have, an attribute of that name. Names are case-sensitive."""
    return name in _SOURCES[kind] or bool(_EXTENSION.fullmatch(name))


def name_of_graph_property(kind: Kind, path: str) -> str | None:
    """Return Entra's name of the property at a path in Microsoft Graph, such as `mobile` for `mobilePhone`.

    Return None if both names are the same.
    """
    return _NAMES_OF_GRAPH[kind].get(path)


def source_of(kind: Kind, found: Mapping[str, Any], names: Iterable[str] = ()) -> dict[str, Any]:
    """Return the source attributes of an object as Microsoft Graph returns it. Those without a value are left out.

    A value under Entra's own name, such as `objectId`, is taken as it is. `names` are further attributes to read: a key of the
    object, or a path such as `employeeOrgData.costCenter`.
    """
    source = {}
    for name, read in _SOURCES[kind].items():
        value = found[name] if name in found and name not in _GRAPHS_OWN else read(found)
        if value is not None:
            source[name] = value
    source |= {name: value for name, value in found.items() if value is not None and _EXTENSION.fullmatch(name)}
    for name in names:
        if name not in source and name not in _SOURCES[kind]:
            value = found[name] if name in found else _at(name)(found)
            if value is not None:
                source[name] = value
    return source


_GRAPHS_OWN = frozenset({"accountEnabled", "manager", "members", "owners"})
"""Names that both have, for values of another form."""
