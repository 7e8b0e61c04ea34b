"""Functions on the roles of the application that a person is assigned to."""

from __future__ import annotations

from typing import Any

import orjson

from scimsvc.mapping.functions.model import Function, FunctionError, Parameter, plain
from scimsvc.mapping.functions.values import as_text

ROLE_TYPE = "WindowsAzureActiveDirectoryRole"
"""The `type` of each role that Entra sends."""
_DEFAULT_ACCESS = "00000000-0000-0000-0000-000000000000"
"""The appRoleId of who is assigned to the application without a role."""


def roles_of(assignments: Any) -> list[dict[str, Any]]:
    """Return the roles of assignments as objects with `id`, `value` and `displayName`.

    Assignments are as Microsoft Graph has them, or names, or the JSON texts that Entra sends. Raise FunctionError.
    """
    found = []
    for one in assignments if isinstance(assignments, list) else [] if assignments in (None, "") else [assignments]:
        role = one
        if isinstance(one, str) and one.lstrip().startswith("{"):
            try:
                role = orjson.loads(one)
            except orjson.JSONDecodeError:
                role = one
        if isinstance(role, dict):
            value = as_text(role.get("value")) or as_text(role.get("displayName"))
            if value:
                found.append({"id": role.get("id"), "value": value, "displayName": as_text(role.get("displayName")) or value})
            elif role.get("appRoleId", _DEFAULT_ACCESS) != _DEFAULT_ACCESS:
                raise FunctionError(
                    "an assignment has an appRoleId alone, as Microsoft Graph returns it; give it the role's value or displayName"
                )
        elif role is not None:
            found.append({"id": None, "value": as_text(role), "displayName": as_text(role)})
    return found


def _single(assignments: Any) -> str | None:
    roles = roles_of(assignments)
    return roles[0]["value"] if roles else None


def _complex(name: str) -> Any:
    def complex_(assignments: Any) -> list[dict[str, Any]] | None:
        return [
            {"primary": False, "type": ROLE_TYPE, name: role["displayName"], "value": role["value"]}
            for role in roles_of(assignments)
        ] or None

    return complex_


def _values(assignments: Any) -> list[str] | None:
    return [role["value"] for role in roles_of(assignments)] or None


_ASSIGNMENTS = (Parameter("appRoleAssignments", "any"),)
SINGLE_APP_ROLE_ASSIGNMENT = Function(
    "SingleAppRoleAssignment",
    "The value of the one application role that is assigned. With several it is one of them; which one, Entra doesn't promise, "
    "and here it is the first.",
    _ASSIGNMENTS,
    plain(_single, 1),
)
APP_ROLE_ASSIGNMENTS_COMPLEX = Function(
    "AppRoleAssignmentsComplex",
    "All assigned application roles as elements of `roles`, with displayName. Entra only ever adds them: a role that is taken "
    "away stays.",
    _ASSIGNMENTS,
    plain(_complex("displayName"), 1),
)
ASSERTIVE_APP_ROLE_ASSIGNMENTS_COMPLEX = Function(
    "AssertiveAppRoleAssignmentsComplex",
    "All assigned application roles as elements of `roles`, with display. Entra replaces what was there, so a role that is taken "
    "away goes.",
    _ASSIGNMENTS,
    plain(_complex("display"), 1),
)
APP_ROLE_ASSIGNMENTS = Function(
    "AppRoleAssignments",
    "The values of all assigned application roles. Entra's engine lists this function, its reference does not.",
    _ASSIGNMENTS,
    plain(_values, 1),
)

FUNCTIONS = (
    SINGLE_APP_ROLE_ASSIGNMENT,
    APP_ROLE_ASSIGNMENTS,
    APP_ROLE_ASSIGNMENTS_COMPLEX,
    ASSERTIVE_APP_ROLE_ASSIGNMENTS_COMPLEX,
)
