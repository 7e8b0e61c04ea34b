"""Random requests, against what was stored after each: the journal rebuilds every earlier version of every resource exactly."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scimsvc.settings import DatabaseSettings, LogSettings, MappingsSettings, Settings
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.journal_details import State, after_change
from scimsvc.store.journal_reading import Entry, JournalReader, earlier_states
from scimsvc.web.app import create_app
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
POLICIES = {
    "plain": "",
    "tolerant": "policies: {recreate: restore, unknownMembers: pending, deleteAfter: 5, passwords: argon2}",
}
SECRET = "correct horse battery"
_tenants = itertools.count()

Step = tuple[str, int, int, Any]
"""What is done, to which of the resources that there were, with which other one, and a value."""
KINDS_OF_STEPS = """user user group group put title name manager rename password disable join join leave replace filter await
    regroup delete delete bulk"""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KINDS_OF_STEPS.split()),
        st.integers(0, 7),
        st.integers(0, 7),
        st.sampled_from(["ann", "Zoë", '"q"']),
    ),
    min_size=12,
    max_size=30,
)


def of_group(number: int, *operation: Any) -> tuple[str, str, Any]:
    op = dict(zip(("op", "path", "value"), operation, strict=False))
    return "PATCH", f"/Groups/{{g{number}}}", {"Operations": [op]}


def of_user(number: int, path: str, value: Any) -> tuple[str, str, Any]:
    return "PATCH", f"/Users/{{u{number}}}", {"Operations": [{"op": "replace", "path": path, "value": value}]}


def request(step: Step) -> tuple[str, str, Any]:
    """A request, in whose path and body `{u1}`, `{g1}` and `{1}` stand for the ids of a user, a group and any resource."""
    what, one, other, value = step
    members = [{"value": f"{{{other}}}"}, {"value": f"{{{one}}}"}]
    user = {"userName": f"n{one}", "externalId": f"e{one}", "name": {"givenName": value, "familyName": "x"}, "title": value}
    match what:
        case "user":
            return "POST", "/Users", user | {"password": SECRET, "emails": [{"type": "work", "value": f"{one}@x"}]}
        case "group":
            return "POST", "/Groups", {"displayName": value, "externalId": f"g{one}{other}", "members": members}
        case "put":
            return "PUT", f"/Users/{{u{one}}}", user | {"active": other > 3}
        case "regroup":
            return "PUT", f"/Groups/{{g{one}}}", {"displayName": value, "externalId": f"g{one}", "members": members[:1]}
        case "title":
            return of_user(one, "title", value)
        case "name":
            return of_user(one, "name.givenName", value)
        case "manager":
            return of_user(one, f"{ENTERPRISE}:manager", {"value": f"{{{other}}}", "displayName": value})
        case "rename":
            return of_user(one, "externalId", f"e{other}")
        case "password":
            return of_user(one, "password", f"{SECRET}{other}")
        case "disable":
            return of_user(one, "active", False)
        case "join":
            return of_group(one, "add", "members", members)
        case "await":
            return of_group(one, "add", "members", [{"value": f"e{other}"}])
        case "leave":
            return of_group(one, "remove", "members", members[:1])
        case "replace":
            return of_group(one, "replace", "members", members)
        case "filter":
            return of_group(one, "remove", 'members[type eq "User"]' if other > 3 else f'members[value eq "{{{other}}}"]')
        case "bulk":
            data = {"displayName": value, "externalId": f"b{one}", "members": [{"value": "bulkId:u"}]}
            operations = [
                {"method": "POST", "path": "/Groups", "bulkId": "g", "data": data},
                {"method": "POST", "path": "/Users", "bulkId": "u", "data": user},
            ]
            return "POST", "/Bulk", {"Operations": operations}
    return "DELETE", f"/Users/{{u{one}}}" if other > 2 else f"/Groups/{{g{one}}}", None


class Tenant:
    """A tenant, and what was stored of each of its resources in each version."""

    def __init__(self, app: Flask, database: Database) -> None:
        self.app, self.database = app, database
        name = f"tenant-{next(_tenants)}"
        self.headers = {"Authorization": f"Bearer {new_token(database, name, 'journaled')}"}
        record = tenants.find_tenant(database, name)
        assert record
        self.id = record.id
        self.versions: dict[str, dict[int, State]] = {}
        self.users: list[str] = []
        self.groups: list[str] = []

    def do(self, step: Step) -> None:
        method, path, body = request(step)
        text = json.dumps([path, body])
        for prefix, ids in (("u", self.users), ("g", self.groups), ("", [*self.users, *self.groups])):
            for number in range(8):
                text = text.replace(f"{{{prefix}{number}}}", ids[number % len(ids)] if ids else "nobody")
        path, body = json.loads(text)
        data = b"" if body is None else json.dumps(body).encode()
        assert call(self.app, method, f"/api/scim/v2{path}".encode(), self.headers, data).status < 500
        for id_, (version, state) in self.stored().items():
            kept = self.versions.setdefault(id_, {}).setdefault(version, state)
            assert kept == state, "a change without a new version"
            known = self.groups if "displayName" in (state.document or {}) else self.users
            if id_ not in self.users and id_ not in self.groups:
                known.append(id_)

    def stored(self) -> dict[str, tuple[int, State]]:
        members: dict[str, set[str]] = {}
        of_groups = """SELECT holder.id, member.id FROM membership
            JOIN resource AS holder ON holder.tenant_id = membership.tenant_id AND holder.seq = group_seq
            JOIN resource AS member ON member.tenant_id = membership.tenant_id AND member.seq = member_seq
            WHERE membership.tenant_id = {0}"""
        for group, member in self.execute(of_groups):
            members.setdefault(group, set()).add(member)
        rows = self.execute("SELECT id, document, version, deleted FROM resource WHERE tenant_id = {0} ORDER BY seq")
        return {
            id_: (version, State(None if deleted else json.loads(document), frozenset(members.get(id_, ()))))
            for id_, document, version, deleted in rows
        }

    def execute(self, sql: str) -> list[Any]:
        with self.database.reading():
            found: list[Any] = self.database.execute(sql.format(self.id), ()).fetchall()
        return found

    def check(self) -> None:
        now = self.stored()
        reader = JournalReader(self.database, self.id)
        for id_, versions in self.versions.items():
            rows = list(reader.of_resource(id_))
            current = now[id_][1] if id_ in now else State(None)
            rebuilt = dict(earlier_states(current, reversed(rows)))
            assert list(rebuilt) == list(range(len(rebuilt), 0, -1)), "each version once"
            assert {version: rebuilt[version] for version in versions} == versions
            assert dict(forwards(rows)) == rebuilt
        in_order = [entry.seq for entry in reader.all()]
        assert sorted(in_order) == [seq for (seq,) in self.execute("SELECT seq FROM journal WHERE tenant_id = {0} ORDER BY seq")]
        details = "".join(text for (text,) in self.execute("SELECT details FROM journal WHERE tenant_id = {0}"))
        assert SECRET not in details
        assert "argon2" not in details


def forwards(rows: list[Entry]) -> Iterator[tuple[int, State]]:
    state = State(None)
    for row in rows:
        if row.version is not None:
            state = after_change(state, row.values)
            yield row.version, state


@pytest.fixture(params=POLICIES)
def app_with(request: pytest.FixtureRequest, settings: Settings, database: Database, tmp_path: Path) -> Iterator[Flask]:
    profile = (ROOT / "mappings" / "entra.yaml").read_text().replace("profile: entra", "profile: journaled")
    (tmp_path / "journaled.yaml").write_text(f"{profile}\n{POLICIES[request.param]}\n")
    configured = replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url))
    made = create_app(replace(configured, log=LogSettings("warning")))
    yield made
    made.extensions["scimsvc"].database.close()


def test_every_earlier_version_is_rebuilt_exactly(app_with: Flask, database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("scimsvc.service.passwords._HASHER", Hasher())
    done: set[str] = set()

    @hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def run(steps: list[Step]) -> None:
        tenant = Tenant(app_with, database)
        for step in steps:
            tenant.do(step)
        tenant.check()
        done.update(action for (action,) in tenant.execute("SELECT DISTINCT action FROM journal WHERE tenant_id = {0}"))

    run()
    expected = {"create", "replace", "patch", "delete", "leave"}
    if "tolerant" in request_policies(app_with):
        expected |= {"restore", "join", "pending"}
    assert expected <= done


class Hasher:
    """Argon2 takes its time on purpose."""

    def hash(self, password: str) -> str:
        return f"argon2:{password}"


def request_policies(app: Flask) -> str:
    policies = app.extensions["scimsvc"].catalogs.get("journaled").profile.policies
    return "tolerant" if policies.delete_after else "plain"
