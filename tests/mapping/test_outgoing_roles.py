"""Roles in a preview are what Microsoft documents, and the service stores what the preview shows."""

import json
from typing import Any

import pytest
from flask import Flask

from scimsvc.mapping.entra.preview import preview
from scimsvc.store.database import Database
from tests.mapping.test_preview import JANE, created, profile, updated
from tests.support.server import BASE_PATH, new_token
from tests.support.wsgi import call

TYPE = "WindowsAzureActiveDirectoryRole"
ADMIN = {"id": "06b07648", "value": "25", "displayName": "Role1234"}
USER = {"id": "7", "value": "User", "displayName": "User"}
ASSIGNED = JANE | {"appRoleAssignments": [ADMIN, USER]}


def row(function: str, target: str = "roles") -> str:
    return f"expression: {function}([appRoleAssignments])\n      target: '{target}'"


SINGLE = row("SingleAppRoleAssignment", 'roles[primary eq "True"].value')
COMPLEX = row("AppRoleAssignmentsComplex")
ASSERTIVE = row("AssertiveAppRoleAssignmentsComplex")


def elements(name: str) -> list[dict[str, Any]]:
    return [{"primary": False, "type": TYPE, name: role["displayName"], "value": role["value"]} for role in (ADMIN, USER)]


def texts(*roles: dict[str, Any]) -> list[dict[str, str]]:
    return [{"value": json.dumps(role, separators=(",", ":"))} for role in roles]


@pytest.mark.parametrize(
    ("rows", "create", "plain", "flagged"),
    [
        (
            [SINGLE],
            [{"primary": True, "type": TYPE, "value": "25"}],
            ("Add", texts(ADMIN)),
            ("add", [{"primary": True, "type": TYPE, "value": "25"}]),
        ),
        (
            [SINGLE, row("SingleAppRoleAssignment", 'roles[primary eq "True"].display')],
            [{"primary": True, "type": TYPE, "value": "25", "display": "25"}],
            ("Add", texts(ADMIN)),
            ("add", [{"primary": True, "type": TYPE, "value": "25", "display": "25"}]),
        ),
        ([COMPLEX], elements("displayName"), ("Add", texts(ADMIN, USER)), ("add", elements("display"))),
        ([ASSERTIVE], elements("display"), ("replace", elements("display")), ("replace", elements("display"))),
    ],
)
def test_roles_are_sent_as_microsoft_documents(rows: list[str], create: Any, plain: Any, flagged: Any):
    assert created(*rows, found=ASSIGNED) == {"roles": create}
    update = preview(profile(*rows).users, ASSIGNED)["update"]
    for dialect, (op, value) in (("default", plain), ("aadOptscim062020", flagged)):
        operations = [one for one in update[dialect]["Operations"] if one.get("path") == "roles"]
        assert operations == [{"op": op, "path": "roles", "value": value}]


def test_role_that_a_function_changes_is_an_ordinary_value():
    changed = (
        "expression: ToLower(SingleAppRoleAssignment([appRoleAssignments]))\n      target: 'roles[primary eq \"True\"].value'"
    )
    assert updated(changed, found=ASSIGNED) == {'roles[primary eq "True"].value': "25"}
    assert updated(row("SingleAppRoleAssignment", "userType"), found=ASSIGNED) == {"userType": "25"}


@pytest.mark.parametrize("rows", [[SINGLE], [COMPLEX], [ASSERTIVE]], ids=["single", "complex", "assertive"])
def test_service_stores_the_roles_of_the_preview(app: Flask, database: Database, rows: list[str]):
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant')}"}
    shown = preview(profile(*rows, "{source: userPrincipalName, target: userName}").users, ASSIGNED)
    answer = call(app, "POST", f"{BASE_PATH}/Users".encode(), headers, json.dumps(shown["create"]).encode())
    assert answer.status == 201, answer.raw
    stored = {role["value"] for role in answer.body["roles"]}
    assert stored == ({"25"} if rows == [SINGLE] else {"25", "User"})
    for dialect in ("default", "aadOptscim062020"):
        body = json.dumps(shown["update"][dialect]).encode()
        patched = call(app, "PATCH", f"{BASE_PATH}/Users/{answer.body['id']}".encode(), headers, body)
        assert patched.status == 200, patched.raw
        assert {role["value"] for role in patched.body["roles"]} == stored
