"""What a client may send at once are settings; more is answered with tooMany, and nothing is stored."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from scimsvc.settings import DatabaseSettings, LimitsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.store.resources import ResourceStore
from scimsvc.store.tenants import ACCOUNTS
from scimsvc.web.app import create_app
from tests.store.test_errors import ENDLESS
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import new_token
from tests.support.wsgi import call

Ask = Callable[..., Answer]
TITLE = {"op": "replace", "path": "title", "value": "x"}


@pytest.fixture
def ask(settings: Settings, database: Database) -> Iterator[Ask]:
    few = LimitsSettings(patch_operations=2, members=2, filter_length=8192, filter_scans=2, listed_members=3)
    app = create_app(replace(settings, limits=few, database=DatabaseSettings(database.url)))
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}
    yield lambda method, path, body=None: call(
        app, method, f"/api/scim/v2{path}".encode(), headers, b"" if body is None else json.dumps(body).encode()
    )
    app.extensions["scimsvc"].database.close()


def test_operations_of_a_patch(ask: Ask):
    path = "/Users/" + ask("POST", "/Users", {"userName": "a"}).body["id"]
    assert ask("PATCH", path, {"Operations": [TITLE] * 2}).status == 200
    answer = ask("PATCH", path, {"OPERATIONS": [TITLE] * 3})
    assert_scim_error(answer, 400, "tooMany")
    assert answer.body["detail"] == (
        "A PATCH may have 2 operations, and each name in a value without path is one; this one has 3. Send several."
    )
    assert ask("PATCH", path, {"Operations": [{"op": "replace", "value": {"title": "x", "nickName": "y"}}]}).status == 200
    for operations in (
        [{"op": "replace", "value": {"title": "x", "nickName": "y", "displayName": "z"}}],
        [TITLE, {"OP": "replace", "Value": {"title": "x", "nickName": "y"}}],
    ):
        assert_scim_error(ask("PATCH", path, {"Operations": operations}), 400, "tooMany")
    outcome = ask("POST", "/Bulk", {"Operations": [{"method": "PATCH", "path": path, "data": {"Operations": [TITLE] * 3}}]})
    assert outcome.body["Operations"][0]["response"]["scimType"] == "tooMany"


@pytest.mark.parametrize(
    "body",
    [
        {"userName": "a", "emails": [[]] * 50_001},
        {"userName": "a", "emails": [{}] * 25_000, "roles": [""] * 25_001},
        {"userName": "a", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"x": [5] * 50_001}},
        {"userName": "a", **{f"n{number}": number for number in range(5000)}},
        {"Operations": [{"op": "add", "path": "emails", "value": [[]] * 50_001}]},
        {"Operations": [{"op": "remove", "value": {"emails": [[]] * 50_001}}]},
        {"Operations": [{"op": "remove", "path": f"emails[{'(' * 33_000}"}] * 2},
        {"Operations": [{"op": "remove", "path": "emails[" + " or ".join(['type eq "x"'] * 4500)}] * 2},
    ],
)
def test_what_takes_long_to_read(ask: Ask, body: dict[str, Any]):
    method = "PATCH" if "Operations" in body else "PUT"
    path = "/Users/" + ask("POST", "/Users", {"userName": "a"}).body["id"]
    assert_scim_error(ask(method, path, body), 400, "tooMany")
    if method == "PUT":
        assert_scim_error(ask("POST", "/Users", body), 400, "tooMany")
    bulk = ask("POST", "/Bulk", {"Operations": [{"method": method, "path": path, "data": body}]})
    found = bulk if bulk.status == 400 else bulk.body["Operations"][0]["response"]
    assert (found.body if bulk.status == 400 else found)["scimType"] == "tooMany"


def test_what_takes_long_to_read_in_many_operations(ask: Ask):
    path = "/Users/" + ask("POST", "/Users", {"userName": "a"}).body["id"]
    put = {"method": "PUT", "path": path, "data": {"userName": "a", "emails": [[]] * 1000}}
    assert_scim_error(ask("POST", "/Bulk", {"Operations": [put] * 51}), 400, "tooMany")
    long = {"op": "remove", "path": f'emails[value eq "{"x" * 1000}"]'}
    patch = {"method": "PATCH", "path": path, "data": {"Operations": [long, long]}}
    assert_scim_error(ask("POST", "/Bulk", {"Operations": [patch] * 40}), 400, "tooMany")
    assert ask("POST", "/Bulk", {"Operations": [patch] * 30}).status == 200


def test_mistakes_in_values_are_no_more_than_are_shown(ask: Ask):
    answer = ask("POST", "/Users", {"userName": "a", "emails": [[]] * 40_000})
    assert_scim_error(answer, 400, "invalidValue")
    assert "emails[9] must be an object" in answer.body["detail"]
    assert answer.body["detail"].endswith("; and more.")


def test_members_of_a_request(ask: Ask):
    ids = [ask("POST", "/Users", {"userName": name}).body["id"] for name in "abc"]
    two, three = [{"value": one} for one in ids[:2]], [{"value": one} for one in ids]
    group = ask("POST", "/Groups", {"displayName": "g", "members": two})
    assert group.status == 201
    path = f"/Groups/{group.body['id']}"
    assert_scim_error(ask("POST", "/Groups", {"displayName": "h", "Members": three}), 400, "tooMany")
    assert_scim_error(ask("PUT", path, {"displayName": "h", "members": three}), 400, "tooMany")
    for operations in (
        [{"op": "add", "path": "members", "value": three}],
        [{"op": "remove", "path": "MEMBERS", "value": three}],
        [{"op": "add", "value": {"members": three}}],
        [{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": three}],
        [{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group.members", "value": three}],
        [{"op": "add", "path": " Members", "value": three}],
        [{"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:Group:members": three}}],
        [{"op": "add", "value": {"members": [], "Members": three}}],
        [{"op": "add", "path": "members", "value": two}, {"op": "add", "path": "members", "value": two[:1]}],
    ):
        assert_scim_error(ask("PATCH", path, {"Operations": operations}), 400, "tooMany")
    assert len(ask("GET", path).body["members"]) == 2
    assert ask("GET", "/Groups").body["totalResults"] == 1


def test_length_of_a_filter(ask: Ask):
    for path in ("/Users", "/Groups", "/"):
        for length, status in ((8192, 200), (8193, 400)):
            text = f'externalId eq "{"x" * (length - 16)}"'
            for answer in (
                ask("GET", f"{path}?filter={text.replace(' ', '+')}"),
                ask("POST", f"{path.rstrip('/')}/.search", {"filter": text}),
            ):
                assert answer.status == status
                if status == 400:
                    assert_scim_error(answer, 400, "tooMany")


@pytest.mark.parametrize(
    ("text", "scans"),
    [
        ('userName eq "a" or userName eq "b" or id eq "c" or id eq "d"', 0),
        (" or ".join(f'title eq "{n}"' for n in range(200)), 1),
        ('emails[type eq "work" and value eq "a"] or emails[type eq "work" and value eq "b"]', 1),
        ('userName sw "s" and userName sw "t"', 2),
        (" and ".join(f'userName sw "{n}"' for n in range(250)), 250),
        (" and ".join(['userName sw "s"'] * 250), 1),
        (" or ".join(f'(active eq true and id eq "{n}")' for n in range(9)), 9),
        (" or ".join(f"active eq {one} and title eq null" for one in ("true", "false")), 3),
        (" or ".join(f'groups.value eq "{n}"' for n in range(3)), 3),
        (" or ".join(f'meta.version eq "{n}"' for n in range(3)), 3),
        ("emails[primary eq false] or emails.primary eq true or roles.primary eq true", 3),
        ('emails[(type eq "work" and primary eq true) and value co "b"] and emails[display ew "x"]', 3),
        ("title pr and id pr", 2),
        ("title pr and id pr and active pr", 3),
        ('emails[value co "a" or value co "b" or value co "c"]', 3),
        ('not (id eq "a" or id eq "b" or id sw "c")', 3),
        ('id ne "a" and (id gt "b" or id ew "c")', 3),
    ],
)
def test_terms_that_look_at_all_values(ask: Ask, text: str, scans: int):
    for path in ("/Users/.search", "/.search"):
        answer = ask("POST", path, {"filter": text})
        assert answer.status == (400 if scans > 2 else 200)
        if scans > 2:
            assert_scim_error(answer, 400, "tooMany")
            assert f"this one does {scans} times" in answer.body["detail"]


def test_members_and_groups_in_a_list(ask: Ask):
    users = [{"value": ask("POST", "/Users", {"userName": name}).body["id"]} for name in "ab"]
    for name in "gh":
        assert ask("POST", "/Groups", {"displayName": name, "externalId": name, "members": users}).status == 201
    for path, name in (("/Groups", "members"), ("/Users", "groups"), ("/", "groups")):
        for more in ("", "&cursor", "&sortBy=id"):
            answer = ask("GET", f"{path}?x{more}")
            assert_scim_error(answer, 400, "tooMany")
            assert f"The {name} of these" in answer.body["detail"]
            without = "groups,meta" if name == "groups" else name
            assert f"Ask for fewer at once with count, or in SCIM with excludedAttributes={without}." in answer.body["detail"]
        assert ask("GET", f"{path}?excludedAttributes=members,groups,meta").status == 200
        assert ask("GET", f"{path}?count=1").status == 200
    group = ask("GET", "/Groups?count=1").body["Resources"][0]
    more = [{"value": ask("POST", "/Users", {"userName": name}).body["id"]} for name in "cd"]
    assert ask("PATCH", f"/Groups/{group['id']}", {"Operations": [{"op": "add", "path": "members", "value": more}]}).status == 204
    assert len(ask("GET", f"/Groups/{group['id']}").body["members"]) == 4
    assert len(ask("GET", "/Groups?count=1").body["Resources"][0]["members"]) == 4


def test_groups_in_a_list_of_accounts(settings: Settings, database: Database):
    app = create_app(replace(settings, limits=LimitsSettings(listed_members=3), database=DatabaseSettings(database.url)))
    scim = {"Authorization": f"Bearer {new_token(database, 't')}"}
    reader = {"Authorization": f"Bearer {new_token(database, 't', scope=ACCOUNTS)}"}

    def create(path: str, **body: Any) -> str:
        return str(call(app, "POST", f"/api/scim/v2{path}".encode(), scim, json.dumps(body).encode()).body["id"])

    users = [{"value": create("/Users", userName=name)} for name in "ab"]
    for name in "gh":
        create("/Groups", displayName=name, externalId=name, members=users)
    answer = call(app, "GET", b"/api/accounts", reader)
    assert_scim_error(answer, 400, "tooMany")
    assert "The groups of these resources are more than the 3" in answer.body["detail"]
    assert len(call(app, "GET", b"/api/accounts?count=1", reader).body["accounts"]) == 1
    app.extensions["scimsvc"].database.close()


def test_a_query_that_takes_too_long(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch):
    app = create_app(replace(settings, database=DatabaseSettings(database.url, statement_timeout=1)))
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}
    monkeypatch.setattr(ResourceStore, "page", lambda store, *_, **__: store._database.execute(ENDLESS, ()).fetchall())
    answer = call(app, "GET", b"/api/scim/v2/Users", headers)
    assert_scim_error(answer, 400, "tooMany")
    assert answer.body["detail"] == "This query takes longer than 1 s; make its filter more selective."
    monkeypatch.undo()
    assert call(app, "GET", b"/api/scim/v2/Users", headers).status == 200
    app.extensions["scimsvc"].database.close()


@pytest.mark.parametrize(
    "body",
    [None, 5, [], {"members": 5}, {"Operations": 5}, {"Operations": [5, {"path": 5}]}, {"Operations": [{"value": [1] * 9}]}],
)
def test_other_shapes_are_left_to_others(ask: Ask, body: Any):
    path = "/Users/" + ask("POST", "/Users", {"userName": "a"}).body["id"]
    for method in ("PUT", "PATCH"):
        answer = ask(method, path, body)
        assert_scim_error(answer, 400)
        assert answer.body["scimType"] != "tooMany"


@pytest.mark.parametrize("keys", [("operations", "Operations"), ("Operations", "operations"), ("OPERATIONS", "operations")])
def test_two_spellings_of_operations_are_refused(ask: Ask, keys: tuple[str, str]):
    path = "/Users/" + ask("POST", "/Users", {"userName": "a", "title": "y"}).body["id"]
    for first, second in (([], [TITLE] * 2), ([TITLE], []), ([TITLE], [TITLE])):
        body = dict(zip(keys, (first, second), strict=True))
        assert_scim_error(ask("PATCH", path, body), 400, "invalidSyntax")
        bulk = ask("POST", "/Bulk", {"Operations": [{"method": "PATCH", "path": path, "data": body}]})
        assert bulk.body["Operations"][0]["response"]["scimType"] == "invalidSyntax"
    few_first = {keys[0]: [], keys[1]: [TITLE] * 3}
    assert ask("PATCH", path, few_first).status == 400
    assert ask("GET", path).body["title"] == "y"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "title", "value": "x", "Value": None},
        {"op": "replace", "path": "title", "value": "x", "VALUE": ""},
        {"op": "replace", "path": "title", "Path": "nickName", "value": "x"},
        {"op": "add", "OP": "remove", "path": "title", "value": "x"},
        {"op": "add", "value": {"title": "x"}, "Value": {f"n{number}": number for number in range(9)}},
    ],
)
def test_two_spellings_of_a_key_of_an_operation_are_refused(ask: Ask, operation: dict[str, Any]):
    path = "/Users/" + ask("POST", "/Users", {"userName": "a", "title": "y"}).body["id"]
    answer = ask("PATCH", path, {"Operations": [operation]})
    assert_scim_error(answer, 400, "invalidSyntax")
    assert "is there twice, in different case" in answer.body["detail"]
    assert ask("GET", path).body["title"] == "y"


def test_two_spellings_of_a_key_of_a_bulk_request_are_refused(ask: Ask):
    create = {"method": "POST", "path": "/Users", "data": {"userName": "a"}}
    assert_scim_error(ask("POST", "/Bulk", {"Operations": [create], "operations": []}), 400, "invalidSyntax")
    outcome = ask("POST", "/Bulk", {"Operations": [create | {"bulkId": "1", "Data": {"userName": "b"}}]}).body["Operations"][0]
    assert outcome["response"]["scimType"] == "invalidSyntax"
    assert ask("GET", "/Users").body["totalResults"] == 0
