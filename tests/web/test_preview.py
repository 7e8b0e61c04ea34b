"""The preview over HTTP: for the tenant that the token speaks for, with its own profile."""

import json
from typing import Any

import pytest
from flask import Flask

from scimsvc.store.database import Database
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import new_token
from tests.support.wsgi import call

JANE = {"id": "1", "userPrincipalName": "jane@example.com", "mailNickname": "jane"}


@pytest.fixture
def ask(app: Flask, database: Database):
    """Asks for a preview with the profile of a tenant."""

    def send(target: str, body: Any, profile: str = "entra", token: str | None = None, raw: bytes | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token or new_token(database, f'tenant of {profile}', profile)}"}
        data = raw if raw is not None else json.dumps(body).encode()
        return call(app, "POST", f"/api/mappings/preview/{target}".encode(), headers, data)

    return send


def test_objects_are_shown_as_the_tenants_profile_has_them(ask):
    (shown,) = ask("users", JANE).body
    assert shown["match"] == ['externalId eq "1"']
    (shown,) = ask("users", JANE, "entra-default").body
    assert shown["match"] == ['userName eq "jane@example.com"']
    assert len(ask("users", {"value": [JANE, JANE]}).body) == 2
    (shown,) = ask("users?explain", [JANE]).body
    assert [row["target"] for row in shown["rows"]][:2] == ["externalId", "active"]
    (shown,) = ask("groups", {"id": "g", "displayName": "G"}).body
    assert shown["create"]["displayName"] == "G"


def test_preview_needs_a_token(ask):
    assert_scim_error(ask("users", JANE, token="wrong"), 401)


@pytest.mark.parametrize(
    ("target", "body", "status", "message"),
    [
        ("devices", JANE, 404, "There is a preview of users and of groups"),
        ("users", [JANE, 5], 400, "Object 2: must be a JSON object"),
        ("users", [JANE] * 101, 400, "takes 100 objects at once"),
        ("users", None, 400, "Object 1: must be a JSON object"),
    ],
)
def test_what_can_not_be_shown_is_refused(ask, target: str, body: Any, status: int, message: str):
    answer = ask(target, body)
    assert answer.status == status
    assert message in answer.body["detail"]


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"", b'{"id": {"a": [' * 40])
def test_what_is_no_json_is_refused(ask, raw: bytes):
    assert_scim_error(ask("users", None, raw=raw), 400, "invalidSyntax")


@pytest.mark.parametrize(
    "found",
    [
        {"id": 5, "displayName": ["a"], "givenName": {"x": 1}, "surname": True, "userPrincipalName": None},
        {"id": {"a": 1}, "userPrincipalName": [1, 2], "IsSoftDeleted": [], "accountEnabled": "no"},
        {"id": "1", "businessPhones": {}, "onPremisesExtensionAttributes": []},
        {"IsSoftDeleted": "perhaps"},
    ],
)
def test_odd_values_give_an_answer(ask, found: dict[str, Any]):
    for target in ("users?explain", "groups?explain"):
        for profile in ("entra", "entra-default", "okta"):
            assert ask(target, found, profile).status == 200
