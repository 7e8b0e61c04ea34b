"""The policies of a profile: what happens where clients differ."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from scimsvc.mapping import ProfileError, parse_profile
from scimsvc.mapping.profile.policies import DEFAULT, Policies
from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.parallel import at_once
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

ENTRA = (ROOT / "mappings" / "entra.yaml").read_text()
Ask = Callable[..., Answer]


THING = "urn:example:schemas:2.0:Thing"


def things(*attributes: dict[str, Any]) -> dict[str, Any]:
    """Documents of a resource type that has a unique login and can be inactive."""
    own = [{"name": "login", "uniqueness": "global"}, {"name": "active", "type": "boolean"}, *attributes]
    return {
        "Schemas": [{"id": THING, "name": "Thing", "attributes": own}],
        "ResourceTypes": [{"name": "Thing", "endpoint": "/Things", "schema": THING}],
    }


@pytest.fixture
def serve(settings: Settings, database: Database, tmp_path: Path) -> Iterator[Callable[..., Ask]]:
    """Serves a profile with policies, and with documents where there are any; answers what sends requests."""
    apps = []

    def start(policies: str, profile: str = ENTRA, documents: dict[str, Any] | None = None) -> Ask:
        folder = tmp_path / str(len(apps))
        folder.mkdir()
        (folder / "things.json").write_text(json.dumps(documents or {}))
        (folder / "entra.yaml").write_text(f"{profile}\npolicies: {{{policies}}}\ndocuments: [things.json]\n")
        app = create_app(replace(settings, mappings=MappingsSettings(folder), database=DatabaseSettings(database.url)))
        apps.append(app)
        headers = {"Authorization": f"Bearer {new_token(database, 't')}"}

        def ask(method: str, path: str, body: Any = None) -> Answer:
            try:
                return call(
                    app, method, f"/api/scim/v2{path}".encode(), headers, b"" if body is None else json.dumps(body).encode()
                )
            finally:
                if threading.current_thread() is not threading.main_thread():
                    # Each thread has a connection of its own.
                    app.extensions["scimsvc"].database.close()

        return ask

    yield start
    for app in apps:
        app.extensions["scimsvc"].database.close()


def create(ask: Ask, path: str = "/Users", **body: Any) -> str:
    answer = ask("POST", path, body)
    assert answer.status == 201, answer.raw
    return str(answer.body["id"])


def members(ask: Ask, group: str) -> set[str]:
    return {one["value"] for one in ask("GET", f"/Groups/{group}").body["members"]}


def patch(ask: Ask, path: str, op: str, where: str, value: Any = None) -> Answer:
    return ask("PATCH", path, {"Operations": [{"op": op, "path": where, **({} if value is None else {"value": value})}]})


@pytest.mark.parametrize("policies", ["unknownMembers: pending", "unknownMembers: reject"])
def test_an_id_that_no_index_can_hold_is_refused_for_ever(serve: Callable[..., Ask], policies: str):
    ask = serve(policies)
    group = create(ask, "/Groups", displayName="g", externalId="g")
    long = [{"value": "x" * 20_000}]
    assert_scim_error(patch(ask, f"/Groups/{group}", "add", "members", long), 400, "invalidValue")
    assert_scim_error(ask("POST", "/Groups", {"displayName": "h", "externalId": "h", "members": long}), 400, "invalidValue")


@pytest.mark.parametrize("name", ["", " ", "[]", "{}", "null", "[null]"])
@pytest.mark.parametrize("policies", ["unknownMembers: pending", "unknownMembers: reject"])
def test_text_that_names_no_member_empties_no_group(serve: Callable[..., Ask], policies: str, name: str):
    ask = serve(policies)
    user = create(ask, userName="ann")
    group = create(ask, "/Groups", displayName="g", members=[{"value": user}])
    before, path, value = ask("GET", f"/Groups/{group}").raw, f"/Groups/{group}", [{"value": user}, {"value": name}]
    body = {"displayName": "h", "members": value}
    answers = [
        *(patch(ask, path, op, "members", value) for op in ("add", "replace", "remove")),
        *(patch(ask, path, op, "members", [name]) for op in ("add", "replace", "remove")),
        patch(ask, path, "remove", f"members[value eq {json.dumps(name)}]"),
        ask("PUT", path, body),
        ask("POST", "/Groups", body),
    ]
    for answer in answers:
        assert_scim_error(answer, 400, "invalidValue")
    sent = {"Operations": [{"op": "replace", "path": "members", "value": value}]}
    operations = [("PATCH", path, sent), ("PUT", path, body), ("POST", "/Groups", body)]
    bulk = ask("POST", "/Bulk", {"Operations": [{"method": m, "path": p, "data": d, "bulkId": m} for m, p, d in operations]})
    assert [outcome["status"] for outcome in bulk.body["Operations"]] == ["400"] * 3
    assert ask("GET", path).raw == before
    assert ask("GET", "/Groups").body["totalResults"] == 1


def test_unknown_members_are_rejected_or_wait(serve: Callable[..., Ask]):
    ask = serve("unknownMembers: reject")
    assert_scim_error(ask("POST", "/Groups", {"displayName": "g", "members": [{"value": "later"}]}), 400, "invalidValue")
    ask = serve("unknownMembers: pending")
    there = create(ask, userName="there", externalId="there-before")
    wanted = [{"value": one} for one in ("later", "never", there, "there-before")]
    group = create(ask, "/Groups", displayName="g", members=wanted)
    other = create(ask, "/Groups", displayName="other")
    assert patch(ask, f"/Groups/{other}", "add", "members", [{"value": "later"}, {"value": "gone"}]).status == 204
    assert patch(ask, f"/Groups/{other}", "remove", 'members[value eq "gone"]').status == 204
    assert (members(ask, group), members(ask, other)) == ({there}, set())
    version = ask("GET", f"/Groups/{group}").body["meta"]["version"]
    answer = ask("POST", "/Users", {"userName": "late", "externalId": "later"})
    late = answer.body["id"]
    assert {one["value"] for one in answer.body["groups"]} == {group, other}
    assert (members(ask, group), members(ask, other)) == ({there, late}, {late})
    assert ask("GET", f"/Groups/{group}").body["meta"]["version"] != version
    gone = create(ask, userName="gone", externalId="gone")
    assert gone not in members(ask, other)
    assert patch(ask, f"/Groups/{group}", "remove", "members").status == 204
    assert create(ask, userName="never", externalId="never") not in members(ask, group)
    assert ask("DELETE", f"/Groups/{other}").status == 204


@pytest.mark.parametrize("unknown", [{"member": [{"value": "later"}]}, {"users": ["later"]}, {"x": 0}])
def test_put_with_an_unknown_attribute_keeps_members_that_are_waited_for(serve: Callable[..., Ask], unknown: dict[str, Any]):
    ask = serve("unknownMembers: pending")
    group = create(ask, "/Groups", displayName="g", members=[{"value": "later"}])
    before = ask("GET", f"/Groups/{group}").raw
    refused = ask("PUT", f"/Groups/{group}", {"displayName": "g", **unknown})
    assert_scim_error(refused, 400, "invalidValue")
    assert f"the unknown attribute {next(iter(unknown))!r}" in refused.body["detail"]
    assert ask("GET", f"/Groups/{group}").raw == before
    assert members(ask, group) == set()
    late = create(ask, userName="late", externalId="later")
    assert members(ask, group) == {late}


@pytest.mark.parametrize("body", [{"x": 0, "members": []}, {}])
def test_put_that_means_it_ends_the_wait_for_members(serve: Callable[..., Ask], body: dict[str, Any]):
    ask = serve("unknownMembers: pending")
    group = create(ask, "/Groups", displayName="g", members=[{"value": "later"}])
    assert ask("PUT", f"/Groups/{group}", {"displayName": "g", **body}).status == 200
    create(ask, userName="late", externalId="later")
    assert members(ask, group) == set()
    # Nobody is waited for any more, so an unknown attribute takes nothing away.
    assert ask("PUT", f"/Groups/{create(ask, '/Groups', displayName='h')}", {"displayName": "h", "x": 0}).status == 200


def test_who_is_waited_for_may_get_the_external_id_later(serve: Callable[..., Ask]):
    ask = serve("unknownMembers: pending")
    for number, (method, body) in enumerate(
        [
            ("PATCH", {"Operations": [{"op": "replace", "path": "externalId", "value": "later"}]}),
            ("PUT", {"userName": "u1", "externalId": "later"}),
        ]
    ):
        group = create(ask, "/Groups", displayName="g", members=[{"value": "later"}])
        user = create(ask, userName=f"u{number}", externalId=f"before-{number}")
        assert patch(ask, f"/Users/{user}", "replace", "title", "x").status == 200
        assert members(ask, group) == set()
        answer = ask(method, f"/Users/{user}", body)
        assert [one["value"] for one in answer.body["groups"]] == [group]
        assert members(ask, group) == {user}
        assert ask("DELETE", f"/Users/{user}").status == 204


def named(*names: str) -> list[dict[str, str]]:
    return [{"value": name} for name in names]


def test_member_that_is_removed_stays_removed_by_whatever_name_it_came(serve: Callable[[str], Ask]):
    ask = serve("unknownMembers: pending")
    user, other = create(ask, userName="u", externalId="X"), create(ask, userName="v", externalId="Y")
    for path, value in [
        ("members", named(user)),
        ("members", named("X")),
        (f'members[value eq "{user}"]', None),
        ('members[value eq "X"]', None),
    ]:
        group = create(ask, "/Groups", displayName="g", members=named("X"))
        assert members(ask, group) == {user}
        assert patch(ask, f"/Groups/{group}", "remove", path, value).status == 204
        assert members(ask, group) == set()
        assert patch(ask, f"/Groups/{group}", "add", "members", named(other)).status == 204
        for name in ("Z", "X"):
            assert patch(ask, f"/Users/{user}", "replace", "externalId", name).status == 200
        assert members(ask, group) == {other}
        assert ask("DELETE", f"/Groups/{group}").status == 204


def test_nobody_inherits_the_memberships_of_who_had_his_external_id(serve: Callable[[str], Ask]):
    ask = serve("unknownMembers: pending")
    created = [create(ask, userName="u0", externalId="X")]
    group = create(ask, "/Groups", displayName="g", members=named("X", "Y"))
    created.append(create(ask, userName="u1", externalId="Y"))
    for user, name in zip(created, ("X", "Y"), strict=True):
        assert members(ask, group) >= {user}
        assert ask("DELETE", f"/Users/{user}").status == 204
        assert create(ask, userName=f"again-{name}", externalId=name) not in members(ask, group)
    assert members(ask, group) == set()


def test_who_is_a_member_already_is_waited_for_no_more(serve: Callable[[str], Ask]):
    ask = serve("unknownMembers: pending")
    user = create(ask, userName="u")
    group = create(ask, "/Groups", displayName="g", members=named(user, "X"))
    version = ask("GET", f"/Groups/{group}").body["meta"]["version"]
    assert patch(ask, f"/Users/{user}", "replace", "externalId", "X").status == 200
    assert ask("GET", f"/Groups/{group}").body["meta"]["version"] == version
    assert patch(ask, f"/Groups/{group}", "remove", "members", named(user)).status == 204
    for name in ("Z", "X"):
        assert patch(ask, f"/Users/{user}", "replace", "externalId", name).status == 200
    assert members(ask, group) == set()


def test_members_that_are_named_by_external_id_are_kept(serve: Callable[[str], Ask]):
    ask = serve("unknownMembers: pending")
    user, other = create(ask, userName="u", externalId="X"), create(ask, userName="v")
    group = create(ask, "/Groups", displayName="g", members=named("X", other, "never"))
    version = ask("GET", f"/Groups/{group}").body["meta"]["version"]
    whole = {"displayName": "g", "members": named(other, "X", "never")}
    assert ask("PUT", f"/Groups/{group}", whole).body["meta"]["version"] == version
    assert ask("PUT", f"/Groups/{group}", {"displayName": "g", "members": named("X")}).status == 200
    assert members(ask, group) == {user}


def test_an_id_comes_before_an_external_id(serve: Callable[[str], Ask]):
    ask = serve("unknownMembers: pending")
    user = create(ask, userName="u")
    create(ask, userName="v", externalId=user)
    team = create(ask, "/Groups", displayName="team", externalId="later-team")
    group = create(ask, "/Groups", displayName="g", members=named(user, "later-team", "new-team"))
    assert members(ask, group) == {user}
    # Only people are known by what the directory calls them.
    create(ask, "/Groups", displayName="team", externalId="new-team")
    assert members(ask, group) == {user}
    assert patch(ask, f"/Groups/{group}", "add", "members", named(team)).status == 204
    assert members(ask, group) == {user, team}


def test_who_is_created_while_he_is_added_is_a_member(serve: Callable[[str], Ask], database: Database):
    ask = serve("unknownMembers: pending")
    group = create(ask, "/Groups", displayName="g")

    def add(name: str) -> Answer:
        return patch(ask, f"/Groups/{group}", "add", "members", named(name))

    def found(name: str) -> Answer:
        return ask("POST", "/Users", {"userName": name, "externalId": name})

    def both(number: int) -> list[int]:
        answers = at_once([partial(add, f"u{number}"), partial(found, f"u{number}")])
        return [answer.status for answer in answers]

    assert [both(number) for number in range(20)] == [[204, 201]] * 20
    users = {one["id"] for one in ask("GET", "/Users").body["Resources"]}
    assert (len(users), members(ask, group)) == (20, users)
    assert database.peewee.execute_sql("SELECT * FROM pending_membership").fetchall() == []


@pytest.mark.parametrize("days", [0, 30])
def test_who_is_deleted_while_he_is_added_is_no_member(serve: Callable[[str], Ask], days: int):
    ask = serve(f"deleteAfter: {days}")
    group = create(ask, "/Groups", displayName="g")
    users = [create(ask, userName=f"u{number}") for number in range(20)]
    for user in users:
        add = partial(patch, ask, f"/Groups/{group}", "add", "members", named(user))
        added, deleted = at_once([add, partial(ask, "DELETE", f"/Users/{user}")])
        assert (added.status in (204, 400), deleted.status) == (True, 204)
    assert members(ask, group) == set()


def test_waiting_members_do_not_keep_a_group_from_being_deleted(serve: Callable[..., Ask]):
    group = create(serve("unknownMembers: pending"), "/Groups", displayName="g", members=[{"value": "later"}])
    assert serve("unknownMembers: reject")("DELETE", f"/Groups/{group}").status == 204


@pytest.mark.parametrize(("policy", "merged"), [("exact", False), ("merge", True)])
def test_members_are_replaced_or_merged(serve: Callable[..., Ask], policy: str, merged: bool):
    ask = serve(f"replaceMembers: {policy}")
    one, two, three = (create(ask, userName=name) for name in ("one", "two", "three"))
    group = create(ask, "/Groups", displayName="g", members=[{"value": one}])
    patch(ask, f"/Groups/{group}", "replace", "members", [{"value": two}])
    assert members(ask, group) == ({one, two} if merged else {two})
    ask("PUT", f"/Groups/{group}", {"displayName": "g", "members": [{"value": three}]})
    assert members(ask, group) == ({one, two, three} if merged else {three})
    ask("PUT", f"/Groups/{group}", {"displayName": "g"})
    assert members(ask, group) == ({one, two, three} if merged else set())
    patch(ask, f"/Groups/{group}", "remove", "members")
    assert members(ask, group) == set()


NOTHING: list[dict[str, Any]] = [
    {"op": "replace", "path": "members", "value": []},
    {"op": "replace", "path": "members", "value": None},
    {"op": "replace", "path": "members", "value": ""},
    {"op": "replace", "value": {"members": []}},
    {"op": "replace", "value": {"members": None}},
]


@pytest.mark.parametrize("policy", ["exact", "merge"])
def test_replace_by_nothing_is_merged_too(serve: Callable[..., Ask], policy: str):
    ask = serve(f"replaceMembers: {policy}")
    one, two = (create(ask, userName=name) for name in ("one", "two"))
    for nothing in NOTHING:
        group = create(ask, "/Groups", displayName="g", members=[{"value": one}])
        answer = ask("PATCH", f"/Groups/{group}", {"Operations": [nothing]})
        assert answer.status == 204, answer.raw
        assert members(ask, group) == ({one} if policy == "merge" else set())
        more = {"op": "add", "path": "members", "value": [{"value": two}]}
        assert ask("PATCH", f"/Groups/{group}", {"Operations": [{"op": "remove", "path": "members"}, more]}).status == 204
        assert members(ask, group) == {two}


def test_merge_keeps_those_who_are_waited_for(serve: Callable[..., Ask]):
    ask = serve("unknownMembers: pending, replaceMembers: merge")
    jane = create(ask, userName="jane")
    for method, body in (
        ("PATCH", {"Operations": [{"op": "replace", "path": "members", "value": [{"value": jane}]}]}),
        ("PATCH", {"Operations": [{"op": "replace", "path": "members", "value": []}]}),
        ("PUT", {"displayName": "g", "members": [{"value": jane}]}),
    ):
        group = create(ask, "/Groups", displayName="g")
        later = f"later-{group}"
        patch(ask, f"/Groups/{group}", "add", "members", [{"value": later}])
        assert ask(method, f"/Groups/{group}", body).status in (200, 204)
        assert create(ask, userName=later, externalId=later) in members(ask, group)


def test_answer_to_a_patch_of_a_group(serve: Callable[..., Ask]):
    ask = serve("groupPatchAnswer: resource")
    group = create(ask, "/Groups", displayName="g")
    answer = patch(ask, f"/Groups/{group}", "replace", "displayName", "h")
    assert (answer.status, answer.body["displayName"], answer.body["members"]) == (200, "h", [])


def test_create_of_someone_inactive_is_a_conflict_or_restores(serve: Callable[..., Ask]):
    jane = {"userName": "jane", "externalId": "1", "title": "T", "emails": [{"value": "a"}, {"value": "b"}]}
    ask = serve("recreate: restore")
    id_ = create(ask, **jane, active=True)
    group = create(ask, "/Groups", displayName="g", members=[{"value": id_}])
    assert_scim_error(ask("POST", "/Users", jane), 409, "uniqueness")
    patch(ask, f"/Users/{id_}", "replace", "active", False)
    assert_scim_error(serve("recreate: conflict")("POST", "/Users", jane), 409, "uniqueness")
    answer = ask("POST", "/Users", {"userName": "Jane", "externalId": "1", "active": True})
    assert (answer.status, answer.body["id"], answer.body["userName"], answer.body["active"]) == (201, id_, "Jane", True)
    assert "title" not in answer.body
    assert [one["value"] for one in answer.body["groups"]] == [group]
    assert ask("GET", '/Users?filter=emails.value+eq+"a"').body["totalResults"] == 0
    assert ask("GET", "/Users?filter=title+pr").body["totalResults"] == 0
    patch(ask, f"/Users/{id_}", "replace", "active", False)
    other = create(ask, userName="other", externalId="2", active=False)
    # Who of the two is meant can't be told.
    assert_scim_error(ask("POST", "/Users", {"userName": "jane", "externalId": "2"}), 409, "uniqueness")
    assert ask("GET", f"/Users/{other}").body["userName"] == "other"


MANAGER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"


def bulk(ask: Ask, *creates: dict[str, Any]) -> list[dict[str, Any]]:
    """Creates of users and groups with their names as bulkIds."""
    operations = [
        {"method": "POST", "path": "/Groups" if "members" in one else "/Users", "bulkId": one.pop("bulkId"), "data": one}
        for one in creates
    ]
    answer = ask("POST", "/Bulk", {"Operations": operations})
    assert answer.status == 200, answer.raw
    return list(answer.body["Operations"])


@pytest.mark.parametrize("there", ["inactive", "deleted"])
def test_bulk_request_that_fails_leaves_the_account_that_was_there(serve: Callable[[str], Ask], there: str):
    ask = serve("deleteAfter: 30, recreate: restore")
    user = create(ask, userName="jane", externalId="J", active=False)
    group = create(ask, "/Groups", displayName="g", members=named(user))
    if there == "deleted":
        assert ask("DELETE", f"/Users/{user}").status == 204
    former = ask("GET", f"/Users/{user}").body
    jane = {"userName": "jane", "externalId": "J", "active": True}
    outcomes = bulk(ask, {"bulkId": "a", **jane, MANAGER: "bulkId:b"}, {"bulkId": "b", MANAGER: "bulkId:a"})
    assert [one["status"] for one in outcomes] == ["409", "400"]
    assert ask("GET", f"/Users/{user}").body == former
    assert members(ask, group) == ({user} if there == "inactive" else set())
    # In a circle the one begins that is made for it.
    outcomes = bulk(ask, {"bulkId": "a", **jane, MANAGER: "bulkId:b"}, {"bulkId": "b", "userName": "b", MANAGER: "bulkId:a"})
    assert [one["status"] for one in outcomes] == ["201", "201"]
    assert outcomes[0]["location"].endswith(f"/{user}")
    assert f"{outcomes[1]['location']}".endswith(
        ask("GET", f"/Users/{user}").body[MANAGER.rpartition(":")[0]]["manager"]["value"]
    )


def test_an_account_that_is_restored_stays_where_what_it_refers_to_fails(serve: Callable[[str], Ask]):
    ask = serve("recreate: restore")
    user = create(ask, userName="jane", externalId="J", active=False)
    outcomes = bulk(
        ask,
        {"bulkId": "a", "displayName": "a", "members": named("bulkId:b")},
        {"bulkId": "b", "displayName": "b", "members": named("bulkId:c", "nobody")},
        {"bulkId": "c", "userName": "jane", "externalId": "J", "active": True, MANAGER: "bulkId:a"},
    )
    assert [one["status"] for one in outcomes] == ["409", "400", "201"]
    assert ask("GET", f"/Users/{user}").body["active"] is True
    assert ask("GET", "/Groups").body["totalResults"] == 0


def test_nobody_gets_the_account_of_another_person(serve: Callable[..., Ask]):
    ask = serve("deleteAfter: 30, recreate: restore")
    jane = create(ask, userName="jane", externalId="J1", active=False)
    admins = create(ask, "/Groups", displayName="Admins", members=[{"value": jane}])
    for other in ({"userName": "Jane", "externalId": "J2"}, {"userName": "j2", "externalId": "J1"}):
        assert_scim_error(ask("POST", "/Users", other | {"active": True}), 409, "uniqueness")
    assert members(ask, admins) == {jane}
    assert ask("GET", f"/Users/{jane}").body["externalId"] == "J1"
    assert create(ask, userName="JANE", externalId="J1", active=True) == jane
    assert ask("DELETE", f"/Users/{jane}").status == 204
    second = create(ask, userName="jane", externalId="J2")
    assert second != jane
    assert ask("DELETE", f"/Users/{second}").status == 204
    # Both have had this login, and each comes back as himself.
    assert create(ask, userName="jane", externalId="J2") == second
    assert ask("DELETE", f"/Users/{second}").status == 204
    assert create(ask, userName="jane", externalId="J1") == jane


def test_rename_of_the_inactive_is_accepted_or_ignored(serve: Callable[..., Ask]):
    ask = serve("renameWhenDisabled: accept")
    id_ = create(ask, userName="jane", active=True)
    leaves = {"Operations": [{"op": "replace", "value": {"active": False, "userName": "0123jane", "title": "x"}}]}
    assert ask("PATCH", f"/Users/{id_}", leaves).body["userName"] == "0123jane"
    patch(ask, f"/Users/{id_}", "replace", "userName", "jane")
    ask = serve("renameWhenDisabled: ignore")
    patch(ask, f"/Users/{id_}", "replace", "active", True)
    found = ask("PATCH", f"/Users/{id_}", leaves).body
    assert (found["userName"], found["title"], found["active"]) == ("jane", "x", False)
    assert patch(ask, f"/Users/{id_}", "replace", "userName", "0123jane").body["userName"] == "jane"
    assert ask("PUT", f"/Users/{id_}", {"userName": "0123jane", "active": False}).body["userName"] == "jane"
    # The login is nobody else's meanwhile, and free to change once the account is active again.
    assert_scim_error(ask("POST", "/Users", {"userName": "Jane"}), 409, "uniqueness")
    back = {"Operations": [{"op": "replace", "value": {"active": True, "userName": "jane.doe"}}]}
    assert ask("PATCH", f"/Users/{id_}", back).body["userName"] == "jane.doe"


def test_every_value_that_is_unique_by_the_schema_stays_with_the_inactive(serve: Callable[..., Ask]):
    unique = {"name": "id", "uniqueness": "server"}
    inside = {"name": "acct", "type": "complex", "subAttributes": [unique, {"name": "note"}, {"name": "kind", "required": True}]}
    several = {"name": "ids", "type": "complex", "multiValued": True, "subAttributes": [unique, {"name": "note"}]}
    ask = serve("renameWhenDisabled: ignore", documents=things(inside, several))
    own = {"login": "l", "acct": {"id": "a", "kind": "k"}, "ids": [{"id": "1"}, {"id": "2"}]}
    path = f"/Things/{create(ask, '/Things', **own, active=False)}"

    def kept(body: dict[str, Any]) -> bool:
        return {name: body[name] for name in own} == own

    for where, value in (
        ("login", "m"),
        ("acct.id", "b"),
        ("acct", {"id": "b", "kind": "k"}),
        ('ids[id eq "1"].id', "3"),
        ("ids", [{"id": "2"}]),
    ):
        assert kept(patch(ask, path, "replace", where, value).body), where
    assert kept(patch(ask, path, "remove", "acct").body)
    assert kept(ask("PUT", path, {"login": "m", "active": False}).body)
    noted = patch(ask, path, "add", 'ids[id eq "1"].note', "n").body
    assert noted["ids"] == [{"id": "1", "note": "n"}, {"id": "2"}]
    patch(ask, path, "replace", "active", True)
    assert patch(ask, path, "replace", "acct.id", "b").body["acct"]["id"] == "b"


def test_deleted_can_be_restored_for_a_while(serve: Callable[..., Ask], monkeypatch: pytest.MonkeyPatch, database: Database):
    ask = serve("deleteAfter: 30, recreate: restore")
    jane = {"userName": "jane", "externalId": "1", "emails": [{"value": "a"}, {"value": "b"}]}
    id_ = create(ask, **jane, active=True)
    group = create(ask, "/Groups", displayName="g", members=[{"value": id_}])
    assert ask("DELETE", f"/Users/{id_}").status == 204
    for method, body in (("GET", None), ("PUT", jane), ("PATCH", {"Operations": []}), ("DELETE", None)):
        assert_scim_error(ask(method, f"/Users/{id_}", body), 404)
    assert ask("GET", "/Users").body["totalResults"] == 0
    assert ask("GET", "/").body["totalResults"] == 1
    assert members(ask, group) == set()
    assert_scim_error(patch(ask, f"/Groups/{group}", "add", "members", [{"value": id_}]), 400, "invalidValue")
    answer = ask("POST", "/Users", {"userName": "jane", "externalId": "1", "emails": [{"value": "c"}]})
    assert (answer.status, answer.body["id"]) == (201, id_)
    assert ask("GET", '/Users?filter=emails.value+eq+"b"').body["totalResults"] == 0
    assert [one["id"] for one in ask("GET", '/Users?filter=emails.value+eq+"c"+and+userName+eq+"JANE"').body["Resources"]] == [
        id_
    ]
    assert ask("DELETE", f"/Users/{id_}").status == 204
    later = datetime.now(UTC) + timedelta(days=31)
    monkeypatch.setattr("scimsvc.service.resources.datetime", type("Later", (), {"now": staticmethod(lambda zone: later)}))
    other = create(ask, userName="other")
    assert ask("DELETE", f"/Users/{other}").status == 204
    assert create(ask, **jane) != id_


def test_deleted_does_not_hold_its_login(serve: Callable[..., Ask]):
    ask = serve("deleteAfter: 30")
    id_ = create(ask, userName="jane", externalId="1")
    assert ask("DELETE", f"/Users/{id_}").status == 204
    again = create(ask, userName="jane", externalId="1")
    assert again != id_
    ask = serve("deleteAfter: 30, recreate: restore")
    assert_scim_error(ask("POST", "/Users", {"userName": "jane"}), 409, "uniqueness")
    patch(ask, f"/Users/{again}", "replace", "active", False)
    assert create(ask, userName="jane") == again


@pytest.mark.parametrize("delete_after", [0, 30])
def test_who_has_a_value_that_is_not_unique_for_him_keeps_nobody_from_coming_back(serve: Callable[..., Ask], delete_after: int):
    row = 'target: emails[type eq "work"].value\n'
    ask = serve(f"deleteAfter: {delete_after}, recreate: restore", ENTRA.replace(row, f"{row}      unique: true\n"))
    ann = create(ask, userName="ann", active=bool(delete_after))
    create(ask, userName="bob", emails=[{"type": "home", "value": "ann@x"}])
    if delete_after:
        assert ask("DELETE", f"/Users/{ann}").status == 204
    assert create(ask, userName="ann", emails=[{"type": "work", "value": "ann@x"}]) == ann


def test_who_of_several_deleted_comes_back_must_be_told(serve: Callable[..., Ask]):
    ask = serve("deleteAfter: 30, recreate: restore")
    ids = []
    for number in "12":
        ids.append(create(ask, userName="ann", externalId=number))
        assert ask("DELETE", f"/Users/{ids[-1]}").status == 204
    answer = ask("POST", "/Users", {"userName": "Ann"})
    assert_scim_error(answer, 409, "uniqueness")
    assert answer.body["detail"] == (
        "2 deleted Users may be meant, and one alone can be restored. Send a value that tells them apart: of externalId."
    )
    assert ask("GET", "/Users").body["totalResults"] == 0
    assert create(ask, userName="Ann", externalId="1") == ids[0]


def test_deleted_longer_ago_than_the_grace_period_is_not_restored(serve: Callable[..., Ask], database: Database):
    ask = serve("deleteAfter: 2, recreate: restore")
    for days, back in ((1, True), (3, False)):
        id_ = create(ask, userName=f"ann{days}")
        assert ask("DELETE", f"/Users/{id_}").status == 204
        moment = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")[:23]
        database.peewee.execute_sql(f"UPDATE resource SET last_modified = '{moment}' WHERE id = '{id_}'")
        assert (create(ask, userName=f"ann{days}") == id_) == back


@pytest.mark.parametrize("delete_after", [0, 30])
def test_restore_leaves_what_is_immutable(serve: Callable[..., Ask], delete_after: int):
    fixed = {"name": "fixed", "mutability": "immutable"}
    inside = {"name": "made", "type": "complex", "subAttributes": [{"name": "by", "mutability": "immutable"}, {"name": "at"}]}
    ask = serve(f"deleteAfter: {delete_after}, recreate: restore", documents=things(fixed, inside))
    id_ = create(ask, "/Things", login="a", fixed="1", made={"by": "x", "at": "y"}, active=False)
    if delete_after:
        assert ask("DELETE", f"/Things/{id_}").status == 204
    for other in ({"fixed": "2"}, {"made": {"by": "z"}}):
        answer = ask("POST", "/Things", {"login": "a", **other})
        if delete_after:
            assert (answer.status, answer.body["id"] == id_) == (201, False)
            assert ask("DELETE", f"/Things/{answer.body['id']}").status == 204
        else:
            assert_scim_error(answer, 409, "uniqueness")
    answer = ask("POST", "/Things", {"login": "A", "fixed": "1", "made": {"at": "later", "by": "x"}})
    assert (answer.status, answer.body["id"]) == (201, id_)
    patch(ask, f"/Things/{id_}", "replace", "active", False)
    answer = ask("POST", "/Things", {"login": "A"})
    assert (answer.status, answer.body["id"], answer.body["fixed"], answer.body["made"]) == (201, id_, "1", {"by": "x"})


def test_group_is_restored_with_the_members_of_its_create(serve: Callable[..., Ask]):
    ask = serve("deleteAfter: 30, recreate: restore")
    one, two = create(ask, userName="one"), create(ask, userName="two")
    group = create(ask, "/Groups", displayName="g", externalId="g", members=[{"value": one}])
    assert ask("DELETE", f"/Groups/{group}").status == 204
    answer = ask("POST", "/Groups", {"displayName": "again", "externalId": "g", "members": [{"value": two}]})
    assert (answer.status, answer.body["id"]) == (201, group)
    assert [member["value"] for member in answer.body["members"]] == [two]
    assert members(ask, group) == {two}


def test_policies_of_a_profile():
    def read(block: str) -> Policies:
        return parse_profile(f"{ENTRA}\npolicies: {block}\n", Path("p.yaml")).policies

    assert read("") == read("{}") == DEFAULT
    assert read("{unknownMembers: pending, deleteAfter: 7}") == Policies(unknown_members="pending", delete_after=7)
    for block, message in [
        ("[]", "policies must be a mapping"),
        ("{unknownMember: pending}", "unknown key 'unknownMember' in policies, did you mean 'unknownMembers'?"),
        ("{recreate: restor}", "recreate must be conflict or restore, did you mean 'restore'?"),
        ("{recreate: [restore]}", "recreate must be a string"),
        ("{deleteAfter: -1}", "deleteAfter must be from 0 to 3650 days"),
        ("{deleteAfter: soon}", "deleteAfter must be an integer"),
    ]:
        with pytest.raises(ProfileError, match=message.replace("?", r"\?")):
            read(block)


def hashes(database: Database) -> list[str]:
    return [hashed for (hashed,) in database.peewee.execute_sql("SELECT hash FROM password").fetchall()]


def verified(database: Database, password: str) -> bool:
    (hashed,) = hashes(database)
    try:
        return PasswordHasher().verify(hashed, password)
    except VerifyMismatchError:
        return False


def test_passwords_are_kept_as_hashes_where_that_is_asked_for(serve: Callable[..., Ask], database: Database):
    ask = serve("passwords: ignore")
    assert ask("GET", "/ServiceProviderConfig").body["changePassword"] == {"supported": False}
    answer = ask("POST", "/Users", {"userName": "forgotten", "password": "secret"})
    assert (answer.status, b"secret" in answer.raw, hashes(database)) == (201, False, [])
    ask = serve("passwords: argon2")
    assert ask("GET", "/ServiceProviderConfig").body["changePassword"] == {"supported": True}
    answer = ask("POST", "/Users?attributes=password,userName", {"userName": "jane", "password": "first"})
    assert (answer.status, b"first" in answer.raw) == (201, False)
    path = f"/Users/{answer.body['id']}"
    assert verified(database, "first")
    version = ask("GET", path).body["meta"]["version"]
    answer = patch(ask, path, "replace", "password", "second")
    assert (answer.status, b"second" in answer.raw) == (200, False)
    assert answer.body["meta"]["version"] != version
    assert verified(database, "second")
    assert ask("PUT", path, {"userName": "jane", "password": "third"}).status == 200
    assert verified(database, "third")
    assert ask("PUT", path, {"userName": "jane"}).status == 200
    assert patch(ask, path, "replace", "title", "x").status == 200
    assert verified(database, "third")
    assert_scim_error(ask("GET", '/Users?filter=password+eq+"third"'), 400, "invalidFilter")
    assert_scim_error(ask("GET", "/Users?filter=password+pr"), 400, "invalidFilter")
    assert_scim_error(ask("PUT", path, {"userName": "jane", "password": 5}), 400, "invalidValue")
    assert patch(ask, path, "remove", "password").status == 200
    assert hashes(database) == []
    patch(ask, path, "add", "password", "fourth")
    assert len(hashes(database)) == 1
    assert serve("passwords: ignore")("DELETE", path).status == 204
    assert hashes(database) == []
    assert "third" not in str(database.peewee.execute_sql("SELECT document FROM resource").fetchall())


@pytest.mark.parametrize("spelled", ["password", "Password"])
@pytest.mark.parametrize(
    ("characteristics", "value", "changes", "is_kept"),
    [
        ({"mutability": "writeOnly"}, "s", [("PASSWORD", "t")], True),
        ({"returned": "never"}, "s", [("password", "t")], True),
        ({}, "s", [("password", "t")], False),
        ({"type": "integer", "mutability": "writeOnly"}, 5, [("password", 6)], False),
        ({"mutability": "writeOnly", "multiValued": True}, ["s"], [("password", ["t"])], False),
        (
            {"type": "complex", "subAttributes": [{"name": "value", "returned": "never"}, {"name": "hint"}]},
            {"value": "s", "hint": "h"},
            [("password.hint", "t"), ("password.value", "t"), ("password", {"value": "t"})],
            False,
        ),
    ],
)
def test_a_hash_is_of_a_password_alone(
    serve: Callable[..., Ask],
    database: Database,
    spelled: str,
    characteristics: dict[str, Any],
    value: Any,
    changes: list[tuple[str, Any]],
    is_kept: bool,
):
    ask = serve("passwords: argon2", documents=things({"name": spelled, **characteristics}))
    path = f"/Things/{create(ask, '/Things', **{spelled: value})}"
    assert len(hashes(database)) == is_kept
    for where, changed in changes:
        assert patch(ask, path, "replace", where, changed).status == 200
        assert len(hashes(database)) == is_kept
    if is_kept:
        assert verified(database, "t")
        patch(ask, path, "remove", spelled)
        assert hashes(database) == []


def test_a_hash_costs_what_owasp_recommends(serve: Callable[..., Ask], database: Database):
    create(serve("passwords: argon2"), userName="a", password="secret")
    assert hashes(database)[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    "data",
    [
        {"password": "x"},
        {"PASSWORD": "x"},
        {"Operations": [{"op": "replace", "path": "password", "value": "x"}]},
        {"operations": [{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:Password", "value": "x"}]},
        {"Operations": [{"op": "replace", "value": {"Password": "x"}}]},
    ],
)
def test_a_bulk_request_sets_so_many_passwords_where_they_are_hashed(
    serve: Callable[..., Ask], monkeypatch: pytest.MonkeyPatch, data: dict[str, Any]
):
    hashed: list[str] = []
    hasher = SimpleNamespace(hash=lambda password: hashed.append(password) or "hash")
    monkeypatch.setattr("scimsvc.service.passwords._HASHER", hasher)
    method, path = ("PATCH", "/Users/nobody") if "perations" in str(data) else ("POST", "/Users")
    whole = {"Operations": [{"method": method, "path": path, "data": data}] * 101}
    ask = serve("passwords: argon2")
    answer = ask("POST", "/Bulk", whole)
    assert_scim_error(answer, 400, "tooMany")
    assert answer.body["detail"] == "A bulk request may set 100 passwords; this one sets 101. Send several."
    assert hashed == []
    others = [{"method": "POST", "path": "/Users", "data": {"title": "password"}}, {"method": "DELETE", "path": "/Users/x"}]
    assert ask("POST", "/Bulk", {"Operations": whole["Operations"][1:] + others}).status == 200
    assert serve("passwords: ignore")("POST", "/Bulk", whole).status == 200


def test_unknown_attribute_is_ignored_or_rejected(serve: Callable[..., Ask]):
    nothing = {"foo": None, "bar": [], "baz": "", "urn:x": {}}
    ask = serve("unknownAttributes: ignore")
    path = f"/Users/{create(ask, userName='ann', titel='Boss', **nothing)}"
    assert ask("PUT", path, {"userName": "ann", "titel": "Boss"}).status == 200
    ask = serve("unknownAttributes: reject")
    for method, target in (("POST", "/Users"), ("PUT", path)):
        answer = ask(method, target, {"userName": "bob", "titel": "Boss"})
        assert_scim_error(answer, 400, "invalidValue")
        assert "the unknown attribute 'titel', did you mean 'title'?" in answer.body["detail"]
        known = {"userName": f"{method}-bob", "department": "D", "meta": {"x": 1}, "name.givenName": "B"}
        assert ask(method, target, known | nothing).status in (200, 201)
