"""How Entra sends application roles: unlike any other attribute (customize-application-attributes.md, "Provisioning a role").

| function | create | PATCH | PATCH with the flag |
| --- | --- | --- | --- |
| SingleAppRoleAssignment | one element, `primary` true, with a `type` | `Add` of JSON texts | `add` of the created element |
| AppRoleAssignmentsComplex | all with `displayName` | `Add` of JSON texts | `add`, all with `display` |
| AssertiveAppRoleAssignmentsComplex | all with `display` | `replace`, all with `display` | the same |

The document shows the create and the first PATCH. What the flag changes is as users report it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from scimsvc.mapping.expression.tree import SourceAttribute
from scimsvc.mapping.functions.roles import ROLE_TYPE, roles_of
from scimsvc.mapping.mapper import Flow
from scimsvc.mapping.profile.model import AttributeMapping

_SINGLE = "SingleAppRoleAssignment"
_COMPLEX = "AppRoleAssignmentsComplex"
_ASSERTIVE = "AssertiveAppRoleAssignmentsComplex"


def sends_roles(row: AttributeMapping) -> bool:
    """Return whether Entra sends what the row comes to as roles."""
    return _function_of(row) is not None


def role_operations(flows: Sequence[Flow], flagged: bool, attributes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return one operation for each attribute that gets roles, by its name; the flows are those with a value."""
    operations: dict[str, dict[str, Any]] = {}
    for flow in flows:
        function = _function_of(flow.row)
        path = path_of(flow.row)
        if function == _ASSERTIVE:
            operations[path] = {"op": "replace", "path": path, "value": _elements(flow, "display")}
        elif function == _COMPLEX and flagged:
            operations[path] = {"op": "add", "path": path, "value": _elements(flow, "display")}
        elif function == _SINGLE and flagged:
            sub_attribute = flow.row.target.target.leaf.name
            operation = operations.setdefault(path, {"op": "add", "path": path, "value": [{"primary": True, "type": ROLE_TYPE}]})
            operation["value"][0][sub_attribute] = flow.value
        elif function:
            operations[path] = {"op": "Add", "path": path, "value": _json_texts(flow, attributes, function == _SINGLE)}
    return operations


def add_role_types(document: dict[str, Any], flows: Sequence[Flow]) -> None:
    """Set the `type` of the element that SingleAppRoleAssignment makes in a create, unless a row sets another."""
    for flow in flows:
        if flow.value is None or _function_of(flow.row) != _SINGLE:
            continue
        for element in document.get(flow.row.target.attribute.leaf.name, []):
            if element.get("primary") is True:
                element.setdefault("type", ROLE_TYPE)


def path_of(row: AttributeMapping) -> str:
    """Return the attribute that roles go to: `roles` for `roles[primary eq "True"].value`."""
    return row.target_text.partition("[")[0]


def _function_of(row: AttributeMapping) -> str | None:
    name = row.expression.tree.name if row.expression else None
    if name == _SINGLE and row.target.value_filter is not None:
        return name
    return name if name in (_COMPLEX, _ASSERTIVE) and row.target.target.leaf.multi_valued else None


def _elements(flow: Flow, name: str) -> list[Any]:
    """Return the elements with the name of each role under `name`."""
    values = flow.value if isinstance(flow.value, list) else [flow.value]
    return [
        {name if key in ("display", "displayName") else key: below for key, below in value.items()}
        if isinstance(value, dict)
        else value
        for value in values
    ]


def _json_texts(flow: Flow, attributes: Mapping[str, Any], only_first: bool) -> list[dict[str, Any]]:
    argument = flow.row.expression.tree.arguments[0] if flow.row.expression else None
    assignments = attributes.get(argument.name) if isinstance(argument, SourceAttribute) else flow.value
    roles = roles_of(assignments)
    return [{"value": orjson.dumps(role).decode()} for role in (roles[:1] if only_first else roles)]
