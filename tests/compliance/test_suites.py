"""What others made to try SCIM servers, against gunicorn on both databases: no failure."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import NotFoundException, PatchOp, PatchOperation, SearchRequest, UniquenessException

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.client import Client
from tests.support.server import ROOT, Server

BIN = Path(sys.executable).parent
_tenants = itertools.count()


def run(*command: str, cwd: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_scim2_tester(server: Server) -> None:
    client = server.client(f"scim2-tester-{next(_tenants)}")
    result = run(str(BIN / "scim2"), "-u", server.tenant_url, "test", SCIM_CLI_HEADERS=f"Authorization: Bearer {client.token}")
    outcomes = [line.split()[0] for line in result.stdout.splitlines() if re.match("[A-Z]{2,} ", line)]
    assert len(outcomes) > 100, result.stdout + result.stderr
    assert set(outcomes) == {"SUCCESS"}, result.stdout


@pytest.fixture(scope="module")
def lenient(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose profile answers a group's PATCH with the group, and waits for members that don't exist yet."""
    folder = tmp_path_factory.mktemp("lenient")
    (folder / "mappings").mkdir()
    profile = (ROOT / "mappings" / "entra.yaml").read_text()
    policies = "policies: {groupPatchAnswer: resource, unknownMembers: pending}"
    (folder / "mappings" / "entra.yaml").write_text(f"{profile}\n{policies}\n")
    url = server.database.url
    database = Database(url)
    migrate(database)
    database.close()
    running = Server(url, folder, SCIMSVC_MAPPINGS_DIRECTORY=str(folder / "mappings"))
    yield running
    running.stop()


def test_scim_sanity(lenient: Server) -> None:
    client = lenient.client(f"scim-sanity-{next(_tenants)}")
    result = run(
        str(BIN / "scim-sanity"),
        "probe",
        lenient.tenant_url,
        "--token",
        client.token,
        "--i-accept-side-effects",
        "--json-output",
    )
    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads(result.stdout)["summary"]
    assert summary["failed"] == 0
    assert summary["passed"] >= 25
    assert summary["errors"] == 0


def test_schemathesis(server: Server, tmp_path: Path) -> None:
    """Requests by the OpenAPI document: no 5xx, and no answer that the document doesn't have."""
    client = server.client(f"schemathesis-{next(_tenants)}")
    reader = Client(server.origin, client.token)
    (tmp_path / "openapi.json").write_bytes(reader.get("/openapi.json").raw)
    reader.close()
    checks = [
        "not_a_server_error",
        *(f"{what}_conformance" for what in ("status_code", "content_type", "response_schema", "response_headers")),
    ]
    options = [
        "--checks",
        ",".join(checks),
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "10",
        "--seed",
        "1",
        "--no-color",
    ]
    header = ["-H", f"Authorization: Bearer {client.token}"]
    result = run(
        str(BIN / "schemathesis"),
        "run",
        str(tmp_path / "openapi.json"),
        "--url",
        server.tenant_url,
        *header,
        *options,
        cwd=str(tmp_path),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "25 selected" in result.stdout


@pytest.fixture
def scim(server: Server) -> Iterator[SyncSCIMClient]:
    """scim2-client, which knows the server by discovery alone and checks every answer against what it has discovered."""
    token = server.client(f"scim2-client-{next(_tenants)}").token
    with httpx2.Client(base_url=server.tenant_url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http:
        client = SyncSCIMClient(http)
        client.discover()
        yield client


def test_session_of_scim2_client(scim: SyncSCIMClient) -> None:
    User, Group = scim.get_resource_model("User"), scim.get_resource_model("Group")
    assert User
    assert Group
    jane = scim.create(User(user_name="jane", display_name="Jane", emails=[{"type": "work", "value": "jane@example.com"}]))
    john = scim.create(User(user_name="john", active=True))
    assert scim.query(User, jane.id).emails[0].value == "jane@example.com"
    found = scim.query(User, query_parameters=SearchRequest(filter='emails[type eq "work"] and userName sw "j"', count=5))
    assert [one.id for one in found.resources] == [jane.id]
    ordered = scim.search(search_request=SearchRequest(filter="userName pr", sort_by="userName", sort_order="descending"))
    assert [one.user_name for one in ordered.resources] == ["john", "jane"]
    partial = scim.query(User, jane.id, query_parameters=SearchRequest(attributes=["userName"]))
    assert (partial.user_name, partial.display_name) == ("jane", None)
    jane.title = "Boss"
    jane = scim.replace(jane)
    assert jane.title == "Boss"
    operations = [
        PatchOperation(op=PatchOperation.Op.replace_, path="title", value="Chief"),
        PatchOperation(op=PatchOperation.Op.add, path="emails", value=[{"type": "home", "value": "jane@home.example"}]),
    ]
    changed = scim.modify(User, jane.id, PatchOp[User](operations=operations))
    assert (changed.title, len(changed.emails)) == ("Chief", 2)
    group = scim.create(Group(display_name="staff", members=[{"value": jane.id}, {"value": john.id}]))
    assert {member.value for member in group.members} == {jane.id, john.id}
    assert scim.query(User, jane.id).groups[0].display == "staff"
    with pytest.raises(UniquenessException):
        scim.create(User(user_name="JANE"))
    for one in (group, jane, john):
        scim.delete(type(one), one.id)
    with pytest.raises(NotFoundException):
        scim.query(User, jane.id)
