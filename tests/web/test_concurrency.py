"""Many requests at the same moment, through several workers: each counts once, and none is lost."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.support.client import Answer, Client
from tests.support.parallel import at_once, connections

PARALLEL = 8


@contextmanager
def several(client: Client, number: int = PARALLEL) -> Iterator[list[Client]]:
    made = connections(client, number)
    yield made
    for one in made:
        one.close()


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


@pytest.mark.parametrize(
    "body",
    [
        lambda number: {"userName": "ann"},
        lambda number: {"userName": "ANN" if number % 2 else "ann"},
        lambda number: {"userName": f"ann{number}", "externalId": "e"},
    ],
    ids=["userName", "case", "externalId"],
)
def test_of_eight_creates_of_one_user_one_is_done(client: Client, body: Callable[[int], dict[str, str]]) -> None:
    with several(client) as clients:
        for _ in range(5):
            answers = at_once(partial(one.post, "/Users", body(number)) for number, one in enumerate(clients))
            assert statuses(answers) == {201: 1, 409: PARALLEL - 1}
            assert all(answer.body["scimType"] == "uniqueness" for answer in answers if answer.status == 409)
            (made,) = [answer.body["id"] for answer in answers if answer.status == 201]
            assert [user["id"] for user in client.get("/Users").body["Resources"]] == [made]
            assert client.delete(f"/Users/{made}").status == 204


def test_of_eight_creates_of_one_group_one_is_done(client: Client) -> None:
    with several(client) as clients:
        answers = at_once(partial(one.post, "/Groups", {"displayName": "g", "externalId": "e"}) for one in clients)
    assert statuses(answers) == {201: 1, 409: PARALLEL - 1}
    assert client.get("/Groups").body["totalResults"] == 1


def test_two_resources_that_want_one_name_do_not_both_get_it(client: Client) -> None:
    users = [client.post("/Users", {"userName": f"user{number}"}).body["id"] for number in range(PARALLEL)]
    rename = {"op": "replace", "path": "userName", "value": "ann"}
    with several(client) as clients:
        answers = at_once(partial(one.patch, f"/Users/{user}", rename) for one, user in zip(clients, users, strict=True))
    assert statuses(answers) == {200: 1, 409: PARALLEL - 1}
    assert client.filter("/Users", 'userName eq "ann"').body["totalResults"] == 1


def test_a_hundred_members_that_are_added_one_by_one_at_once_all_land(client: Client) -> None:
    users = [client.post("/Users", {"userName": f"user{number}"}).body["id"] for number in range(100)]
    group = client.post("/Groups", {"displayName": "g", "externalId": "g"}).body["id"]

    def add(one: Client, share: list[str]) -> list[Answer]:
        return [one.patch(f"/Groups/{group}", {"op": "Add", "path": "members", "value": [{"value": user}]}) for user in share]

    with several(client) as clients:
        answers = at_once(partial(add, one, users[number::PARALLEL]) for number, one in enumerate(clients))
    assert statuses([answer for share in answers for answer in share]) == {204: 100}
    found = client.get(f"/Groups/{group}")
    assert {member["value"] for member in found.body["members"]} == set(users)
    assert found.body["meta"]["version"] == 'W/"101"'


def test_members_that_are_added_and_removed_at_once_end_as_they_were_asked_to(client: Client) -> None:
    users = [client.post("/Users", {"userName": f"user{number}"}).body["id"] for number in range(40)]
    stay, leave = users[::2], users[1::2]
    group = client.post("/Groups", {"displayName": "g", "externalId": "g", "members": [{"value": user} for user in leave]}).body[
        "id"
    ]

    def change(one: Client, number: int) -> list[Answer]:
        return [
            one.patch(f"/Groups/{group}", {"op": op, "path": "members", "value": [{"value": user}]})
            for op, shares in (("Add", stay), ("Remove", leave))
            for user in shares[number::PARALLEL]
        ]

    with several(client) as clients:
        answers = at_once(partial(change, one, number) for number, one in enumerate(clients))
    assert statuses([answer for share in answers for answer in share]) == {204: 40}
    assert {member["value"] for member in client.get(f"/Groups/{group}").body["members"]} == set(stay)


CHANGES = {
    "title": "Engineer",
    "displayName": "Ann",
    "nickName": "Annie",
    "name.givenName": "Ann",
    "name.familyName": "Smith",
    'emails[type eq "work"].value': "ann@example.com",
    'phoneNumbers[type eq "mobile"].value': "555",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "R&D",
}


def test_patches_of_different_attributes_of_one_user_all_land(client: Client) -> None:
    user = client.post("/Users", {"userName": "ann"}).body["id"]
    with several(client) as clients:
        for turn in range(5):
            answers = at_once(
                partial(one.patch, f"/Users/{user}", {"op": "replace", "path": path, "value": f"{value}{turn}"})
                for one, (path, value) in zip(clients, CHANGES.items(), strict=True)
            )
            assert statuses(answers) == {200: PARALLEL}
    found = client.get(f"/Users/{user}").body
    assert found["meta"]["version"] == f'W/"{1 + 5 * PARALLEL}"'
    for path, value in CHANGES.items():
        text = f'{path} eq "{value}4"'
        assert client.filter("/Users", text).body["totalResults"] == 1, text


def test_with_if_match_one_of_many_writers_wins_and_without_nobody_gets_412(client: Client) -> None:
    user = client.post("/Users", {"userName": "ann"}).body["id"]

    def titled(one: Client, number: int, headers: dict[str, str]) -> Answer:
        return one.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": f"t{number}"}, headers=headers)

    with several(client) as clients:
        for _ in range(5):
            version = client.get(f"/Users/{user}").headers["ETag"]
            answers = at_once(partial(titled, one, number, {"If-Match": version}) for number, one in enumerate(clients))
            assert statuses(answers) == {200: 1, 412: PARALLEL - 1}
            assert statuses(at_once(partial(titled, one, n, {}) for n, one in enumerate(clients))) == {200: PARALLEL}
            client.patch(f"/Users/{user}", {"op": "remove", "path": "title"})


def test_create_and_delete_of_one_name_in_turns_never_fails(client: Client) -> None:
    def turns(one: Client) -> set[int]:
        seen = set()
        for _ in range(10):
            made = one.post("/Users", {"userName": "ann", "externalId": "e"})
            seen.add(made.status)
            if made.status == 201:
                seen.add(one.delete(f"/Users/{made.body['id']}").status)
        return seen

    with several(client) as clients:
        assert set().union(*at_once(partial(turns, one) for one in clients)) <= {201, 204, 409}
    assert client.get("/Users").body["totalResults"] == 0


def test_a_member_that_is_deleted_while_it_is_added_is_no_member(client: Client) -> None:
    group = client.post("/Groups", {"displayName": "g", "externalId": "g"}).body["id"]
    users = [client.post("/Users", {"userName": f"user{number}"}).body["id"] for number in range(20)]
    with several(client, 2) as (first, second):
        for user in users:
            add = {"op": "Add", "path": "members", "value": [{"value": user}]}
            added, deleted = at_once([partial(first.patch, f"/Groups/{group}", add), partial(second.delete, f"/Users/{user}")])
            assert (added.status in (204, 400), deleted.status) == (True, 204)
    assert client.get(f"/Groups/{group}").body["members"] == []
