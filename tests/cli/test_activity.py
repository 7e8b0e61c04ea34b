"""`scimsvc activity`, and how the journal is purged and a person erased."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from scimsvc.service.actor import Actor
from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.journal import Refusal, Repeats, count_refusals
from tests.cli.conftest import Run

URL = "sqlite:///var/scimsvc.db"


@pytest.fixture
def database(ready: Run) -> Iterator[Database]:
    found = Database(URL)
    yield found
    found.close()


@pytest.fixture
def users(database: Database, folder: Path) -> ResourceService:
    catalog = Catalog(load_profile(folder / "mappings" / "entra.yaml"))
    return ResourceService(database, 1, catalog.types["users"], "http://x", actor=Actor("token", "1", "request"))


def created(users: ResourceService, name: str, **more: Any) -> str:
    return users.create({"userName": name, "externalId": name, **more}).location.rpartition("/")[2]


def lines(run: Run, *arguments: str) -> list[list[str]]:
    result = run("activity", "--tenant", "default", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return [line.split("\t") for line in result.stdout.splitlines()]


def refuse(database: Database, id_: str) -> None:
    refusal = Refusal(1, "token:1", "PATCH", "/users/{id}", id_, 400, "invalidValue", "title", None)
    repeats = Repeats(3, "2026-01-02T00:00:00.000", "2026-01-02T01:00:00.000", "request")
    database.transaction(lambda: count_refusals(database, {refusal: repeats}))


def test_it_shows_who_did_what_without_values(ready: Run, database: Database, users: ResourceService):
    id_ = created(users, "mira.okafor", title="Clerk")
    users.replace(id_, {"userName": "mira.okafor", "externalId": "mira.okafor", "title": "Boss"}, None)
    refuse(database, id_)
    found = lines(ready)
    assert [line[1:3] for line in found] == [
        ["create", "Tenant"],
        ["create", "Token"],
        ["create", "User"],
        ["replace", "User"],
        ["refuse", "-"],
    ]
    assert found[0][5:] == ["command:init", "profile"]
    assert found[3][2:] == ["User", id_, "2", "token:1", "title"]
    assert found[4][3:] == [
        id_,
        "-",
        "token:1",
        "PATCH /users/{id} 400 invalidValue title (3 times, last at 2026-01-02T01:00:00.000Z)",
    ]
    assert "mira" not in str(found)
    assert lines(ready, "--failed") == found[4:]
    assert lines(ready, "--resource", id_) == found[2:]
    assert lines(ready, "--resource", id_, "--failed") == found[4:]
    assert lines(ready, "--since", "2026-01-03") == found[:4]
    assert lines(ready, "--since", "2026-01-02T00:30:00Z") == found
    assert lines(ready, "--since", "2999-01-01") == []


def test_json_has_the_values(ready: Run, users: ResourceService):
    id_ = created(users, "mira")
    result = ready("activity", "--tenant", "default", "--resource", id_, "--json")
    (row,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert row["details"]["after"]["userName"] == "mira"
    assert (row["action"], row["version"], row["actor"], row["requestId"]) == ("create", 1, "token:1", "request")
    assert row["lastAt"] is None


def test_a_terminal_gets_columns(ready: Run, users: ResourceService, monkeypatch: pytest.MonkeyPatch):
    created(users, "mira")
    monkeypatch.setattr(import_module("scimsvc.cli.activity"), "_is_terminal", lambda: True)
    *_, last = ready("activity", "--tenant", "default").stdout.splitlines()
    assert "  create    User         " in last


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-01-01T25:00:00Z"])
def test_what_is_no_time_is_refused(ready: Run, since: str):
    result = ready("activity", "--tenant", "default", "--since", since)
    assert (result.exit_code, "such as 2026-01-31" in result.stderr) == (2, True)


def test_a_dry_run_counts_and_purge_deletes(ready: Run, database: Database, users: ResourceService):
    created(users, "mira")
    database.transaction(lambda: database.execute("UPDATE journal SET happened_at = '2020-01-01T00:00:00.000'", ()))
    created(users, "kept")
    counted = "default: would purge 0\ndefault: would delete 3 expired rows of the journal\n"
    for _ in range(2):
        assert ready("db", "purge", "--dry-run").stdout == counted
    assert ready("db", "purge").stdout == "default: purged 0\ndefault: deleted 3 expired rows of the journal\n"
    assert ready("db", "purge", "--dry-run").stdout == "default: would purge 0\n"
    assert [line[1:3] for line in lines(ready)] == [["create", "User"]]


def test_erase_forgets_a_deleted_account_alone(ready: Run, folder: Path, users: ResourceService):
    id_ = created(users, "mira.okafor")
    refused = ready("db", "erase", "--tenant", "default", id_)
    assert refused.exit_code == 1
    assert refused.stderr == f"Error: {id_} is not deleted; delete it first, by the directory or with DELETE\n"
    users.delete(id_, None)
    for _ in range(2):
        assert ready("db", "erase", "--tenant", "default", id_).stdout == f"erased {id_}\n"
    assert [line[1:6] for line in lines(ready, "--resource", id_)] == [["erase", "User", id_, "-", "command:db erase"]]
    files = [folder / "var" / f"scimsvc.db{end}" for end in ("", "-wal")]
    assert not [path for path in files if b"mira.okafor" in path.read_bytes()]
    unknown = ready("db", "erase", "--tenant", "default", "nobody")
    assert (unknown.exit_code, unknown.stderr) == (1, "Error: tenant 'default' has nothing with the id 'nobody'\n")


def test_administrators_are_named(ready: Run, database: Database):
    assert ready("tenant", "create", "two", "--profile", "entra").exit_code == 0
    assert ready("token", "create", "--tenant", "two", "--description", "Entra").exit_code == 0
    (token,) = tenants.tokens(database, tenants.TenantRecord(2, "two", "entra"))
    assert ready("token", "revoke", "--tenant", "two", str(token.id)).exit_code == 0
    found = [line.split("\t") for line in ready("activity", "--tenant", "two").stdout.splitlines()]
    assert [(line[1], line[2], line[3], line[5]) for line in found] == [
        ("create", "Tenant", "two", "command:tenant create"),
        ("create", "Token", str(token.id), "command:token create"),
        ("delete", "Token", str(token.id), "command:token revoke"),
    ]
