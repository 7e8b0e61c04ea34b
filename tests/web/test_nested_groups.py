"""However groups are nested, a change of a member is quick to store, and what its answer shows is read after that."""

from collections.abc import Callable
from typing import Any

import pytest

from scimsvc.service import resources
from scimsvc.store.database import DatabaseUnavailable
from scimsvc.store.membership import MembershipStore
from tests.support.api import Api
from tests.support.errors import assert_scim_error

TITLE = {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}


def web(api: Api, size: int) -> str:
    """A user in the last of some groups, each of which is a member of all before it."""
    members: list[str] = [api.create("/Users", userName="u")]
    for number in range(size):
        everyone = [{"value": one} for one in members[-1 if number == 0 else 1 :]]
        members.append(api.create("/Groups", displayName=f"g{number}", externalId=f"g{number}", members=everyone))
    return members[0]


def test_groups_are_gone_through_up_to_a_limit(api: Api, monkeypatch: pytest.MonkeyPatch):
    path = f"/Users/{web(api, 5)}"
    # The user is in the first, and each is in all that come after it.
    links = 1 + 4 + 3 + 2 + 1
    monkeypatch.setattr(resources, "MAX_LINKS", links)
    whole = api("GET", path)
    assert [(one["display"], one["type"]) for one in whole.body["groups"]] == [
        ("g0", "direct"),
        *((f"g{number}", "indirect") for number in range(1, 5)),
    ]
    monkeypatch.setattr(resources, "MAX_LINKS", links - 1)
    refused = api("GET", path)
    assert_scim_error(refused, 400, "tooMany")
    assert "excludedAttributes=groups,meta" in refused.body["detail"]
    without = api("GET", f"{path}?excludedAttributes=groups,meta")
    assert (without.status, without.body["userName"]) == (200, "u")
    for method, body in (("PATCH", TITLE), ("PUT", {"userName": "u", "title": "y"})):
        changed = api(method, path, body)
        assert (changed.status, "groups" in changed.body) == (200, False)
    monkeypatch.undo()
    assert api("GET", path).body["title"] == "y"


def test_rows_that_are_read_for_groups_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch):
    web(api, 8)
    database = api.database
    tenant, user = database.execute("SELECT tenant_id, MIN(seq) FROM resource GROUP BY tenant_id", ()).fetchone()
    fetched: list[int] = []
    execute = database.execute

    class Counting:
        def __init__(self, cursor: Any) -> None:
            self._cursor = cursor

        def fetchall(self) -> Any:
            rows = self._cursor.fetchall()
            fetched.append(len(rows))
            return rows

    monkeypatch.setattr(database, "execute", lambda sql, parameters: Counting(execute(sql, parameters)))
    store = MembershipStore(database, tenant)
    for members in ([user], [user, user + 1, user + 2]):
        assert store.groups_of(members, 10) is None
    assert fetched == [11, 11]
    # What leads to the groups counts for each of the resources.
    assert store.groups_of([user, user + 1], 29 + 28 - 1) is None
    found = store.groups_of([user, user + 1], 29 + 28)
    assert found
    assert len(found) == 8 + 7


@pytest.mark.parametrize("failing", [False, True])
def test_what_only_the_answer_shows_is_read_after_the_commit(api: Api, monkeypatch: pytest.MonkeyPatch, failing: bool):
    user = web(api, 3)
    group = api("GET", '/Groups?filter=displayName+eq+"g0"').body["Resources"][0]["id"]
    database = api.database
    inside, read = [False], []
    transaction = database.transaction

    def noted(work: Callable[[], Any]) -> Any:
        def working() -> Any:
            inside[0] = True
            try:
                return work()
            finally:
                inside[0] = False

        return transaction(working)

    def watched(name: str) -> Callable[..., Any]:
        original = getattr(MembershipStore, name)

        def reading(store: MembershipStore, *arguments: Any) -> Any:
            assert not inside[0]
            read.append(name)
            if failing:
                raise DatabaseUnavailable("lost", "unreachable")
            return original(store, *arguments)

        return reading

    monkeypatch.setattr(database, "transaction", noted)
    for name in ("groups_of", "members_of"):
        monkeypatch.setattr(MembershipStore, name, watched(name))
    of_user = [api("PATCH", f"/Users/{user}", TITLE), api("PUT", f"/Users/{user}", {"userName": "u", "title": "t"})]
    bodies = {"displayName": "g0", "externalId": "g0", "members": [{"value": user}]}
    of_group = [api("PUT", f"/Groups/{group}", bodies), api("POST", "/Groups", bodies | {"externalId": "new"})]
    assert read == ["groups_of", "groups_of", "members_of", "members_of"]
    assert [answer.status for answer in of_user + of_group] == [200, 200, 200, 201]
    # What can't be read is left out: the change is stored.
    assert ["groups" in answer.body for answer in of_user] == [not failing] * 2
    assert ["members" in answer.body for answer in of_group] == [not failing] * 2
    monkeypatch.undo()
    assert api("GET", f"/Users/{user}").body["title"] == "t"
    assert len(api("GET", f"/Groups/{of_group[1].body['id']}").body["members"]) == 1
