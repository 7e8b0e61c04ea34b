"""/Me: one user, by a token that opens nothing else."""

import json
from collections.abc import Callable

import pytest
from flask import Flask

from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.tenants import ME
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import new_token
from tests.support.wsgi import call

Ask = Callable[..., Answer]
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.fixture
def ask(app: Flask) -> Ask:
    def send(token: str, method: str, path: str, body: object = None) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        base = "" if path == "/openapi.json" else "/api/scim/v2"
        return call(app, method, f"{base}{path}".encode(), {"Authorization": f"Bearer {token}"}, data)

    return send


@pytest.fixture
def scim_token(database: Database) -> str:
    return new_token(database, "t")


@pytest.fixture
def own(ask: Ask, database: Database, scim_token: str) -> tuple[str, str]:
    """A user's id and a token for that user."""
    id_ = ask(scim_token, "POST", "/Users", {"userName": "jane"}).body["id"]
    tenant = tenants.find_tenant(database, "t")
    assert tenant
    return id_, tenants.create_token(database, tenant, "", None, ME, id_)


def test_token_opens_nothing_while_the_account_is_inactive(ask: Ask, own: tuple[str, str], scim_token: str):
    id_, token = own
    nick_name = {"Operations": [{"op": "replace", "path": "nickName", "value": "x"}]}
    for active in (False, True):
        change = {"Operations": [{"op": "replace", "path": "active", "value": active}]}
        assert ask(scim_token, "PATCH", f"/Users/{id_}", change).status == 200
        for answer in (ask(token, "GET", "/Me"), ask(token, "PATCH", "/Me", nick_name)):
            assert (answer.status != 403) == active
            assert active or answer.body["detail"] == "Your account is not active."


def test_me_is_the_user_of_the_token(ask: Ask, own: tuple[str, str], scim_token: str):
    id_, token = own
    location = f"http://scim.example.com/api/scim/v2/Users/{id_}"
    shown = ask(token, "GET", "/Me")
    assert (shown.status, shown.body["id"], shown.headers["Location"], shown.headers["Content-Location"]) == (
        200,
        id_,
        location,
        location,
    )
    assert set(ask(token, "GET", "/me?attributes=userName").body) == {"schemas", "id", "userName"}
    patch = {"Operations": [{"op": "replace", "path": "nickName", "value": "x"}]}
    assert ask(token, "PATCH", "/Me", patch).body["nickName"] == "x"
    assert ask(token, "PUT", "/Me", {"userName": "jane", "nickName": "J"}).body["nickName"] == "J"
    assert ask(scim_token, "GET", f"/Users/{id_}").body["nickName"] == "J"
    assert ask(scim_token, "DELETE", f"/Users/{id_}").status == 204
    assert_scim_error(ask(token, "GET", "/Me"), 401)


@pytest.mark.parametrize(
    "change",
    [
        {"userName": "other"},
        {"userName": "JANE"},
        {"externalId": "2"},
        {"externalId": None},
        {"active": False},
        {"roles": [{"value": "admin"}]},
        {"entitlements": [{"value": "all"}]},
        {"emails": [{"type": "work", "value": "ceo@corp.example"}]},
        {"emails": [{"type": "home", "value": "me@home.example"}]},
        {"name": {"honorificPrefix": "Dr."}},
        {"displayName": "The Chief Executive"},
        {"title": "CEO"},
        {"userType": "Employee"},
        {"x509Certificates": [{"value": "MIIB"}]},
        {ENTERPRISE: {"department": "Board"}},
        {"password": "secret"},
    ],
)
def test_who_one_is_and_what_one_may_do_is_for_others_to_say(
    ask: Ask, own: tuple[str, str], scim_token: str, change: dict[str, object]
):
    id_, token = own
    whole: dict[str, object] = {"userName": "jane", "externalId": "1", "active": True}
    before = ask(scim_token, "PUT", f"/Users/{id_}", whole).raw
    ((name, _),) = change.items()
    patch = {"Operations": [{"op": "replace", "value": {"nickName": "x", **change}}]}
    for method, body in (("PUT", {**whole, **change}), ("PATCH", patch)):
        answer = ask(token, method, "/Me", body)
        assert_scim_error(answer, 403)
        assert f"users can't change {name}." in answer.body["detail"]
    assert_scim_error(ask(token, "DELETE", "/Me"), 405)
    assert ask(scim_token, "GET", f"/Users/{id_}").raw == before
    assert ask(token, "PUT", "/Me", {**whole, "nickName": "x"}).status == 200
    assert ask(scim_token, "PATCH", f"/Users/{id_}", patch).status == 200


def test_token_of_a_user_opens_nothing_else(ask: Ask, own: tuple[str, str], scim_token: str):
    id_, token = own
    other = ask(scim_token, "POST", "/Users", {"userName": "other"}).body["id"]
    for path in ("/Users", f"/Users/{id_}", f"/Users/{other}", "/Groups", "/"):
        assert_scim_error(ask(token, "GET", path), 403)
    for path in ("/Users", "/Groups", "/Bulk", "/.search", "/Users/.search"):
        assert_scim_error(ask(token, "POST", path, {"userName": "x"}), 403)
    assert_scim_error(ask(token, "DELETE", f"/Users/{other}"), 403)
    for path in ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig"):
        assert ask(token, "GET", path).status == 200
    assert_scim_error(ask(scim_token, "GET", "/Me"), 403)
    assert_scim_error(ask("wrong", "GET", "/Me"), 401)
    assert ask(token, "POST", "/Me", {"userName": "x"}).status == 405


@pytest.mark.parametrize("path", ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/openapi.json", "/Me", "/nothing"])
def test_a_user_who_may_not_come_in_reads_nothing(ask: Ask, own: tuple[str, str], scim_token: str, path: str):
    id_, token = own
    assert ask(token, "GET", path).status == (404 if path == "/nothing" else 200)
    inactive = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    assert ask(scim_token, "PATCH", f"/Users/{id_}", inactive).status == 200
    assert_scim_error(ask(token, "GET", path), 403)
    assert ask(scim_token, "DELETE", f"/Users/{id_}").status == 204
    assert_scim_error(ask(token, "GET", path), 401)


@pytest.mark.parametrize("space", ["\xa0", "\x85", "\x0b"])
def test_only_blanks_may_stand_around_a_token(ask: Ask, scim_token: str, space: str):
    assert ask(f"{scim_token} \t", "GET", "/Users").status == 200
    assert_scim_error(ask(f"{scim_token}{space}", "GET", "/Users"), 401)
