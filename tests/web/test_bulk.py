"""Bulk requests: each operation for itself, and references between them in every direction."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimsvc.settings import DatabaseSettings, LimitsSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.client import Answer
from tests.support.errors import ERROR_URN, assert_scim_error
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
USERS = "http://scim.example.com/api/scim/v2/Users/"
Ask = Callable[..., Answer]


@pytest.fixture
def ask(app: Flask, database: Database) -> Ask:
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}
    return lambda method, path, body=None: call(
        app, method, f"/api/scim/v2{path}".encode(), headers, b"" if body is None else json.dumps(body).encode()
    )


def bulk(ask: Ask, *operations: Any, **more: Any) -> list[dict[str, Any]]:
    answer = ask("POST", "/Bulk", {"schemas": [REQUEST], "Operations": list(operations), **more})
    assert answer.status == 200, answer.raw
    assert answer.body["schemas"] == [RESPONSE]
    outcomes: list[dict[str, Any]] = answer.body["Operations"]
    for one in outcomes:
        assert (int(one["status"]) >= 400) == ("response" in one)
    return outcomes


def statuses(outcomes: list[dict[str, Any]]) -> list[str]:
    return [one["status"] for one in outcomes]


def user(name: str, **data: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name, **data}}


def group(name: str, *members: str, **data: Any) -> dict[str, Any]:
    value = {"displayName": name, "externalId": name, "members": [{"value": one} for one in members], **data}
    return {"method": "POST", "path": "/Groups", "bulkId": name, "data": value}


def members(ask: Ask, outcome: dict[str, Any]) -> set[str]:
    found = ask("GET", outcome["location"].partition("/v2")[2]).body
    return {one["display"] for one in found["members"]}


def test_all_methods_in_one_request(ask: Ask):
    (gone,) = bulk(ask, user("gone"))
    id_ = gone["location"].removeprefix(USERS)
    assert gone == {"method": "POST", "bulkId": "gone", "location": USERS + id_, "status": "201", "version": 'W/"1"'}
    outcomes = bulk(
        ask,
        {
            "method": "patch",
            "path": f"/Users/{id_}",
            "data": {"Operations": [{"op": "Replace", "path": "active", "value": "False"}]},
        },
        {"method": "PUT", "path": f"/users/{id_}", "version": 'W/"2"', "data": {"userName": "new", "active": True}},
        {"method": "PUT", "path": f"/Users/{id_}", "version": 'W/"2"', "data": {"userName": "newer"}},
        {"method": "DELETE", "path": f"/Users/{id_}", "version": 'W/"3"'},
        {"method": "DELETE", "path": f"/Users/{id_}", "bulkId": "again"},
    )
    assert statuses(outcomes) == ["200", "200", "412", "204", "404"]
    assert [one.get("version") for one in outcomes] == ['W/"2"', 'W/"3"', None, None, None]
    assert {one["location"] for one in outcomes} == {USERS + id_}
    assert outcomes[4]["bulkId"] == "again"
    assert outcomes[2]["response"]["schemas"] == [ERROR_URN]


def test_one_that_fails_leaves_the_others(ask: Ask):
    outcomes = bulk(ask, user("a"), user("b", userName="A"), user("c", active="maybe"), user("d"))
    assert statuses(outcomes) == ["201", "409", "400", "201"]
    assert outcomes[1]["response"]["scimType"] == "uniqueness"
    assert "location" not in outcomes[1]
    assert ask("GET", "/Users").body["totalResults"] == 2


def test_references_forwards_and_backwards(ask: Ask):
    outcomes = bulk(
        ask,
        group("before", "bulkId:a", "bulkId:nested"),
        user("a"),
        group("nested"),
        group("after", "bulkId:a"),
        {
            "method": "PATCH",
            "path": "/Groups/bulkId:nested",
            "data": {"Operations": [{"op": "add", "path": "members", "value": [{"value": "bulkId:a"}]}]},
        },
    )
    assert statuses(outcomes) == ["201", "201", "201", "201", "200"]
    assert [one.get("bulkId") for one in outcomes] == ["before", "a", "nested", "after", None]
    before = ask("GET", outcomes[0]["location"].partition("/v2")[2]).body
    assert {one["value"] for one in before["members"]} == {one["location"].rpartition("/")[2] for one in outcomes[1:3]}
    nested = ask("GET", outcomes[2]["location"].partition("/v2")[2]).body
    assert [one["value"] for one in nested["members"]] == [outcomes[1]["location"].rpartition("/")[2]]
    assert outcomes[4]["location"] == outcomes[2]["location"]


def test_reference_in_a_path_filter(ask: Ask):
    outcomes = bulk(
        ask,
        user("a"),
        group("g", "bulkId:a"),
        {
            "method": "PATCH",
            "path": "/Groups/bulkId:g",
            "data": {"Operations": [{"op": "remove", "path": 'members[value eq "bulkId:a"]'}]},
        },
    )
    assert statuses(outcomes) == ["201", "201", "200"]
    assert members(ask, outcomes[1]) == set()


def own_version(tag: str) -> str:
    return tag.split("-")[0].strip('"')


def test_circular_references_are_resolved(ask: Ask):
    """RFC 7644 §3.7.1: two groups that are members of each other; here also one that waits for them, and managers."""
    manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    outcomes = bulk(
        ask,
        group("waits", "bulkId:A"),
        group("A", "bulkId:B"),
        group("B", "bulkId:A", "bulkId:x"),
        user("x", **{manager: {"manager": {"value": "bulkId:y"}, "department": "D"}}),
        user("y", **{manager: {"manager": {"value": "bulkId:x"}}}),
    )
    assert statuses(outcomes) == ["201"] * 5
    ids = {one["bulkId"]: one["location"].rpartition("/")[2] for one in outcomes}
    assert members(ask, outcomes[0]) == {"A"}
    assert members(ask, outcomes[1]) == {"B"}
    assert {one["value"] for one in ask("GET", f"/Groups/{ids['B']}").body["members"]} == {ids["A"], ids["x"]}
    assert ask("GET", f"/Users/{ids['x']}").body[manager] == {"manager": {"value": ids["y"]}, "department": "D"}
    assert ask("GET", f"/Users/{ids['y']}").body[manager]["manager"]["value"] == ids["x"]
    for one in outcomes:
        # A user's tag also has a digest of the groups, of which there were fewer then.
        found = ask("GET", one["location"].partition("/v2")[2]).body["meta"]["version"]
        assert own_version(found) == own_version(one["version"])


def test_what_can_not_be_resolved_leaves_nothing(ask: Ask):
    outcomes = bulk(
        ask, group("a", "bulkId:nobody"), group("b", "bulkId:a"), user("ok"), group("c", "bulkId:bad"), user("bad", active=5)
    )
    assert statuses(outcomes) == ["409", "409", "201", "409", "400"]
    assert "bulkId nobody: no operation" in outcomes[0]["response"]["detail"]
    assert ask("GET", "/Groups").body["totalResults"] == 0


def test_circle_that_can_not_be_closed_is_taken_back(ask: Ask):
    outcomes = bulk(ask, group("A", "bulkId:B"), group("B", "bulkId:A", "bulkId:bad"), user("bad", active=5))
    assert statuses(outcomes) == ["409", "409", "400"]
    outcomes = bulk(ask, group("A", "bulkId:B"), group("B", "bulkId:A", "no such member"))
    assert statuses(outcomes) == ["409", "400"]
    assert ask("GET", "/Groups").body["totalResults"] == 0


def test_failures_stop_the_request_where_that_is_asked_for(ask: Ask):
    operations = [user("a"), user("b", active=5), user("c"), user("d", active=5), user("e")]
    assert statuses(bulk(ask, *operations, failOnErrors=1)) == ["201", "400"]
    assert statuses(bulk(ask, *operations[1:], failOnErrors=2)) == ["400", "201", "400"]
    assert statuses(bulk(ask, group("A", "bulkId:B"), group("B", "bulkId:A"), failOnErrors=1)) == ["201", "201"]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (5, "must be an object"),
        ({}, "method must be one of POST, PUT, PATCH, DELETE."),
        ({"method": "GET", "path": "/Users"}, "method must be one of"),
        ({"method": ["POST"], "path": "/Users"}, "method must be one of"),
        ({"method": "POST", "path": 5, "data": {}}, "path must be an endpoint"),
        ({"method": "POST", "path": "", "data": {}}, "path must be an endpoint"),
        ({"method": "POST", "path": "/Users/1/2", "data": {}}, "path must be an endpoint"),
        ({"method": "POST", "path": "/Users?x", "data": {}}, "path must be an endpoint"),
        ({"method": "POST", "path": "/Users/1", "data": {}}, "The path of a POST must be an endpoint"),
        ({"method": "DELETE", "path": "/Users"}, "The path of a DELETE must be that of a resource"),
        ({"method": "POST", "path": "/Nope", "data": {}}, "There is no endpoint /nope"),
        ({"method": "POST", "path": "/Bulk", "data": {}}, "There is no endpoint /bulk"),
        ({"method": "POST", "path": "/Users"}, "A POST needs `data`"),
        ({"method": "PATCH", "path": "/Users/1", "data": []}, "A PATCH needs `data`"),
        ({"method": "POST", "path": "/Users", "bulkId": 5, "data": {}}, "bulkId must be a text"),
        ({"method": "PUT", "path": "/Users/1", "version": 5, "data": {}}, "version must be the text"),
        ({"method": "POST", "path": "/Users", "data": {}}, "userName"),
    ],
)
def test_operation_that_is_wrong_is_that_ones_problem(ask: Ask, operation: Any, message: str):
    wrong, right = bulk(ask, operation, user("a"))
    assert wrong["status"] in ("400", "404")
    assert message in wrong["response"]["detail"]
    assert right["status"] == "201"


def test_a_bulk_id_is_given_once(ask: Ask):
    outcomes = bulk(ask, user("a"), {**user("b"), "bulkId": "a"}, group("g", "bulkId:a"))
    assert statuses(outcomes) == ["201", "400", "201"]
    assert "has the bulkId 'a'" in outcomes[1]["response"]["detail"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"Operations": {}},
        {"schemas": ["urn:x"], "Operations": []},
        {"schemas": [], "Operations": []},
        {"schemas": [REQUEST, "urn:x"], "Operations": []},
        {"schemas": REQUEST, "Operations": []},
        {"Operations": [], "failOnErrors": -1},
        {"Operations": [], "failOnErrors": True},
        {"Operations": [], "failOnErrors": "1"},
    ],
)
def test_request_that_is_wrong_is_refused(ask: Ask, body: Any):
    assert_scim_error(ask("POST", "/Bulk", body), 400)


@pytest.mark.parametrize("schemas", [[REQUEST], [REQUEST.lower()], None])
def test_the_kind_of_a_request_is_found_in_any_case(ask: Ask, schemas: Any):
    assert ask("POST", "/Bulk", {"schemas": schemas, "Operations": []}).status == 200


def test_no_more_operations_than_announced(settings: Settings, database: Database):
    few = replace(settings, limits=LimitsSettings(bulk_operations=2), database=DatabaseSettings(database.url))
    app = create_app(few)
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}

    def send(*operations: Any) -> Answer:
        return call(app, "POST", b"/api/scim/v2/Bulk", headers, json.dumps({"Operations": operations}).encode())

    assert send(user("a"), user("b")).status == 200
    assert_scim_error(send(user("c"), user("d"), user("e")), 413)
    config = call(app, "GET", b"/api/scim/v2/ServiceProviderConfig", headers).body
    assert config["bulk"] == {"supported": True, "maxOperations": 2, "maxPayloadSize": 2097152}
    assert call(app, "GET", b"/api/scim/v2/Users", headers).body["totalResults"] == 2
    app.extensions["scimsvc"].database.close()


def patch(path: str, *operations: Any) -> dict[str, Any]:
    found = [dict(zip(("op", "path", "value"), one, strict=False)) for one in operations]
    return {"method": "PATCH", "path": path, "data": {"Operations": found}}


def delete(path: str) -> dict[str, Any]:
    return {"method": "DELETE", "path": path}


def path_of(outcome: dict[str, Any]) -> str:
    return str(outcome["location"].partition("/v2")[2])


MANAGER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
CIRCLE = [group("a", "bulkId:b"), group("b", "bulkId:a")]


@pytest.mark.parametrize(
    ("later", "status", "name", "of_a", "of_b"),
    [
        (patch("/Groups/bulkId:a", ("replace", "displayName", "new")), "200", "new", {"b"}, {"new"}),
        (patch("/Groups/bulkId:a", ("add", "members", [{"value": "bulkId:u"}])), "200", "a", {"b", "u"}, {"a"}),
        (patch("/Groups/bulkId:a", ("remove", "members")), "200", "a", set(), {"a"}),
        ({"method": "PUT", "path": "/Groups/bulkId:a", "data": {"displayName": "put"}}, "200", "put", set(), {"put"}),
        (delete("/Groups/bulkId:a"), "204", None, None, set()),
    ],
)
def test_what_comes_after_a_circle_is_done_after_it(ask: Ask, later: Any, status: str, name: Any, of_a: Any, of_b: Any):
    outcomes = bulk(ask, *CIRCLE, later, user("u", displayName="u"))
    assert statuses(outcomes) == ["201", "201", status, "201"]
    found = ask("GET", path_of(outcomes[0])).body
    if name is None:
        assert found["status"] == "404"
    else:
        assert (found["displayName"], members(ask, outcomes[0])) == (name, of_a)
    assert members(ask, outcomes[1]) == of_b


def test_a_circle_is_completed_by_what_was_missing_alone(ask: Ask):
    urn, _, _ = MANAGER.rpartition(":")
    more = {"roles": [{"value": "bulkId:g"}, {"value": "r"}], urn: {"department": "D", "manager": {"value": "bulkId:g"}}}
    first = user("x", displayName="x", **more)
    outcomes = bulk(ask, first, group("g", "bulkId:x", "bulkId:y"), user("y", displayName="y"))
    assert statuses(outcomes) == ["201"] * 3
    id_ = path_of(outcomes[1]).rpartition("/")[2]
    found = ask("GET", path_of(outcomes[0])).body
    assert found[urn] == {"department": "D", "manager": {"value": id_}}
    assert found["roles"] == [{"value": "r"}, {"value": id_}]
    assert members(ask, outcomes[1]) == {"x", "y"}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        # A PATCH whose reference is created later is done before the PATCH behind it.
        (
            [
                group("g"),
                patch("/Groups/bulkId:g", ("add", "members", [{"value": "bulkId:u"}])),
                patch("/Groups/bulkId:g", ("remove", "members")),
                user("u"),
            ],
            {"g": set()},
        ),
        # A group is created before the DELETE behind it.
        ([group("g", "bulkId:m", "bulkId:n"), user("m", displayName="m"), user("n"), delete("/Users/bulkId:n")], {"g": {"m"}}),
        # The first of two with one externalId is created, though it refers to what comes last.
        ([group("g1", "bulkId:u", externalId="E"), group("g2", externalId="E"), user("u", displayName="u")], {"g1": {"u"}}),
        # What is needed at once is created in the order of the request.
        (
            [group("g", "bulkId:h2", "bulkId:h1"), group("h1", externalId="E"), group("h2", externalId="E")],
            {"h1": set()},
        ),
        # Nothing is moved for what can't be done anyway.
        (
            [group("x", "bulkId:u", "bulkId:nobody"), group("g", externalId="E"), group("u", externalId="E")],
            {"g": set()},
        ),
        # A create that nobody needs stays where it is.
        ([group("g", externalId="E"), delete("/Groups/bulkId:g"), group("h", externalId="E")], {"h": set()}),
        # In a circle the first comes first, and its reference to itself is none to wait for.
        ([group("a", "bulkId:a", "bulkId:b", externalId="E"), group("b", "bulkId:a", externalId="E")], {}),
    ],
)
def test_the_result_is_that_of_the_order_of_the_request(ask: Ask, operations: list[Any], expected: dict[str, set[str]]):
    bulk(ask, *operations)
    found = ask("GET", "/Groups").body["Resources"]
    assert {one["displayName"]: {member["display"] for member in one["members"]} for one in found} == expected


TEAM = {
    "id": "urn:example:2.0:Team",
    "attributes": [
        {"name": "boss", "type": "reference", "referenceTypes": ["Team"], "required": True},
        {"name": "peers", "type": "reference", "referenceTypes": ["Team"], "multiValued": True},
    ],
}


def test_a_circle_begins_where_nothing_that_is_required_is_missing(settings: Settings, database: Database, tmp_path: Path):
    (tmp_path / "entra.yaml").write_text((ROOT / "mappings" / "entra.yaml").read_text() + "\ndocuments: [teams.json]\n")
    types = [{"name": "Team", "endpoint": "/Teams", "schema": TEAM["id"]}]
    (tmp_path / "teams.json").write_text(json.dumps({"Schemas": [TEAM], "ResourceTypes": types}))
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}

    def ask(method: str, path: str, body: Any = None) -> Answer:
        return call(app, method, f"/api/scim/v2{path}".encode(), headers, b"" if body is None else json.dumps(body).encode())

    def team(name: str, boss: str, *peers: str) -> dict[str, Any]:
        value = {"boss": f"/Teams/bulkId:{boss}", "peers": [f"bulkId:{one}" for one in peers]}
        return {"method": "POST", "path": "/Teams", "bulkId": name, "data": value}

    outcomes = bulk(ask, team("a", "b"), team("b", "d", "c", "d"), team("c", "a"), team("d", "e"), team("e", "e"))
    assert statuses(outcomes) == ["409"] * 5
    assert "required" in outcomes[4]["response"]["detail"]
    assert ask("GET", "/Teams").body["totalResults"] == 0
    first = {"method": "POST", "path": "/Teams", "bulkId": "d", "data": {"boss": "none", "peers": ["bulkId:e"]}}
    below = [team("e", "d", "f"), team("f", "e")]
    outcomes = bulk(ask, team("a", "b"), team("b", "d", "c", "d"), team("c", "a"), first, *below)
    assert statuses(outcomes) == ["201"] * 6
    a, b, c, d, *_ = (path_of(one).rpartition("/")[2] for one in outcomes)
    found = [ask("GET", f"/Teams/{id_}").body for id_ in (a, b, c)]
    assert [one["boss"] for one in found] == [f"/Teams/{b}", f"/Teams/{d}", f"/Teams/{a}"]
    assert set(found[1]["peers"]) == {c, d}
    app.extensions["scimsvc"].database.close()


def test_what_depends_on_a_circle_that_fails_says_so(ask: Ask):
    """`c` is there with a reference to `a`, which waits for `b`, when `b` turns out to be impossible."""
    operations = [
        group("a", "bulkId:b"),
        group("b", "bulkId:c", "no such member"),
        group("c", "bulkId:a"),
        patch("/Groups/bulkId:c", ("replace", "displayName", "x")),
        user("u"),
    ]
    outcomes = bulk(ask, *operations)
    assert statuses(outcomes) == ["409", "400", "409", "409", "201"]
    assert "location" not in outcomes[2] | outcomes[3]
    assert ask("GET", "/Groups").body["totalResults"] == 0
    assert statuses(bulk(ask, *operations, failOnErrors=1)) == ["409", "400", "409"]
    assert ask("GET", "/Groups").body["totalResults"] == 0


def test_chains_and_circles_may_be_as_long_as_a_request(ask: Ask):
    chain = [group(f"g{n}", f"bulkId:g{(n + 1) % 1000}") for n in range(1000)]
    outcomes = bulk(ask, *chain)
    assert set(statuses(outcomes)) == {"201"}
    assert [members(ask, outcomes[n]) for n in (0, 998, 999)] == [{"g1"}, {"g999"}, {"g0"}]


@pytest.mark.parametrize(
    "operation",
    [
        user("x", displayName="bulkId:foo"),
        user("x", displayName='say "bulkId:foo"', title="bulkId:u"),
        user("x", externalId="bulkId:x", emails=[{"value": "bulkId:foo", "type": "work"}]),
        user("x", profileUrl="bulkId:foo", groups=[{"value": "bulkId:foo"}], roles=[{"value": "bulkId:foo"}]),
        patch("/Users/bulkId:u", ("replace", "displayName", "bulkId:foo"), ("add", 'emails[type eq "bulkId:foo"].value', "a@x")),
        patch("/Users/bulkId:u", ("replace", None, {"displayName": "bulkId:foo"})),
        {"method": "PUT", "path": "/Users/bulkId:u", "data": {"userName": "u", "displayName": "bulkId:foo"}},
        {"method": "DELETE", "path": "/Users/bulkId:u", "data": {"members": [{"value": "bulkId:foo"}]}},
    ],
)
def test_a_text_that_is_no_reference_is_a_text(ask: Ask, operation: Any):
    outcomes = bulk(ask, operation, user("u"))
    assert int(outcomes[0]["status"]) < 300, outcomes
    if operation["method"] == "POST":
        found = ask("GET", path_of(outcomes[0])).body
        assert {name: found[name] for name in operation["data"] if name != "groups"} == {
            name: value for name, value in operation["data"].items() if name != "groups"
        }


@pytest.mark.parametrize("name", ["", "later", "itself", "failed"])
@pytest.mark.parametrize(
    "operation",
    [
        group("x", "bulkId:{}"),
        patch("/Groups/bulkId:g", ("add", "members", [{"value": "bulkId:{}"}])),
        patch("/Groups/bulkId:g", ("add", None, {"members": [{"value": "bulkId:{}"}]})),
        patch("/Groups/bulkId:g", ("remove", 'members[value eq "x" or not (value eq "bulkId:{}")]')),
        patch("/Groups/bulkId:g", ("Remove", "members", [{"value": "bulkId:{}"}])),
        patch("/Users/bulkId:u", ("Add", "manager", "bulkId:{}")),
        {"method": "PUT", "path": "/Users/bulkId:u", "data": {"userName": "u", "manager": {"value": "bulkId:{}"}}},
        delete("/Users/bulkId:{}"),
    ],
)
def test_a_reference_to_what_nothing_creates_is_409(ask: Ask, operation: Any, name: str):
    """Only a POST gives a bulkId a meaning, not a PUT or PATCH with one, be it the operation itself."""
    own = "x" if operation["method"] == "POST" else "itself"
    sent = {**json.loads(json.dumps(operation).replace("{}", name or "nobody")), "bulkId": own}
    later = {"bulkId": "later", **patch("/Users/bulkId:u", ("replace", "title", "t"))}
    outcomes = bulk(ask, sent, user("u"), group("g"), later, user("failed", active=5))
    assert statuses(outcomes) == ["409", "201", "201", "200", "400"]
    assert "bulkId" not in outcomes[0].get("location", "")


def test_uris_of_references_are_resolved(ask: Ask):
    urn, _, _ = MANAGER.rpartition(":")
    outcomes = bulk(
        ask,
        user("a", **{urn: {"manager": {"value": "bulkId:b", "$ref": "../Users/bulkId:b"}}}),
        user("b"),
        user("c", profileUrl="https://example.com/bulkId:b"),
    )
    id_ = path_of(outcomes[1]).rpartition("/")[2]
    # The URI of a manager is the service provider's matter.
    assert ask("GET", path_of(outcomes[0])).body[urn] == {"manager": {"value": id_}}
    assert ask("GET", path_of(outcomes[2])).body["profileUrl"] == f"https://example.com/{id_}"


def test_outcomes_say_what_they_are_of(ask: Ask):
    outcomes = bulk(
        ask,
        {"method": "Get", "path": "/Users"},
        {"method": "x" * 1000, "path": "/Users"},
        {"method": 5, "path": "/Users"},
        patch("/Groups/bulkId:g", ("replace", "displayName", "x")),
        patch("/Users/nobody", ("add", "members", [{"value": "bulkId:g"}])),
        {"method": "POST", "path": "/Nope", "bulkId": "n", "data": {}},
    )
    assert [one.get("method") for one in outcomes] == ["Get", "x" * 64, None, "PATCH", "PATCH", "POST"]
    assert [one.get("location") for one in outcomes] == [None, None, None, None, f"{USERS}nobody", None]
    assert "there are /Users, /Groups." in outcomes[5]["response"]["detail"]


@pytest.mark.parametrize(
    ("id_", "location"),
    [
        ("%00%2f%ff é%3f%23", f"{USERS}%00%2F%EF%BF%BD%20%C3%A9%3F%23"),
        ("a%0d%0aLocation:x", f"{USERS}a%0D%0ALocation%3Ax"),
        ("x" * 256, f"{USERS}{'x' * 256}"),
        ("x" * 257, None),
        ("x" * 100_000, None),
    ],
)
def test_location_is_a_uri(ask: Ask, id_: str, location: str | None):
    (outcome,) = bulk(ask, delete(f"/Users/{id_}"))
    assert (outcome["status"], outcome.get("location")) == ("404", location)
    assert len(json.dumps(outcome)) < 2000


NAMES = st.sampled_from("abcd")
REFERENCES = st.lists(NAMES.map(lambda name: f"bulkId:{name}"), max_size=3, unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, REFERENCES), max_size=4, unique_by=lambda one: one[0]))
def test_groups_refer_to_each_other_in_any_way(ask: Ask, wanted: list[tuple[str, list[str]]]):
    for one in ask("GET", "/Groups").body["Resources"]:
        ask("DELETE", f"/Groups/{one['id']}")
    names = {name for name, _ in wanted}
    good = dict(wanted)
    # Whoever refers to one that is not made is not made either.
    while any(not {one[7:] for one in references} <= good.keys() for references in good.values()):
        good = {name: references for name, references in good.items() if {one[7:] for one in references} <= good.keys()}
    outcomes = bulk(ask, *(group(name, *references) for name, references in wanted))
    assert {one["bulkId"] for one in outcomes} == names
    assert {one["bulkId"] for one in outcomes if one["status"] == "201"} == good.keys()
    stored = {one["displayName"]: {m["display"] for m in one["members"]} for one in ask("GET", "/Groups").body["Resources"]}
    assert stored == {name: {one[7:] for one in references} for name, references in good.items()}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=6)
    | st.sampled_from(["bulkId:a", "bulkId:", "/Users", "POST"]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["method", "path", "data", "bulkId", "version", "value"]), below)
    ),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON | st.fixed_dictionaries({"Operations": st.lists(JSON, max_size=4)}))
def test_no_body_gives_500(ask: Ask, body: Any):
    answer = ask("POST", "/Bulk", body)
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert "500" not in statuses(answer.body["Operations"])
