"""The journal: what a row says, the order in which rows are read, and what is removed again."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.model import Attribute, ResourceType, Schema
from scimsvc.store import journal, tenants
from scimsvc.store.actor import Actor
from scimsvc.store.database import Database
from scimsvc.store.journal import Journal, Refusal, Repeats, count_refusals
from scimsvc.store.journal_details import OutsideDocument, State, after_change, before_change, changed, whole
from scimsvc.store.journal_reading import BEGINNING, Entry, JournalReader, Place, earlier_states
from scimsvc.store.journal_retention import NothingKnown, StillLive, count_expired, delete_expired, erase
from scimsvc.store.membership import MembershipStore
from scimsvc.store.querying.index import Indexer
from scimsvc.store.resources import ResourceStore
from scimsvc.store.tenants import TenantRecord
from tests.store.resources import Resources

ACTOR = Actor("token", "7", "request-1")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "é", '"']),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abc"), inside, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4).map(lambda values: {"id": "1"} | values)


class Company:
    """Users and groups of a tenant, changed in the name of one actor."""

    def __init__(self, database: Database, tenant: TenantRecord) -> None:
        self.database, self.tenant = database, tenant
        self.journal = Journal(database, tenant.id, ACTOR)
        self.users = ResourceStore(database, tenant.id, USER_TYPE, Indexer(USER_TYPE, ()), self.journal)
        self.groups = ResourceStore(database, tenant.id, GROUP_TYPE, Indexer(GROUP_TYPE, ()), self.journal)
        self.memberships = MembershipStore(database, tenant.id, by_external_id=True, journal=self.journal)
        self.reader = JournalReader(database, tenant.id)

    def do(self, work: Callable[[], Any]) -> Any:
        return self.database.transaction(work)

    def user(self, id_: str, **values: Any) -> None:
        document = {"schemas": [USER_TYPE.schema.id], "id": id_, "userName": id_, **values}
        self.do(lambda: self.users.insert(self.users.prepare(id_, document)))

    def group(self, id_: str, *members: str) -> None:
        document = {"schemas": [GROUP_TYPE.schema.id], "id": id_, "displayName": id_}
        new = self.groups.prepare(id_, document)
        self.do(lambda: self.groups.insert(new, lambda stored, outside: self.memberships.add(stored.seq, members, outside)))

    def join(self, group: str, *members: str) -> None:
        stored, outside = self.groups.lock(group), OutsideDocument()
        assert stored
        self.memberships.add(stored.seq, members, outside)
        self.groups.touch(stored, "patch", outside)

    def delete(self, id_: str, retire: bool = False) -> None:
        def work() -> None:
            stored, outside = self.users.lock_to_delete(id_), OutsideDocument()
            assert stored
            self.memberships.forget(stored.seq, outside)
            (self.users.retire if retire else self.users.delete)(stored, outside)

        self.do(work)


@pytest.fixture
def company(shared_database: Database, tenant: TenantRecord) -> Company:
    return Company(shared_database, tenant)


def own(company: Company) -> list[Entry]:
    """The rows of the company, without the one of the tenant itself."""
    return [entry for entry in company.reader.all() if entry.resource_type != "Tenant"]


@given(DOCUMENTS, DOCUMENTS)
def test_a_change_can_be_undone_and_done_again(former: dict[str, Any], new: dict[str, Any]):
    details = json.loads(changed(former, new, USER_TYPE))
    assert before_change(State(new), details) == State(former)
    assert after_change(State(former), details) == State(new)


def test_only_what_differs_is_in_a_row_also_inside_of_an_attribute():
    former = {"id": "1", "name": {"givenName": "A", "familyName": "B"}, "title": "x", "emails": [{"value": "a@x"}]}
    new = {"id": "1", "name": {"givenName": "C", "familyName": "B"}, "nickName": "y", "emails": [{"value": "a@x"}]}
    assert json.loads(changed(former, new, USER_TYPE)) == {
        "before": {"name": {"givenName": "A"}, "title": "x"},
        "after": {"name": {"givenName": "C"}, "nickName": "y"},
    }


def test_who_is_removed_and_added_again_is_no_change():
    outside = OutsideDocument()
    outside.remove_members(["a", "b"])
    outside.add_members(["a", "c"])
    assert outside.parts() == ['"membersAdded":["c"]', '"membersRemoved":["b"]']


def test_values_that_are_never_returned_are_not_kept():
    secret = Attribute("pin", "string", returned="never")
    attributes = (Attribute("displayName", "string"), Attribute("card", "complex", sub_attributes=(secret,)))
    kind = ResourceType("Device", "/Devices", "", Schema("urn:x", "Device", "", attributes))
    document = {"id": "1", "displayName": "d", "card": {"pin": "1234"}}
    assert "1234" not in whole("after", json.dumps(document, separators=(",", ":")), kind)
    assert "1234" not in changed({"id": "1"}, document, kind)
    assert json.loads(changed({"id": "1"}, document, kind)) == {"after": {"displayName": "d", "card": {}}}


def test_a_row_says_who_did_what(company: Company):
    company.user("u")
    (entry,) = own(company)
    assert entry[2:8] == ("token:7", "request-1", "User", "u", "create", 1)
    assert entry.values == {"after": {"schemas": [USER_TYPE.schema.id], "id": "u", "userName": "u"}}


def test_groups_of_a_deleted_user_have_a_row_each(company: Company):
    for name in ("a", "b"):
        company.user(name)
    company.group("g", "a", "b")
    company.group("h", "a")
    company.delete("a")
    last = own(company)[-3:]
    assert sorted((one.action, one.resource_id, one.version) for one in last) == [
        ("delete", "a", 2),
        ("leave", "g", 2),
        ("leave", "h", 2),
    ]
    assert [one.values for one in last if one.action == "leave"] == [{"membersRemoved": ["a"]}] * 2
    assert {one.actor for one in last} == {"token:7"}


def test_groups_that_waited_for_a_user_have_a_row_each(company: Company):
    company.group("g")
    company.group("h")
    company.user("other")
    company.do(lambda: company.join("h", "other"))
    for name in ("g", "h"):
        outside, stored = OutsideDocument(), company.groups.find(name)
        assert stored
        company.do(lambda stored=stored, outside=outside: company.memberships.wait_for(stored.seq, ["later"], outside))
        assert outside.parts() == ['"pendingAdded":["later"]']
    company.user("u", externalId="later")
    stored = company.users.find("u")
    assert stored
    assert company.do(lambda: company.memberships.welcome(stored.seq, ["later"])) == 2
    assert sorted((one.action, one.resource_id, one.version, one.details) for one in own(company)[-2:]) == [
        ("join", "g", 2, '{"membersAdded":["u"]}'),
        ("join", "h", 3, '{"membersAdded":["u"]}'),
    ]
    assert company.do(lambda: company.memberships.welcome(stored.seq, ["later"])) == 0


def test_a_row_costs_what_the_change_costs_whatever_the_size_of_the_group(company: Company):
    names = [f"m{number}" for number in range(300)]
    for name in [*names, "new"]:
        company.user(name)
    company.group("g", *names)
    company.do(lambda: company.join("g", "new"))
    assert own(company)[-1].details == '{"membersAdded":["new"]}'


def test_a_group_that_is_its_own_member_has_each_version_once(company: Company):
    company.group("g")
    company.do(lambda: company.join("g", "g"))
    stored, outside = company.groups.find("g"), OutsideDocument()
    assert stored

    def delete() -> None:
        company.memberships.forget(stored.seq, outside)
        company.groups.delete(stored, outside)

    company.do(delete)
    assert [(one.action, one.version) for one in company.reader.of_resource("g")] == [("create", 1), ("patch", 2), ("delete", 3)]
    states = dict(earlier_states(State(None), reversed(list(company.reader.of_resource("g")))))
    assert [states[version].members for version in (1, 2)] == [frozenset(), frozenset({"g"})]


@pytest.fixture
def on_postgresql(company: Company) -> Company:
    if company.database.kind != "postgresql":
        pytest.skip("SQLite has one writer at a time, so its rows are in the order of commits")
    return company


class Open:
    """A transaction in a thread of its own that has done its work and waits before it commits."""

    def __init__(self, threads: ThreadPoolExecutor, database: Database, work: Callable[[], Any]) -> None:
        self.done, self.go_on = Event(), Event()

        def then_wait() -> None:
            work()
            self.done.set()
            assert self.go_on.wait(60)

        def run() -> None:
            database.transaction(then_wait)
            database.close()

        self._future = threads.submit(run)
        assert self.done.wait(60)

    def commit(self) -> None:
        self.go_on.set()
        self._future.result(60)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def ids_behind(company: Company, place: Place) -> tuple[list[str], Place]:
    with company.database.reading():
        page = company.reader.page(place, 100)
    return [entry.resource_id for _, entry in page], page[-1][0] if page else place


def both_behind(company: Company, place: Place) -> tuple[list[str], Place]:
    """The same as soon as there are two rows: transactions of the server's own end after a moment."""
    while len(ids_behind(company, place)[0]) < 2:
        pass
    return ids_behind(company, place)


def write(company: Company, name: str) -> Callable[[], None]:
    return lambda: company.journal.write("patch", "User", name, "2026-01-01T00:00:00.000", "{}", 1)


def test_a_row_that_is_committed_late_is_not_passed(on_postgresql: Company, threads: ThreadPoolExecutor):
    company = on_postgresql
    place = BEGINNING
    while not ids_behind(company, place)[0]:
        pass
    _, place = ids_behind(company, place)
    late = Open(threads, company.database, write(company, "late"))
    company.do(write(company, "early"))
    assert ids_behind(company, place) == ([], place)
    later = Open(threads, company.database, write(company, "later"))
    late.commit()
    found, place = both_behind(company, place)
    assert found == ["late", "early"]
    company.do(write(company, "last"))
    assert ids_behind(company, place) == ([], place)
    later.commit()
    found, place = both_behind(company, place)
    assert found == ["later", "last"]
    assert ids_behind(company, place) == ([], place)


def test_rows_of_a_group_are_in_the_order_of_its_versions(on_postgresql: Company, threads: ThreadPoolExecutor):
    company = on_postgresql
    company.user("a")
    company.user("b")
    company.group("g", "a")
    first, second = Event(), Event()

    def leave() -> None:
        # It has its number before the other one, and gets the group after it.
        company.users.lock_to_delete("a")
        first.set()
        assert second.wait(60)
        stored = company.users.find("a")
        assert stored
        company.memberships.forget(stored.seq)
        company.users.delete(stored)

    def run() -> None:
        company.database.transaction(leave)
        company.database.close()

    leaving = threads.submit(run)
    assert first.wait(60)
    joining = Open(threads, company.database, lambda: company.join("g", "b"))
    second.set()
    joining.commit()
    leaving.result(60)
    versions = [entry.version for entry in company.reader.all() if entry.resource_id == "g"]
    assert versions == [1, 2, 3]


def test_positions_go_on_after_a_restore_into_another_server(on_postgresql: Company):
    company = on_postgresql
    company.user("a")
    company.do(lambda: company.database.execute("UPDATE journal SET position = position + 1000000000000", ()))
    try:
        company.do(lambda: journal.continue_positions(company.database))
        before = company.database.execute("SELECT base FROM journal_base", ()).fetchone()
        company.do(lambda: journal.continue_positions(company.database))
        assert company.database.execute("SELECT base FROM journal_base", ()).fetchone() == before
        assert before[0] > 1000000000000
        company.user("b")
        assert [entry.resource_id for entry in own(company)] == ["a", "b"]
    finally:
        company.do(lambda: company.database.execute("UPDATE journal_base SET base = 0", ()))
        company.do(lambda: company.database.execute("UPDATE journal SET position = 0 WHERE position >= 1000000000000", ()))


def test_pages_lead_on_and_a_place_is_found_by_its_row_and_by_time(company: Company):
    times = [f"2026-01-{day:02}T00:00:00.000" for day in range(1, 31)]
    for time in times:
        company.do(lambda time=time: company.journal.write("patch", "User", time, time, "{}", 1))
    first = next(iter(company.reader.all()))
    start = company.reader.place_of(first.seq)
    assert start
    found, place = [], start
    with company.database.reading():
        while page := company.reader.page(place, 7, so_far=True):
            found += [entry.at for _, entry in page]
            place = page[-1][0]
        assert company.reader.place_of(0) is None
    assert found == times
    company.do(lambda: company.database.execute(f"DELETE FROM journal WHERE seq = {first.seq}", ()))
    for since in (*times, "2026-01-04T12:00:00.000", "2027", "2025"):
        assert [entry.at for entry in company.reader.all(since)] == [time for time in times if time >= since]


def refuse(company: Company, at: str, id_: str = "u", times: int = 1, **more: Any) -> None:
    refusal = Refusal(company.tenant.id, "token:7", "PATCH", "/users/{id}", id_, 400, "invalidValue", "title", None)
    repeats = Repeats(times, at, at.replace("T0", "T1"), "request-1")
    company.do(lambda: count_refusals(company.database, {refusal._replace(**more): repeats}))


def test_refused_writes_are_counted_by_day(company: Company):
    refuse(company, "2026-01-01T01:00:00.000", times=2)
    refuse(company, "2026-01-01T02:00:00.000", times=3)
    refuse(company, "2026-01-01T02:00:00.000", status=409, scim_type="uniqueness")
    refuse(company, "2026-01-02T01:00:00.000")
    found = [(one.at, one.last_at, one.times, one.values["status"]) for one in company.reader.refused()]
    assert sorted(found) == [
        ("2026-01-01T01:00:00.000", "2026-01-01T12:00:00.000", 5, 400),
        ("2026-01-01T02:00:00.000", "2026-01-01T12:00:00.000", 1, 409),
        ("2026-01-02T01:00:00.000", "2026-01-02T11:00:00.000", 1, 400),
    ]
    assert len(list(company.reader.refused("2026-01-01T12:30:00.000"))) == 1
    assert len(list(company.reader.all("2026-01-01T11:30:00.000"))) == 4
    first = next(company.reader.refused())
    assert (first.action, first.version, first.request_id) == ("refuse", None, "request-1")
    assert first.values["attribute"] == "title"
    assert "rule" not in first.values


def test_expired_rows_go_in_small_batches_and_the_newest_stays(company: Company, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("scimsvc.store.journal_retention._BATCH", 4)
    for number in range(10):
        company.do(lambda number=number: company.journal.write("patch", "User", str(number), f"20{10 + number}", "{}", 1))
    company.do(
        lambda: company.database.execute(f"DELETE FROM journal WHERE tenant_id = {company.tenant.id} AND version IS NULL", ())
    )
    refuse(company, "2009-01-01T00:00:00.000", resource_id="refused")

    def left() -> list[str]:
        return [entry.resource_id for entry in company.reader.all()]

    for before, expected in (("2015", ["5", "6", "7", "8", "9"]), ("2030", [])):
        assert count_expired(company.database, company.tenant.id, before) == 11 - len(expected) - 1 - (
            5 if before == "2030" else 0
        )
        while company.do(lambda before=before: delete_expired(company.database, company.tenant.id, before)):
            pass
        assert left() == [*expected, "refused"]
    assert count_expired(company.database, company.tenant.id, "2030") == 0


def test_rows_of_an_older_version_tell_no_values_and_rebuilding_ends_there():
    def row(version: int, details: str | None) -> Entry:
        return Entry(version, "", "unknown", None, "User", "u", "patch", version, details, 1, None)

    rows = [row(1, None), row(2, None), row(3, '{"before":{"title":"a"},"after":{"title":"b"}}'), row(4, "{}")]
    found = dict(earlier_states(State({"title": "b"}), reversed(rows)))
    assert found == {4: State({"title": "b"}), 3: State({"title": "b"}), 2: State({"title": "a"})}


@pytest.mark.parametrize("retire", [True, False])
def test_who_is_erased_is_nowhere_any_more(company: Company, retire: bool):
    database, tenant = company.database, company.tenant
    company.user("mira", externalId="MIRA-X", title="Unmistakable")
    boss = {
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "mira", "displayName": "Mira Oh"}}
    }
    company.user("report", **boss)
    company.group("g", "mira", "report")
    stored = company.groups.find("g")
    assert stored
    outside = OutsideDocument()
    company.do(lambda: company.memberships.wait_for(stored.seq, ["MIRA-Y"], outside))
    outside.pending_added["MIRA-X"] = None
    company.do(lambda: company.groups.note_pending(stored, outside))
    tenants.create_token(database, tenant, "phone of Mira Oh", None, "me", "mira")
    refuse(company, "2026-01-01T00:00:00.000", id_="mira")
    with pytest.raises(StillLive):
        erase(database, tenant.id, "mira", ACTOR, lambda: None)
    company.delete("mira", retire)
    others = {entry.seq for entry in company.reader.all() if entry.resource_id != "mira"}
    for _ in range(2):
        erase(database, tenant.id, "mira", Actor("command", "db erase"), lambda: None)
    left = list(company.reader.all())
    assert [(one.action, one.actor, one.details) for one in left if one.resource_id == "mira"] == [
        ("erase", "command:db erase", "{}")
    ]
    assert {entry.seq for entry in left if entry.resource_id != "mira"} == others
    texts = " ".join(str(one.details) for one in left).lower()
    assert [name for name in ("mira-x", '"mira"', "mira oh", "unmistakable") if name in texts] == []
    assert {"report", "mira-y"} <= set(texts.replace('"', " ").split())
    assert [token.description for token in tenants.tokens(database, tenant)] == [""]
    rows = database.execute(f"SELECT id FROM resource WHERE tenant_id = {tenant.id} ORDER BY id", ()).fetchall()
    assert [id_ for (id_,) in rows] == ["g", "report"]
    with pytest.raises(NothingKnown):
        erase(database, tenant.id, "nobody", ACTOR, lambda: None)


def test_tenants_and_tokens_have_rows(company: Company):
    database, tenant = company.database, company.tenant
    secret = tenants.create_token(database, tenant, "Entra", None, actor=Actor("command", "token create"))
    (token,) = tenants.tokens(database, tenant)
    tenants.revoke_token(database, tenant, token.id)
    tenants.revoke_token(database, tenant, token.id)
    tenants.follow(database, tenant, "other")
    tenants.note_profile(database, "other", [tenant.id], ACTOR, after={"sha256": "ab"})
    rows = [(one.action, one.resource_type, one.resource_id, one.values) for one in company.reader.all()]
    assert rows == [
        ("create", "Tenant", tenant.name, {"after": {"profile": "entra"}}),
        ("create", "Token", str(token.id), {"after": {"scope": "scim", "description": "Entra"}}),
        ("delete", "Token", str(token.id), {}),
        ("patch", "Tenant", tenant.name, {"before": {"profile": "entra"}, "after": {"profile": "other"}}),
        ("replace", "Profile", "other", {"after": {"sha256": "ab"}}),
    ]
    assert secret not in str(rows)


def test_resources_written_without_an_actor_are_the_servers(shared_database: Database, tenant: TenantRecord):
    Resources(shared_database, tenant).insert({"u": {"userName": "u"}})
    *_, entry = JournalReader(shared_database, tenant.id).all()
    assert (entry.actor, entry.request_id) == ("server", None)
