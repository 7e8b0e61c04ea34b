"""Values in requests: one that is not understood is refused and takes nothing away; one that can mean one thing alone is read."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scimsvc.schema.core import ENTERPRISE_USER_URN as ENT
from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

CUS = "urn:ietf:params:scim:schemas:extension:custom:2.0:User"
CUSTOM = {
    "tags": "{type: String, multiValued: true}",
    "numbers": "{type: Integer, multiValued: true}",
    "flags": "{type: Boolean, multiValued: true}",
    "badge": "{type: Integer}",
    "since": "{type: DateTime}",
    "contractor": "{type: Boolean}",
}
Ask = Callable[..., Answer]


@pytest.fixture
def ask(database: Database, tmp_path: Path) -> Any:
    """Requests to the application in this process; the tenant's profile is `entra` with custom attributes."""
    rows = [f"    - {{name: '{CUS}:{name}', {rest[1:]}" for name, rest in CUSTOM.items()]
    profile = (ROOT / "mappings" / "entra.yaml").read_text()
    (tmp_path / "entra.yaml").write_text(profile.replace("attributes: []", "attributes:\n" + "\n".join(rows) + "\n   "))
    settings = replace(Settings(), database=DatabaseSettings(database.url), mappings=MappingsSettings(tmp_path))
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant')}"}

    def send(method: str, path: str, body: Any = None) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return call(app, method, f"/api/scim/v2{path}".encode(), headers, data)

    yield send
    app.extensions["scimsvc"].database.close()


def made(ask: Ask, endpoint: str, body: dict[str, Any]) -> str:
    answer = ask("POST", endpoint, body)
    assert answer.status == 201, answer.raw
    return f"{endpoint}/{answer.body['id']}"


def stored(ask: Ask, path: str) -> dict[str, Any]:
    shown: dict[str, Any] = ask("GET", path).body
    return {name: value for name, value in shown.items() if name not in ("schemas", "id", "meta", "userName")}


def patched(ask: Ask, path: str, *operations: Any) -> Answer:
    return ask("PATCH", path, {"Operations": list(operations)})


def every_way(ask: Ask, path: str, name: str, value: Any) -> dict[str, Answer]:
    """The answers to all requests that set an attribute of a resource to a value; a create is of another resource."""
    endpoint = path.split("/")[1]
    whole = {"displayName": "g"} if endpoint == "Groups" else {"userName": "other"}
    urn, _, attribute = name.rpartition(":")
    body = {urn: {attribute: value}} if urn else {attribute: value}
    operations = [
        {"op": op, **rest}
        for op in ("add", "Replace")
        for rest in ({"path": name, "value": value}, {"value": body}, {"value": {name: value}})
    ]
    answers = {f"PATCH {one}": patched(ask, path, one) for one in operations}
    answers["PUT"] = ask("PUT", path, whole | body)
    answers["POST"] = ask("POST", f"/{endpoint}", whole | body)
    sent = [("PATCH", path, {"Operations": [operations[0]]}), ("PUT", path, whole | body), ("POST", f"/{endpoint}", whole | body)]
    bulk = ask("POST", "/Bulk", {"Operations": [{"method": m, "path": p, "data": d, "bulkId": m} for m, p, d in sent]})
    for outcome in bulk.body["Operations"]:
        answers[f"bulk {outcome['method']}"] = Answer(int(outcome["status"]), {}, json.dumps(outcome.get("response")).encode())
    return answers


USER: dict[str, Any] = {
    "name": {"givenName": "Ann", "familyName": "Lee"},
    "emails": [{"type": "work", "value": "a@x.com", "primary": True}],
    "addresses": [{"type": "work", "country": "NG"}],
    "roles": [{"value": "admin"}],
    ENT: {"department": "R&D", "manager": {"value": "1"}},
    CUS: {"tags": ["x"], "badge": 7},
}
NOT_UNDERSTOOD: list[tuple[str, Any, str]] = [
    ("emails", [{"address": "n@x.com"}], "emails[0] has the unknown key 'address'"),
    ("emails", {"address": "n@x.com"}, "emails[0] has the unknown key 'address'"),
    ("emails", [{"value": "b@x.com"}, {"valu": "c@x.com"}], "emails[1] has the unknown key 'valu', did you mean 'value'?"),
    ("emails", [{}], "emails[0] has no value; at least one of value, display, type, primary is required"),
    ("emails", {}, "emails[0] has no value"),
    ("emails", [{"value": None}], "emails[0] has no value"),
    ("emails", [{"type": "", "value": ""}], "emails[0] has no value"),
    ("emails", {"work": "a@x.com"}, "emails[0] has the unknown key 'work'"),
    ("emails", [None], "emails[0] must be an object"),
    ("addresses", [{"city": "Lagos"}], "addresses[0] has the unknown key 'city'"),
    ("addresses", "Lagos", "addresses[0] must be an object"),
    ("roles", [{"id": "1"}], "roles[0] has the unknown key 'id'"),
    ("photos", [{"url": "https://x"}], "photos[0] has the unknown key 'url'"),
    ("name", {"first": "x"}, "name has the unknown key 'first'"),
    ("name", {"famlyName": "x"}, "did you mean 'familyName'?"),
    ("name", [{"first": "x"}], "name has the unknown key 'first'"),
    ("name", "x", "name must be an object"),
    ("title", [None], "title must be a string, not an array"),
    ("title", {"text": "x"}, "title must be a string, not an object"),
    ("active", {"enabled": True}, "active must be true or false, not an object"),
    (f"{ENT}:manager", {"id": "2"}, f"{ENT}:manager has the unknown key 'id'"),
    (f"{ENT}:manager", {"displayName": "Bob"}, f"{ENT}:manager has only displayName, which only the server writes"),
    (f"{CUS}:tags", [{"name": "y"}], f"{CUS}:tags[0] must be a string, not an object"),
    (f"{CUS}:tags", [None], f"{CUS}:tags[0] must be a string, not null"),
]


@pytest.mark.parametrize(("name", "value", "message"), NOT_UNDERSTOOD)
def test_value_that_is_not_understood_is_refused_and_changes_nothing(ask: Ask, name: str, value: Any, message: str):
    path = made(ask, "/Users", {"userName": "ann", **USER})
    before = ask("GET", path).raw
    for way, answer in every_way(ask, path, name, value).items():
        assert answer.status == 400, (way, answer.raw)
        assert answer.body["scimType"] == "invalidValue"
        assert message in answer.body["detail"], (way, answer.body["detail"])
        assert ask("GET", path).raw == before, way
    assert ask("GET", "/Users").body["totalResults"] == 1


@pytest.mark.parametrize(
    "value",
    [
        [{"id": "{ann}"}],
        [{"value": "{ann}"}, {"id": "{bob}"}],
        [{"Id": "{ann}"}, {"value": "{bob}"}],
        {"id": "{ann}"},
        {"members": [{"value": "{bob}"}]},
        [{}],
        {},
        [{"value": None}],
        [{"value": ""}],
        {"value": None},
        [""],
        [None],
        [{"display": "Ann"}],
        [{"$ref": "https://x/Users/{ann}"}],
        [{"type": "User"}],
        [["{bob}"]],
        "no-such-id",
        False,
    ],
)
def test_mistake_in_members_never_empties_a_group(ask: Ask, value: Any):
    ids = {name: made(ask, "/Users", {"userName": name}).rpartition("/")[2] for name in ("ann", "bob")}
    sent = json.loads(json.dumps(value).replace("{ann}", ids["ann"]).replace("{bob}", ids["bob"]))
    path = made(ask, "/Groups", {"displayName": "staff", "members": [{"value": ids["ann"]}]})
    before = ask("GET", path).raw
    for way, answer in every_way(ask, path, "members", sent).items():
        assert answer.status == 400, (way, answer.raw)
        assert answer.body["scimType"] == "invalidValue"
        assert "members" in answer.body["detail"]
        assert ask("GET", path).raw == before, way
    assert ask("GET", "/Groups").body["totalResults"] == 1


@pytest.mark.parametrize(
    ("path", "before"),
    [
        ("members", None),
        *((name, value) for name, value in USER.items() if name not in (ENT, CUS)),
        *((f"{urn}:{name}", value) for urn in (ENT, CUS) for name, value in USER[urn].items()),
        ('emails[type eq "work"].value', ...),
        ('emails[type eq "work"]', ...),
        ("name.givenName", ...),
        (ENT, ...),
        (None, ...),
    ],
)
@pytest.mark.parametrize("op", ["add", "Replace", "remove"])
@pytest.mark.parametrize("member", [None, "values", "val", "members", "data"])
def test_operation_without_value_takes_nothing_away(ask: Ask, op: str, path: str | None, before: Any, member: str | None):
    if op == "remove" and member is None:
        pytest.skip("a remove has no value")
    if path == "members":
        ann = made(ask, "/Users", {"userName": "ann"}).rpartition("/")[2]
        resource = made(ask, "/Groups", {"displayName": "staff", "members": [{"value": ann}]})
    else:
        resource = made(ask, "/Users", {"userName": "ann", **USER})
    was = ask("GET", resource).raw
    operation = {"op": op} | ({"path": path} if path else {}) | ({member: [{"value": "x"}]} if member else {})
    answer = patched(ask, resource, operation)
    assert_scim_error(answer, 400, "invalidValue")
    assert "value" in answer.body["detail"]
    assert not member or f"The member {member!r} is unknown" in answer.body["detail"]
    assert ask("GET", resource).raw == was


def test_operation_has_its_value_in_any_case_and_may_have_a_name(ask: Ask):
    path = made(ask, "/Users", {"userName": "ann", **USER})
    assert patched(ask, path, {"OP": "replace", "Path": "title", "VALUE": "Boss", "name": "x"}).body["title"] == "Boss"
    assert "title" not in patched(ask, path, {"op": "remove", "path": "title", "name": "x", "comment": None}).body


@pytest.mark.parametrize("nothing", [[], None, ""])
@pytest.mark.parametrize("name", ["emails", "addresses", "roles", f"{CUS}:tags", "name", "title", f"{ENT}:manager"])
def test_nothing_removes_what_is_optional(ask: Ask, name: str, nothing: Any):
    urn, _, attribute = name.rpartition(":")
    for way in ("path", "dotted", "object", "PUT"):
        path = made(ask, "/Users", {"userName": f"{name}{way}"[-60:], "title": "Boss", **USER})
        body = {urn: {attribute: nothing}} if urn else {attribute: nothing}
        operations = {
            "path": {"op": "replace", "path": name, "value": nothing},
            "dotted": {"op": "replace", "value": {name: nothing}},
            "object": {"op": "replace", "value": body},
        }
        if way == "PUT":
            answer = ask("PUT", path, {"userName": f"{name}{way}"[-60:], **USER, **body})
        else:
            answer = patched(ask, path, operations[way])
        assert answer.status == 200, (way, answer.raw)
        assert attribute not in (answer.body.get(urn, {}) if urn else answer.body), way


def test_known_keys_beside_unknown_ones_are_kept(ask: Ask):
    role = {"id": "1", "value": "admin", "displayName": "Admin"}
    path = made(ask, "/Users", {"userName": "ann", "roles": [role], "name": {"givenName": "A", "first": "x"}})
    assert stored(ask, path) == {"roles": [{"value": "admin", "display": "Admin"}], "name": {"givenName": "A"}}
