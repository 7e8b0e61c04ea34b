"""A request is a fixed number of SQL statements, whatever the sizes of what it is about."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

PROFILE = (
    (ROOT / "mappings" / "entra.yaml")
    .read_text()
    .replace('target: emails[type eq "work"].value', 'target: emails[type eq "work"].value\n      unique: true')
)
Ask = Callable[..., Any]


def person(name: str, size: int, **more: Any) -> dict[str, Any]:
    addresses = [{"type": "work", "value": f"{name}{number}@x"} for number in range(size)]
    return {"userName": name, "externalId": name, "emails": addresses, **more}


def patch(op: str, path: str, value: Any = None) -> dict[str, Any]:
    return {"Operations": [{"op": op, "path": path, **({} if value is None else {"value": value})}]}


def numbers_of_statements(ask: Ask, counted: list[str], size: int) -> dict[str, int]:
    """Of each request, all of them with `size` of whatever there can be several of."""
    found: dict[str, int] = {}
    tag = f"s{size}"

    def do(name: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        counted.clear()
        answer = ask(method, path, body)
        assert answer.status == status, (name, answer.raw)
        found[name] = len(counted)
        return answer.body

    ids = [ask("POST", "/Users", person(f"{tag}-{number}", 1)).body["id"] for number in range(size)]
    others = [{"value": id_} for id_ in ids]
    user = do("create", "POST", "/Users", person(tag, size), 201)["id"]
    do("clash", "POST", "/Users", person(f"{tag}x", size) | {"emails": person(tag, size)["emails"]}, 409)
    group = do("create a group", "POST", "/Groups", {"displayName": "g", "externalId": tag, "members": others}, 201)["id"]
    do("get", "GET", f"/Users/{user}")
    do("get a group", "GET", f"/Groups/{group}")
    do("list", "GET", f"/Users?count={size}")
    do("list groups", "GET", f"/Groups?count={size}")
    do("sorted root", "GET", f"/?sortBy=displayName&count={size}")
    do("filter", "GET", f"/Users?filter={'%20or%20'.join(f'userName%20eq%20%22{tag}-{number}%22' for number in range(size))}")
    do("remove members", "PATCH", f"/Groups/{group}", patch("remove", "members", others), 204)
    do("add members", "PATCH", f"/Groups/{group}", patch("add", "members", others), 204)
    do("replace members", "PATCH", f"/Groups/{group}", patch("replace", "members", others[:1]), 204)
    do("replace a group", "PUT", f"/Groups/{group}", {"displayName": "g", "externalId": tag, "members": others})
    do("replace", "PUT", f"/Users/{user}", person(tag, size + 1))
    do("patch", "PATCH", f"/Users/{user}", patch("replace", "active", False))
    do("restore", "POST", "/Users", person(tag, size + 1), 201)
    do("delete a group", "DELETE", f"/Groups/{group}", status=204)
    for id_ in ids:
        assert ask("DELETE", f"/Users/{id_}").status == 204
    return found


@pytest.mark.parametrize("policies", ["recreate: restore", "recreate: restore, unknownMembers: pending, deleteAfter: 5"])
def test_request_is_as_many_statements_for_many_as_for_two(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policies: str
):
    (tmp_path / "entra.yaml").write_text(f"{PROFILE}\npolicies: {{{policies}}}\n")
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))
    served = app.extensions["scimsvc"].database
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}
    counted: list[str] = []
    execute = served.execute

    def counting(sql: str, parameters: Any) -> Any:
        counted.append(sql)
        return execute(sql, parameters)

    def ask(method: str, path: str, body: Any = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        return call(app, method, f"/api/scim/v2{path}".encode(), headers, data)

    monkeypatch.setattr(served, "execute", counting)
    # The first request looks the token up, and then who has it is known for a second.
    monkeypatch.setattr("scimsvc.service.authentication.TRUSTED_FOR", 3600.0)
    assert ask("GET", "/Users").status == 200
    few, many = (numbers_of_statements(ask, counted, size) for size in (2, 30))
    served.close()
    assert many == few
    assert max(few.values()) < 15, few
