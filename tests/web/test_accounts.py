"""/api/accounts: accounts in the application's words, page by page, with a token that can do nothing else."""

import base64
import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimsvc.store import resources
from scimsvc.store.database import Database
from scimsvc.store.tenants import ACCOUNTS
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import new_token
from tests.support.wsgi import call

Ask = Callable[..., Answer]


@pytest.fixture
def ask(app: Flask, database: Database) -> Ask:
    """Sends a request with a token of the scope that its path needs."""
    tokens: dict[tuple[str, str], str] = {}

    def send(method: str, path: str, body: bytes = b"", tenant: str = "t", profile: str = "entra") -> Answer:
        scope: Any = ACCOUNTS if path.startswith("/api/accounts") else "scim"
        token = tokens.setdefault((tenant, scope), "") or new_token(database, tenant, profile, scope)
        tokens[tenant, scope] = token
        return call(app, method, path.encode(), {"Authorization": f"Bearer {token}"}, body)

    return send


def create(ask: Ask, name: str, **more: str) -> str:
    body = b'{"userName":"%s","externalId":"%s","displayName":"%s","emails":[{"type":"work","value":"%s@Example.com"}]}'
    answer = ask("POST", "/api/scim/v2/Users", body.replace(b"%s", name.encode()), **more)
    assert answer.status == 201
    return str(answer.body["id"])


def test_account_is_a_record_and_the_directorys_object(ask: Ask):
    id_ = create(ask, "Jane")
    account = ask("GET", f"/api/accounts/{id_}").body
    meta = account.pop("meta")
    assert account == {
        "id": id_,
        "record": {"login": "jane@example.com", "name": "Jane", "active": None},
        "directory": {"objectId": "Jane", "displayName": "Jane", "userPrincipalName": "Jane@Example.com"},
    }
    assert set(meta) == {"created", "lastModified", "version"}
    ask("PATCH", f"/api/scim/v2/Users/{id_}", b'{"Operations":[{"op":"Replace","path":"active","value":"False"}]}')
    account = ask("GET", f"/api/accounts/{id_}").body
    assert account["record"]["active"] is False
    assert account["directory"]["IsSoftDeleted"] == "True"
    assert ask("GET", "/api/accounts").body == {"accounts": [account]}
    create(ask, "Okta", tenant="o", profile="okta")
    assert "record" not in ask("GET", "/api/accounts", tenant="o").body["accounts"][0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a second after the one before."""
    seconds = itertools.count()
    monkeypatch.setattr(resources, "now", lambda: f"2026-01-01T00:00:{next(seconds):02d}.000")


@pytest.mark.usefixtures("clock")
def test_pages_have_every_account_once_in_the_order_of_their_changes(ask: Ask):
    ids = [create(ask, f"user{number}") for number in range(5)]
    ask("PATCH", f"/api/scim/v2/Users/{ids[0]}", b'{"Operations":[{"op":"Replace","path":"title","value":"x"}]}')
    found: list[str] = []
    assert len(ask("GET", "/api/accounts?count=99999999999999").body["accounts"]) == 5
    target = "/api/accounts?count=2"
    while True:
        page = ask("GET", target).body
        found += [account["id"] for account in page["accounts"]]
        if "nextCursor" not in page:
            break
        target = f"/api/accounts?count=2&cursor={page['nextCursor']}"
    assert found == [*ids[1:], ids[0]]


@pytest.mark.usefixtures("clock")
def test_account_that_changes_while_others_are_read_comes_again(ask: Ask):
    first, second = create(ask, "first"), create(ask, "second")
    page = ask("GET", "/api/accounts?count=1").body
    assert [account["id"] for account in page["accounts"]] == [first]
    ask("PATCH", f"/api/scim/v2/Users/{first}", b'{"Operations":[{"op":"Replace","path":"title","value":"x"}]}')
    rest = ask("GET", f"/api/accounts?cursor={page['nextCursor']}").body["accounts"]
    assert [account["id"] for account in rest] == [second, first]


def test_only_what_changed_since(ask: Ask):
    first = create(ask, "first")
    changed = ask("GET", f"/api/accounts/{first}").body["meta"]["lastModified"]
    assert [one["id"] for one in ask("GET", f"/api/accounts?changedSince={changed}").body["accounts"]] == [first]
    east = changed.replace("Z", "+02:00")
    assert [one["id"] for one in ask("GET", f"/api/accounts?changedSince={quote(east)}").body["accounts"]] == [first]
    assert ask("GET", "/api/accounts?CHANGEDSINCE=9999-01-01T00:00:00Z").body == {"accounts": []}


def test_tokens_open_only_what_their_scope_says(ask: Ask, app: Flask, database: Database):
    id_ = create(ask, "Jane")
    scim, reader = new_token(database, "t"), new_token(database, "t", scope=ACCOUNTS)
    for token, paths in (
        (scim, ["/api/accounts", f"/api/accounts/{id_}"]),
        (
            reader,
            ["/api/scim/v2/Users", f"/api/scim/v2/Users/{id_}", "/api/scim/v2/Schemas", "/api/scim/v2/ServiceProviderConfig"],
        ),
    ):
        for path in paths:
            answer = call(app, "GET", path.encode(), {"Authorization": f"Bearer {token}"})
            assert_scim_error(answer, 403)
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    body = b'{"userName":"x"}'
    assert call(app, "POST", b"/api/scim/v2/Users", {"Authorization": f"Bearer {reader}"}, body).status == 403
    assert call(app, "POST", b"/api/mappings/preview/users", {"Authorization": f"Bearer {reader}"}, body).status == 403
    assert_scim_error(call(app, "GET", b"/api/accounts", {}), 401)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert ask(method, f"/api/accounts/{id_}", body).status == 405


def test_no_tenant_sees_another_tenants_accounts(ask: Ask):
    id_ = create(ask, "Jane")
    assert ask("GET", "/api/accounts", tenant="other").body == {"accounts": []}
    assert_scim_error(ask("GET", f"/api/accounts/{id_}", tenant="other"), 404)


@pytest.mark.parametrize(
    ("query", "scim_type", "message"),
    [
        (
            "changed=2026-01-01",
            "invalidValue",
            "There is no parameter 'changed'; known are changedSince, count, cursor.",
        ),
        ("changedSince=yesterday", "invalidValue", "changedSince must be a date and time"),
        ("count=0", "invalidCount", "count must be an integer of at least 1"),
        ("count=-1", "invalidCount", "count must be an integer of at least 1"),
        ("cursor=x", "invalidCursor", "cursor must be the nextCursor of an answer."),
        ("cursor=%00%ff", "invalidCursor", "cursor must be the nextCursor of an answer."),
    ],
)
def test_wrong_parameters_are_refused(ask: Ask, query: str, scim_type: str, message: str):
    answer = ask("GET", f"/api/accounts?{query}")
    assert (answer.status, answer.body["scimType"]) == (400, scim_type)
    assert message in answer.body["detail"]


def test_cursor_belongs_to_its_tenant(ask: Ask):
    for name in ("Ann", "Bob"):
        create(ask, name)
    cursor = ask("GET", "/api/accounts?count=1").body["nextCursor"]
    assert len(ask("GET", f"/api/accounts?cursor={cursor}").body["accounts"]) == 1
    assert_scim_error(ask("GET", f"/api/accounts?cursor={cursor}", tenant="other"), 400, "invalidCursor")
    made_up = base64.urlsafe_b64encode(b"2026-01-01T00:00:00.000/1").decode()
    assert_scim_error(ask("GET", f"/api/accounts?cursor={made_up}"), 400, "invalidCursor")
    assert len(ask("GET", "/api/accounts?cursor=&count=&changedSince=").body["accounts"]) == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["changedSince", "count", "cursor"]), st.text(max_size=40))
def test_no_parameter_gives_500(ask: Ask, name: str, value: str):
    answer = ask("GET", f"/api/accounts?{name}={quote(value.encode('utf-8', 'surrogatepass'))}")
    assert answer.status in (200, 400)
    assert ask("GET", f"/api/accounts/{quote(value.encode('utf-8', 'surrogatepass'), safe='')}").status in (200, 404)
