"""Metrics by tenant, of the database and of the build: right, bounded, documented, and cheap to ask for."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from scimsvc import __version__
from scimsvc.settings import DatabaseSettings, Settings
from scimsvc.store import tenants
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.errors import Retry
from scimsvc.store.resources import ResourceStore
from scimsvc.web.app import create_app
from scimsvc.web.observe import labels, metrics
from tests.support.server import BASE_PATH, ROOT, Server, new_token
from tests.support.wsgi import call

Numbers = Callable[[str], dict[tuple[str, ...], float]]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the metrics is a new one."""
    monkeypatch.setattr(metrics, "EXPOSED_FOR", 0.0)
    monkeypatch.setattr(metrics, "ASKED_EVERY", 0.0)


def numbers_of(app: Flask, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric by the values of its labels, in the order of the labels' names."""
    text = call(app, "GET", b"/metrics").raw.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {tuple(sample.labels[one] for one in sorted(sample.labels)): sample.value for sample in samples if sample.name == name}


@pytest.fixture
def numbers(app: Flask) -> Numbers:
    return lambda name: numbers_of(app, name)


def send(app: Flask, token: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    raw = b"" if body is None else json.dumps(body).encode()
    answer = call(app, method, f"{BASE_PATH}{path}".encode(), {"Authorization": f"Bearer {token}"}, raw)
    return answer.body if answer.raw else {}


def test_operations_are_counted_by_tenant_and_outcome(app: Flask, database: Database, numbers: Numbers) -> None:
    acme, other = new_token(database, "acme"), new_token(database, "beta")
    id_ = send(app, acme, "POST", "/Users", {"userName": "a"})["id"]
    send(app, acme, "POST", "/Users", {"userName": "a"})
    send(app, other, "GET", "/Users")
    send(app, "unknown", "GET", "/Users")
    inactive = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    operations = [
        {"method": "PATCH", "path": f"/Users/{id_}", "data": inactive},
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "b"}},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": "b"}},
        {"method": "DELETE", "path": f"/Users/{id_}"},
    ]
    send(app, acme, "POST", "/Bulk", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations})
    # By operation, scim_type, status_class, tenant.
    counted = numbers("scimsvc_operations_total")
    assert {labels: value for labels, value in counted.items() if labels[0] != "other"} == {
        ("create", "", "2xx", "acme"): 2,
        ("create", "uniqueness", "4xx", "acme"): 2,
        ("patch", "", "2xx", "acme"): 1,
        ("delete", "", "2xx", "acme"): 1,
        ("bulk", "", "2xx", "acme"): 1,
        ("query", "", "2xx", "beta"): 1,
        ("query", "", "4xx", ""): 1,
    }
    assert numbers("scimsvc_deprovisioned_total") == {("disable", "acme"): 1, ("delete", "acme"): 1}


def test_tenants_beyond_the_first_are_counted_together(
    app: Flask, database: Database, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "MAX_TENANTS", 2)
    monkeypatch.setattr(metrics, "MAX_TENANTS", 2)
    for name in ("a", "b", "c", "d"):
        send(app, new_token(database, name), "GET", "/Users")
    counted = numbers("scimsvc_operations_total")
    assert {key[3]: value for key, value in counted.items() if key[0] == "query"} == {"a": 1, "b": 1, "other": 2}
    assert set(numbers("scimsvc_tenant_last_contact_timestamp_seconds")) == {("a",), ("b",)}


def test_last_contact_and_expiry_are_told(app: Flask, database: Database, numbers: Numbers) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    send(app, new_token(database, "acme"), "GET", "/Users")
    record = tenants.find_tenant(database, "acme")
    assert record
    soon, later, past = (datetime.now(UTC) + timedelta(days=days) for days in (5, 9, -1))
    for expires in (later, soon, past):
        tenants.create_token(database, record, "", expires)
    tenants.create_token(database, record, "", soon - timedelta(days=1), tenants.ME, "user")
    tenants.create_token(database, record, "", soon - timedelta(days=2))
    tenants.revoke_token(database, record, tenants.tokens(database, record)[-1].id)
    tenants.create_token(database, record, "", later, tenants.ACCOUNTS)
    contact = numbers("scimsvc_tenant_last_contact_timestamp_seconds")
    assert list(contact) == [("acme",)]
    assert before.timestamp() <= contact[("acme",)] <= datetime.now(UTC).timestamp()
    assert numbers("scimsvc_token_expiry_timestamp_seconds") == {
        ("scim", "acme"): pytest.approx(soon.timestamp(), abs=0.01),
        ("accounts.read", "acme"): pytest.approx(later.timestamp(), abs=0.01),
    }


def test_the_build_and_the_database_are_told(app: Flask, database: Database, numbers: Numbers) -> None:
    assert [key[1] for key in numbers("scimsvc_build_info")] == [__version__]
    assert numbers("scimsvc_database_up") == {(): 1}
    assert numbers("scimsvc_members_awaited") == {(): 0}
    assert numbers("scimsvc_database_queue") == {(): 0}
    if database.kind == "sqlite":
        assert numbers("scimsvc_database_wal_bytes")[()] == Path(f"{database.url.removeprefix('sqlite:///')}-wal").stat().st_size
    else:
        assert numbers("scimsvc_database_connections")[("active",)] >= 1
        assert numbers("scimsvc_database_connections_waiting") == {(): 0}
        assert numbers("scimsvc_database_max_connections")[()] > 1


def test_what_waits_is_counted(database: Database, settings: Settings, tmp_path: Path) -> None:
    text = (ROOT / "mappings" / "entra.yaml").read_text()
    (tmp_path / "entra.yaml").write_text(f"{text}\npolicies: {{unknownMembers: pending, deleteAfter: 30}}\n")
    mappings = replace(settings.mappings, directory=tmp_path)
    app = create_app(replace(settings, database=DatabaseSettings(database.url), mappings=mappings))
    token = new_token(database, "acme")
    send(app, token, "POST", "/Groups", {"displayName": "g", "externalId": "g", "members": [{"value": "x"}, {"value": "y"}]})
    for name in ("a", "b", "c"):
        send(app, token, "DELETE", f"/Users/{send(app, token, 'POST', '/Users', {'userName': name})['id']}")
    send(app, token, "POST", "/Users", {"userName": "stays"})
    assert numbers_of(app, "scimsvc_members_awaited") == {(): 2}
    assert numbers_of(app, "scimsvc_resources_awaiting_purge") == {(): 3}
    app.extensions["scimsvc"].database.close()


def test_failures_and_retries_of_the_database_are_counted(
    app: Flask, database: Database, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = new_token(database, "acme")

    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("x", "full")

    with monkeypatch.context() as failing:
        failing.setattr(ResourceStore, "page", fail)
        send(app, token, "GET", "/Users")
    assert numbers("scimsvc_database_errors_total") == {("full",): 1}
    assert numbers("scimsvc_database_retries_total") == {(): 0}
    tries = iter([Retry(), Retry()])

    def work() -> None:
        for error in tries:
            raise error

    app.extensions["scimsvc"].database.transaction(work)
    assert numbers("scimsvc_database_retries_total") == {(): 2}


def test_without_a_database_the_rest_is_told(settings: Settings, tmp_path: Path) -> None:
    app = create_app(replace(settings, database=DatabaseSettings(f"sqlite:///{tmp_path}/none/scimsvc.db")))
    assert numbers_of(app, "scimsvc_database_up") == {(): 0}
    assert numbers_of(app, "scimsvc_build_info")


def test_an_exposition_is_made_once_a_second(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "EXPOSED_FOR", 1000.0)
    first = call(app, "GET", b"/metrics").raw
    monkeypatch.setattr(metrics.Metrics, "_expose", None)
    assert [call(app, "GET", b"/metrics").raw for _ in range(5)] == [first] * 5


def test_who_asks_while_another_is_at_it_does_not_wait(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    first = call(app, "GET", b"/metrics").raw
    entered, leave = threading.Event(), threading.Event()
    expose = metrics.Metrics._expose

    def slowly(self: metrics.Metrics, directory: str | None) -> bytes:
        entered.set()
        assert leave.wait(30)
        return expose(self, directory)

    monkeypatch.setattr(metrics.Metrics, "_expose", slowly)

    def ask() -> None:
        call(app, "GET", b"/metrics")
        app.extensions["scimsvc"].database.close()

    waiting = threading.Thread(target=ask)
    waiting.start()
    assert entered.wait(30)
    assert call(app, "GET", b"/metrics").raw == first
    leave.set()
    waiting.join(30)


def test_all_processes_share_an_exposition(tmp_path: Path, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = app.extensions["scimsvc"]
    monkeypatch.setattr(metrics, "EXPOSED_FOR", 1000.0)
    made = []
    monkeypatch.setattr(metrics.Metrics, "_expose", lambda *_: made.append(None) or b"text %d" % len(made))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    processes = [metrics.Metrics(shared.database, shared.catalogs) for _ in range(3)]
    assert [one.exposition() for one in processes * 2] == [b"text 1"] * 6
    with metrics._turn(tmp_path / "exposition.lock") as mine:
        assert mine
        monkeypatch.setattr(metrics, "EXPOSED_FOR", 0.0)
        assert processes[0].exposition() == b"text 1"
    assert processes[0].exposition() == b"text 2"


def exposed(server: Server) -> set[str]:
    client = server.client("acme")
    client.post("/Users", {"userName": "a"})
    client.close()
    import urllib.request

    with urllib.request.urlopen(f"{server.origin}/metrics") as answer:
        return {line.split()[2] for line in answer.read().decode().splitlines() if line.startswith("# TYPE")}


def test_every_metric_is_documented_and_every_alert_is_possible(server: Server) -> None:
    documented = set(re.findall(r"^\| `(scimsvc_\w+)` \|", (ROOT / "docs" / "operate" / "watch.md").read_text(), re.MULTILINE))
    names = exposed(server)
    assert names <= documented
    source = (ROOT / "scimsvc" / "web" / "observe" / "metrics.py").read_text()
    assert documented == set(re.findall(r'"(scimsvc_\w+)"', source))
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus-alerts.yaml").read_text())["groups"][0]["rules"]
    used = {name for rule in rules for name in re.findall(r"scimsvc_\w+", rule["expr"])}
    assert {re.sub("_bucket$", "", name) for name in used} <= documented
    assert all(rule["annotations"]["summary"] for rule in rules)
