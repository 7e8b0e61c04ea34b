"""Refused writes reach the journal: soon, counted, and without any value; nothing else does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from scimsvc.protocol.errors import ScimError
from scimsvc.store import tenants
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.journal_reading import Entry, JournalReader
from scimsvc.store.tenants import TenantRecord
from scimsvc.web.http.note import Note
from scimsvc.web.observe import refusals
from scimsvc.web.observe.labels import Kind
from scimsvc.web.observe.refusals import Refusals
from scimsvc.web.observe.request_log import Done
from tests.support.server import BASE_PATH, Server, new_token
from tests.support.wsgi import call

Ask = Callable[..., Any]


@pytest.fixture
def token(database: Database) -> str:
    return new_token(database, "acme")


@pytest.fixture
def tenant(database: Database, token: str) -> TenantRecord:
    found = tenants.find_tenant(database, "acme")
    assert found
    return found


@pytest.fixture
def ask(app: Flask, token: str) -> Ask:
    def send(method: str, path: str, body: Any = None, token: str = token) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        return call(app, method, f"{BASE_PATH}{path}".encode(), {"Authorization": f"Bearer {token}"}, data)

    return send


@pytest.fixture
def refused(app: Flask, database: Database, tenant: TenantRecord) -> Callable[[], list[Entry]]:
    """The refused writes so far, without waiting for the threads that store them."""

    def look() -> list[Entry]:
        call(app, "GET", b"/metrics")
        app.extensions["scimsvc.refusals"].drain()
        return list(JournalReader(database, tenant.id).refused())

    return look


def test_what_is_refused_is_counted(ask: Ask, refused: Callable[[], list[Entry]], tenant: TenantRecord):
    user = ask("POST", "/Users", {"userName": "mira", "externalId": "1"}).body["id"]
    for _ in range(3):
        assert ask("POST", "/Users", {"userName": "mira", "externalId": "2"}).status == 409
    wrong = {"Operations": [{"op": "replace", "path": "active", "value": "perhaps-mira"}]}
    assert ask("PATCH", f"/Users/{user}", wrong).status == 400
    assert ask("DELETE", "/Users/mira").status == 404
    entries = refused()
    found = sorted((one.values["status"], one.resource_id, one.times, one.values.get("scimType")) for one in entries)
    assert found == [(400, user, 1, "invalidValue"), (404, "", 1, None), (409, "", 3, "uniqueness")]
    by_status = {one.values["status"]: one for one in entries}
    assert by_status[409].values == {
        "method": "POST",
        "endpoint": "/users",
        "status": 409,
        "scimType": "uniqueness",
        "attribute": "userName",
    }
    assert by_status[400].values["attribute"] == "active"
    assert {one.actor for one in entries} == {"token:1"}
    assert all(one.request_id and one.at <= (one.last_at or "") for one in entries)
    assert "mira" not in str(entries)
    assert ask("POST", "/Users", {"userName": "mira", "externalId": "2"}).status == 409
    assert [one.times for one in refused() if one.values["status"] == 409] == [4]


def test_operations_of_a_bulk_request_are_counted_one_by_one(ask: Ask, refused: Callable[[], list[Entry]]):
    create = {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "b", "externalId": "1"}}
    assert ask("POST", "/Bulk", {"Operations": [create, {**create, "bulkId": "b"}]}).status == 200
    (entry,) = refused()
    assert (entry.values["status"], entry.values["endpoint"], entry.values["method"]) == (409, "/users", "POST")


def test_reads_and_unknown_tokens_are_not_there(ask: Ask, refused: Callable[[], list[Entry]]):
    assert ask("GET", "/Users/nobody").status == 404
    assert ask("GET", "/Users?filter=x").status == 400
    assert ask("POST", "/Users/.search", {"filter": "x"}).status == 400
    assert ask("POST", "/Users", {"userName": "x"}, token="scim_unknown").status == 401
    assert refused() == []


def test_a_revoked_token_is_named(ask: Ask, refused: Callable[[], list[Entry]], database: Database, tenant: TenantRecord):
    tenants.revoke_token(database, tenant, 1)
    assert ask("POST", "/Users", {"userName": "x"}).status == 401
    (entry,) = refused()
    assert (entry.actor, entry.values["rule"]) == ("token:1", "token revoked")


def done(tenant: TenantRecord, id_: str) -> Done:
    credential = tenants.Credential(1, tenant, "scim", None, None)
    note = Note("request", None, "", credential)
    return Done(note, Kind("PATCH", "/users/{id}", "patch"), 400, None, id_, ScimError(400, "x", "invalidValue"), None)


def test_they_wait_for_a_database_that_is_away_within_bounds(
    database: Database, tenant: TenantRecord, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(refusals, "_MOST", 3)
    own = Database(database.url)
    waiting = Refusals(own)
    with monkeypatch.context() as patched:

        def refuse(work: Any) -> None:
            raise DatabaseUnavailable("away", "unreachable")

        patched.setattr(own, "transaction", refuse)
        for number in range(20):
            waiting.add(done(tenant, f"id-{number}"), 1_800_000_000.0 + number)
        waiting.drain()
    assert list(JournalReader(database, tenant.id).refused()) == []
    waiting.add(done(tenant, "id-0"), 1_800_000_100.0)
    waiting.drain()
    found = {one.resource_id: one.times for one in JournalReader(database, tenant.id).refused()}
    assert found == {"id-0": 2, "id-1": 1, "id-2": 1, "": 17}


def test_a_running_server_stores_them_by_itself(server: Server):
    client = server.client("refused")
    assert client.post("/Users", {"userName": ""}).status == 400
    client.close()
    tenant = tenants.find_tenant(server.database, "refused")
    assert tenant
    reader = JournalReader(server.database, tenant.id)
    server.wait_for(lambda: bool(list(reader.refused())))
