"""The requests that Entra sends for an object: the create, and the update in both of its PATCH dialects.

Sources: the tutorial (use-scim-to-provision-users-and-groups.md) and the compliance list
(application-provisioning-config-problem-scim-compatibility.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from scimsvc.mapping.entra.directory import REFERENCES
from scimsvc.mapping.entra.roles import add_role_types, role_operations, sends_roles
from scimsvc.mapping.functions.values import as_text
from scimsvc.mapping.mapper import Flow
from scimsvc.mapping.profile.model import ObjectMapping
from scimsvc.protocol.patch import PATCH_URN, Operation, Policy, apply
from scimsvc.schema.core import ENTERPRISE_USER_URN
from scimsvc.schema.model import Attribute

GROUP_EXTRA_URN = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
"""What Entra adds to the schemas of a group."""
FLAG = "aadOptscim062020"
_MAKING = Policy(create_missing_elements=True)

Document = dict[str, Any]


def match_filters(flows: Iterable[Flow]) -> list[str]:
    """Return the filters by which Entra looks for the object, in the order in which it tries them."""
    matching = [flow for flow in flows if flow.row.matching is not None and flow.value not in (None, "")]
    matching.sort(key=lambda flow: flow.row.matching or 0)
    return [f"{flow.row.target_text} eq {orjson.dumps(as_text(flow.value)).decode()}" for flow in matching]


def create_body(table: ObjectMapping, flows: Sequence[Flow]) -> Document:
    """Return the body of the POST. It has no nulls and no references; references follow in a PATCH."""
    operations = [
        Operation("add", flow.row.target, _typed(flow.row.target.target.leaf, flow.value))
        for flow in flows
        if flow.value is not None and not _is_reference(flow)
    ]
    document = apply({}, operations, _MAKING)
    add_role_types(document, flows)
    for email in document.get("emails", []):
        # The tutorial's create does the same.
        if email.get("type") == "work":
            email.setdefault("primary", True)
    name = table.resource_type.name
    second = ENTERPRISE_USER_URN if name == "User" else GROUP_EXTRA_URN
    return {"schemas": [table.resource_type.schema.id, second]} | document | {"meta": {"resourceType": name}}


def update_body(flows: Iterable[Flow], flagged: bool, attributes: Mapping[str, Any]) -> Document | None:
    """Return the PATCH that replaces every attribute, or None if there is nothing to send. `attributes` are the object's."""
    sent = [flow for flow in flows if flow.value is not None and not _is_reference(flow)]
    roles = list(role_operations(sent, flagged, attributes).values())
    sent = [flow for flow in sent if not sends_roles(flow.row)]
    if not flagged:
        operations = [{"op": "Replace", "path": flow.row.target_text, "value": _as_sent(flow)} for flow in sent]
        return _patch(operations + roles)
    plain = {flow.row.target_text: _typed(flow.row.target.target.leaf, flow.value) for flow in sent if _is_plain(flow)}
    operations = [
        {"op": "replace", "path": flow.row.target_text, "value": _typed(flow.row.target.target.leaf, flow.value)}
        for flow in sent
        if not _is_plain(flow)
    ]
    return _patch(operations + roles + ([{"op": "replace", "value": plain}] if plain else []))


def references_body(flows: Iterable[Flow], flagged: bool) -> Document | None:
    """Return the PATCH that follows once the referenced objects exist, or None if there are no references.

    Entra sends the ids that the service provider gave to those objects; this has their ids in the directory.
    """
    operations = []
    for flow in flows:
        if flow.value not in (None, []) and _is_reference(flow):
            many = flow.row.target.target.leaf.multi_valued
            value: Any = [{"value": one} for one in flow.value] if many and isinstance(flow.value, list) else flow.value
            operations.append({"op": "add" if flagged else "Add", "path": flow.row.target_text, "value": value})
    return _patch(operations)


def _patch(operations: list[Document]) -> Document | None:
    return {"schemas": [PATCH_URN], "Operations": operations} if operations else None


def _is_reference(flow: Flow) -> bool:
    return flow.row.source in REFERENCES


def _is_plain(flow: Flow) -> bool:
    """Return whether the flag puts the attribute into the operation without a path."""
    return flow.row.target.value_filter is None and not isinstance(flow.value, list)


def _typed(attribute: Attribute, value: Any) -> Any:
    """Return a value as the target has it: an array if it is multi-valued, objects if it is complex."""
    values = value if isinstance(value, list) else [value]
    if attribute.type == "complex":
        values = [one if isinstance(one, dict) else {"value": one} for one in values]
    return values if attribute.multi_valued else values[0] if values else None


def _as_sent(flow: Flow) -> Any:
    """Return the value as Entra sends it without the flag: booleans are strings."""
    if isinstance(flow.value, bool):
        return str(flow.value)
    return _typed(flow.row.target.target.leaf, flow.value)
