"""A database of version 0.1.0 keeps all that it has, and the service goes on with it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.journal_details import State
from scimsvc.store.journal_reading import JournalReader, earlier_states
from scimsvc.store.migrations import migrate, pending
from scimsvc.web.app import create_app
from tests.conftest import KINDS
from tests.support.old_database import VERSION_0_1_0, execute, fill_as_0_1_0, tables_in
from tests.support.server import BASE_PATH, ROOT, new_token
from tests.support.wsgi import call

POLICIES = "policies: {recreate: restore, unknownMembers: pending, deleteAfter: 3650, passwords: argon2}"
KEPT = ("tenant", "token", "resource", "attribute_value", "membership", "pending_membership", "password")


@pytest.fixture(params=KINDS)
def upgraded(request: pytest.FixtureRequest, new_database_url: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    database = Database(new_database_url(request.param))
    fill_as_0_1_0(database, monkeypatch)
    assert pending(database) == ["0009_journal"]
    assert migrate(database) == ["0009_journal"]
    yield database
    database.close()


@pytest.fixture
def service(upgraded: Database, tmp_path: Path) -> Iterator[Flask]:
    shipped = (ROOT / "mappings" / "entra.yaml").read_text()
    (tmp_path / "entra.yaml").write_text(shipped)
    (tmp_path / "tolerant.yaml").write_text(f"{shipped.replace('profile: entra', 'profile: tolerant')}\n{POLICIES}\n")
    settings = replace(Settings(), mappings=MappingsSettings(tmp_path), database=DatabaseSettings(upgraded.url))
    made = create_app(settings)
    yield made
    made.extensions["scimsvc"].database.close()


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with database.reading():
        return [tuple(row) for row in database.execute(sql, ()).fetchall()]


def test_all_rows_are_kept(upgraded: Database):
    before = tables_in(VERSION_0_1_0)
    for name in KEPT:
        columns = before[name]["columns"]
        expected = [tuple(row) for row in before[name]["rows"]]
        if name == "resource":
            place = columns.index("resource_type")
            expected = [(*row[:place], row[place].removeprefix("deleted:"), *row[place + 1 :]) for row in expected]
        assert sorted(rows(upgraded, f"SELECT {', '.join(columns)} FROM {name}")) == sorted(expected)
    deleted = [row[3] for row in before["resource"]["rows"] if row[2].startswith("deleted:")]
    assert [id_ for (id_,) in rows(upgraded, "SELECT id FROM resource WHERE deleted = 1")] == deleted


def test_changes_become_rows_of_the_journal_without_values(upgraded: Database):
    columns = "tenant_id, resource_type, resource_id, action, version, happened_at, actor, request_id, details"
    expected = [(*row[1:], "unknown", None, None) for row in tables_in(VERSION_0_1_0)["change"]["rows"]]
    assert rows(upgraded, f"SELECT {columns} FROM journal ORDER BY seq") == expected
    read = [entry.resource_id for tenant in (1, 2) for entry in JournalReader(upgraded, tenant).all()]
    assert read == [row[2] for row in expected]


def test_an_older_version_that_still_runs_can_store_nothing(upgraded: Database):
    with pytest.raises(DatabaseUnavailable):
        execute(
            upgraded,
            """INSERT INTO change (tenant_id, resource_type, resource_id, kind, version, happened_at)
            VALUES (1, 'User', 'x', 'create', 1, '')""",
        )


def test_the_service_goes_on(upgraded: Database, service: Flask):
    headers = {"Authorization": f"Bearer {new_token(upgraded, 'acme')}"}

    def ask(method: str, path: str, body: Any = None) -> Any:
        return call(service, method, f"{BASE_PATH}{path}".encode(), headers, b"" if body is None else json.dumps(body).encode())

    gone, later = "gone@example.com", {"userName": "later@example.com", "externalId": "later"}
    users = {one["userName"]: one["id"] for one in ask("GET", "/Users").body["Resources"]}
    assert gone not in users
    assert ask("GET", f'/Users?filter=userName+eq+"{gone}"').body["totalResults"] == 0
    restored = ask("POST", "/Users", {"userName": gone, "externalId": "gone"}).body["id"]
    assert rows(upgraded, f"SELECT deleted, version FROM resource WHERE id = '{restored}'") == [(0, 3)]
    created = ask("POST", "/Users", later).body
    assert [group["display"] for group in created["groups"]] == ["all", "few"]
    mira = users["mira@example.com"]
    operation = {"op": "replace", "path": "title", "value": "Chair"}
    assert ask("PATCH", f"/Users/{mira}", {"Operations": [operation]}).body["title"] == "Chair"
    entries = list(JournalReader(upgraded, 1).of_resource(mira))
    document = json.loads(rows(upgraded, f"SELECT document FROM resource WHERE id = '{mira}'")[0][0])
    states = dict(earlier_states(State(document), reversed(entries)))
    titles = {version: state.document and state.document["title"] for version, state in states.items()}
    assert titles == {3: "Chair", 2: "Boss"}
