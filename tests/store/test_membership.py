"""Who is a member of which group: directly, through other groups, in circles."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimsvc.protocol.filter import parse_path
from scimsvc.protocol.members import RemoveWhere
from scimsvc.schema.core import GROUP_TYPE
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.membership import MembershipStore
from scimsvc.store.migrations import migrate
from scimsvc.store.tenants import TenantRecord
from tests.store.resources import Resources


@dataclass
class Company:
    """Users u0, u1, … and groups g0, g1, … of one tenant; groups are told by the ids of their members."""

    users: Resources
    groups: Resources
    memberships: MembershipStore

    def seq(self, id_: str) -> int:
        return (self.groups if id_.startswith("g") else self.users).get(id_).seq

    def add(self, group: str, *members: str) -> int:
        return self.users.database.transaction(lambda: self.memberships.add(self.seq(group), members))

    def members(self, group: str) -> list[str]:
        return [member.id for member in self.memberships.members_of([self.seq(group)])]

    def groups_of(self, id_: str) -> dict[str, bool]:
        """The groups, and whether each is a direct one."""
        return {group.id: group.direct for group in self.memberships.groups_of([self.seq(id_)])}


def company_of(database: Database, tenant: TenantRecord, users: int = 3, groups: int = 3) -> Company:
    made = Company(Resources(database, tenant), Resources(database, tenant, GROUP_TYPE), MembershipStore(database, tenant.id))
    made.users.insert({f"u{number}": {"userName": f"u{number}", "displayName": f"User {number}"} for number in range(users)})
    made.groups.insert({f"g{number}": {"displayName": f"Group {number}"} for number in range(groups)})
    return made


@pytest.fixture
def company(shared_database: Database, tenant: TenantRecord) -> Company:
    return company_of(shared_database, tenant)


def test_members_are_users_and_groups_with_their_names(company: Company):
    company.add("g0", "g1", "u1", "u0")
    members = company.memberships.members_of([company.seq("g0"), company.seq("g1")])
    assert [(member.id, member.resource_type, member.display) for member in members] == [
        ("u0", "User", "User 0"),
        ("u1", "User", "User 1"),
        ("g1", "Group", "Group 1"),
    ]
    assert company.members("g1") == []


def test_change_answers_how_many_memberships_changed(company: Company):
    memberships, group = company.memberships, company.seq("g0")
    change = company.users.database.transaction
    assert company.add("g0", "u0", "u1", "u1") == 2
    assert company.add("g0", "u1", "u2") == 1
    assert company.add("g0", "unknown") == 0
    assert company.add("g0") == 0
    assert change(lambda: memberships.remove(group, ["u1", "u1", "g0", "unknown"])) == 1
    assert change(lambda: memberships.remove(group, [])) == 0
    assert company.members("g0") == ["u0", "u2"]
    assert change(lambda: memberships.keep(group, ["u2", "u1"])) == 1
    assert change(lambda: memberships.clear(group)) == 1
    assert company.members("g0") == []


def test_unknown_ids_are_named(company: Company):
    assert company.memberships.unknown(["u0", "nobody", "g1", "U0", ""]) == ["nobody", "U0", ""]
    assert company.memberships.unknown([]) == []
    assert len(company.memberships.unknown([f"x{number}" for number in range(100)])) == 10


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ('members[value eq "u0"]', ["u1", "g1"]),
        ('members[value eq "U0"]', ["u0", "u1", "g1"]),
        ('members[value ne "u0"]', ["u0"]),
        ('members[type eq "group"]', ["u0", "u1"]),
        ('members[type eq "User" and value sw "u"]', ["g1"]),
        ('members[value eq "u0" or value eq "g1"]', ["u1"]),
        ('members[not (value eq "u0")]', ["u0"]),
        ('members[value eq "u2"]', ["u0", "u1", "g1"]),
        ("members[value pr]", []),
        ('members[value eq "u0" and type eq "User"]', ["u1", "g1"]),
        ('members[value eq "u0" and type eq "Group"]', ["u0", "u1", "g1"]),
    ],
)
def test_members_are_removed_by_filter(company: Company, path: str, left: list[str]):
    company.add("g0", "u0", "u1", "g1")
    company.add("g2", "u0", "u1", "u2", "g1")
    value_filter = parse_path(path, GROUP_TYPE).value_filter
    assert value_filter
    group = company.seq("g0")
    by_id = RemoveWhere(value_filter).by_id
    gone = company.users.database.transaction(lambda: company.memberships.remove_where(group, value_filter, GROUP_TYPE, by_id))
    assert (company.members("g0"), gone) == (left, 3 - len(left))
    assert company.members("g2") == ["u0", "u1", "u2", "g1"]


@pytest.mark.parametrize("path", ['members[value co "x"]', 'members[not (value eq "u0")]', 'members[type eq "x"]'])
def test_removing_by_filter_costs_what_the_members_cost(new_database_url: Callable[[str], str], path: str):
    database = Database(new_database_url("sqlite"))
    migrate(database)
    company = company_of(database, tenants.create_tenant(database, "t", "entra"))
    company.add("g0", "u0", "u1")
    value_filter = parse_path(path, GROUP_TYPE).value_filter
    assert value_filter

    def steps() -> int:
        """Of SQLite's machine."""
        taken = []
        database.peewee.connection().set_progress_handler(lambda: taken.append(1), 1)
        group = company.seq("g0")
        with pytest.raises(LookupError):
            database.transaction(lambda: [company.memberships.remove_where(group, value_filter, GROUP_TYPE), {}["undo"]])
        database.peewee.connection().set_progress_handler(None, 1)
        return len(taken)

    before = steps()
    company.users.insert({f"v{number}": {"userName": f"v{number}"} for number in range(200)})
    assert steps() < before + 100
    database.close()


def test_groups_are_direct_or_through_other_groups(company: Company):
    company.add("g0", "u0")
    company.add("g1", "g0", "u1")
    company.add("g2", "g1", "u0")
    assert company.groups_of("u0") == {"g0": True, "g1": False, "g2": True}
    assert company.groups_of("u1") == {"g1": True, "g2": False}
    assert company.groups_of("u2") == {}
    assert company.groups_of("g0") == {"g1": True, "g2": False}


def test_circles_of_groups_end(company: Company):
    company.add("g0", "u0", "g2")
    company.add("g1", "g0")
    company.add("g2", "g1", "g2")
    assert company.groups_of("u0") == {"g0": True, "g1": False, "g2": False}
    assert company.groups_of("g0") == {"g1": True, "g2": False, "g0": False}
    assert company.users.found('groups.value eq "g1"') == ["u0"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('groups.value eq "g0"', ["u0"]),
        ('groups.value eq "g1"', ["u0", "u1"]),
        ('groups eq "g1"', ["u0", "u1"]),
        ('groups[value eq "g1"]', ["u0", "u1"]),
        ('groups.value eq "G1"', []),
        ('groups.value sw "g"', ["u0", "u1"]),
        ("groups pr", ["u0", "u1"]),
        ("not (groups pr)", ["u2"]),
        ('not (groups.value eq "g0")', ["u1", "u2"]),
        ('groups.value eq "g1" and userName eq "u1"', ["u1"]),
        ('groups.value ne "g0"', ["u0", "u1", "u2"]),
        ('groups.value ne "g1"', ["u0", "u2"]),
    ],
)
def test_users_are_found_by_their_groups(company: Company, text: str, ids: list[str]):
    company.add("g0", "u0")
    company.add("g1", "g0", "u1")
    assert company.users.found(text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('members.value eq "u0"', ["g0"]),
        ('members eq "u1"', ["g1"]),
        ('members[value eq "g0"]', ["g1"]),
        ('members.type eq "Group"', ["g1"]),
        ('members[type eq "User" and value eq "g0"]', []),
        ('members.value eq "u0" and id eq "g0"', ["g0"]),
        ("members pr", ["g0", "g1"]),
        ('members.value ne "u0"', ["g1", "g2"]),
        ('members.type ne "User"', ["g1", "g2"]),
        ('not (members.value eq "u0")', ["g1", "g2"]),
    ],
)
def test_groups_are_found_by_their_direct_members(company: Company, text: str, ids: list[str]):
    company.add("g0", "u0")
    company.add("g1", "g0", "u1")
    assert company.groups.found(text) == ids


def test_resource_that_goes_leaves_its_groups_and_lets_go_of_its_members(company: Company):
    company.add("g0", "u0", "g1")
    company.add("g1", "u0", "u1")
    company.add("g2", "u1")
    versions = {id_: company.groups.get(id_).version for id_ in ("g0", "g2")}

    def work() -> None:
        stored = company.groups.get("g1")
        company.memberships.forget(stored.seq)
        company.groups.store.delete(stored)

    company.users.database.transaction(work)
    assert company.members("g0") == ["u0"]
    assert (company.groups_of("u0"), company.groups_of("u1")) == ({"g0": True}, {"g2": True})
    assert company.groups.get("g0").version == versions["g0"] + 1
    assert company.groups.get("g2").version == versions["g2"]


def test_resource_knows_whether_it_is_in_a_group(company: Company):
    company.add("g0", "u0")
    assert [bool(company.users.get(id_).in_groups) for id_ in ("u0", "u1")] == [True, False]
    assert [bool(stored.in_groups) for stored in company.users.store.page(None, 0, 9)] == [True, False, False]


def test_other_tenants_resources_are_no_members(company: Company, new_tenant: Callable[[], TenantRecord]):
    other = company_of(company.users.database, new_tenant(), users=1, groups=1)
    other.users.insert({"stranger": {"userName": "stranger"}})
    assert company.add("g0", "stranger", "u0") == 1
    assert company.memberships.unknown(["stranger", "u0"]) == ["stranger"]
    assert company.memberships.members_of([other.seq("g0")]) == []
    group = company.seq("g0")
    assert company.users.database.transaction(lambda: other.memberships.remove(group, ["u0"])) == 0
    assert company.users.database.transaction(lambda: other.memberships.clear(group)) == 0
    assert other.memberships.groups_of([company.seq("u0")]) == []
    assert other.users.found('groups.value eq "g0"') == []
    assert other.groups.found('members.value eq "u0"') == []
    assert company.members("g0") == ["u0"]


def above(start: str, edges: Iterable[tuple[str, str]]) -> dict[str, bool]:
    """The groups of a resource by walking up, and whether each is a direct one."""
    direct = {group for group, member in edges if member == start}
    reached, front = set(direct), direct
    while front:
        front = {group for group, member in edges if member in front} - reached
        reached |= front
    return {group: group in direct for group in reached}


NAMES = [*(f"u{number}" for number in range(3)), *(f"g{number}" for number in range(4))]
EDGES = st.sets(st.tuples(st.sampled_from(NAMES[3:]), st.sampled_from(NAMES)), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(added=EDGES, removed=EDGES)
def test_any_memberships_read_the_same_from_both_sides(
    shared_database: Database,
    new_tenant: Callable[[], TenantRecord],
    added: set[tuple[str, str]],
    removed: set[tuple[str, str]],
):
    company = company_of(shared_database, new_tenant(), 3, 4)
    seqs = {name: company.seq(name) for name in NAMES}

    def work() -> None:
        for group, member in sorted(added):
            company.memberships.add(seqs[group], [member])
        for group, member in sorted(removed):
            company.memberships.remove(seqs[group], [member])

    shared_database.transaction(work)
    edges = added - removed
    for group in NAMES[3:]:
        assert company.members(group) == [name for name in NAMES if (group, name) in edges]
        users = [name for name in NAMES[:3] if group in above(name, edges)]
        assert company.users.found(f'groups.value eq "{group}"') == users
        assert company.groups.found(f'members.value eq "{group}"') == [one for one in NAMES[3:] if (one, group) in edges]
    for name in NAMES:
        assert company.groups_of(name) == above(name, edges)
    many = company.memberships.groups_of(list(seqs.values()))
    assert {(group.member_seq, group.id, group.direct) for group in many} == {
        (seqs[name], group, direct) for name in NAMES for group, direct in above(name, edges).items()
    }


def meanwhile(database: Database, first: Callable[[], object], second: Callable[[], object]) -> None:
    """Two transactions on PostgreSQL: the second begins when the first has done its work, which then waits to be committed until
    the second waits for it, or has ended.
    """
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"

    def of_thread() -> None:
        try:
            database.transaction(second)
        finally:
            database.close()

    with ThreadPoolExecutor(1) as threads:

        def work() -> Future[None]:
            first()
            other = threads.submit(of_thread)
            while not other.done() and not database.execute(waiting, {}).fetchall():
                pass
            return other

        database.transaction(work).result(30)


@pytest.fixture
def on_postgresql(company: Company) -> Company:
    if company.users.database.kind != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    return company


@pytest.mark.parametrize("retire", [True, False])
@pytest.mark.parametrize("by_external_id", [True, False])
def test_who_is_deleted_while_he_is_added_is_no_member(on_postgresql: Company, retire: bool, by_external_id: bool):
    company, group = on_postgresql, on_postgresql.seq("g0")
    memberships = MembershipStore(company.users.database, company.users.tenant.id, by_external_id)
    for resources, id_ in ((company.users, "u0"), (company.groups, "g1")):

        def delete(resources: Resources = resources, id_: str = id_) -> None:
            stored = resources.store.lock_to_delete(id_)
            assert stored
            memberships.forget(stored.seq)
            (resources.store.retire if retire else resources.store.delete)(stored)

        def add(id_: str = id_) -> None:
            memberships.add(group, [id_, "u1"])

        meanwhile(company.users.database, delete, add)
        assert company.members("g0") == ["u1"]
        company.users.database.transaction(lambda: company.memberships.clear(group))


@pytest.mark.parametrize("retire", [True, False])
def test_who_is_added_while_he_is_deleted_is_no_member(on_postgresql: Company, retire: bool):
    company, group = on_postgresql, on_postgresql.seq("g0")

    def delete() -> None:
        stored = company.users.store.lock_to_delete("u0")
        assert stored
        company.memberships.forget(stored.seq)
        (company.users.store.retire if retire else company.users.store.delete)(stored)

    meanwhile(company.users.database, lambda: company.memberships.add(group, ["u0", "u1"]), delete)
    assert company.members("g0") == ["u1"]


def test_users_who_are_changed_and_those_who_become_members_do_not_wait_for_each_other(on_postgresql: Company):
    company, group = on_postgresql, on_postgresql.seq("g0")
    ended = []

    def change() -> None:
        company.users.store.touch(company.users.get("u0"), "patch")

    def add() -> None:
        company.memberships.add(group, ["u0"])
        ended.append(True)

    meanwhile(company.users.database, change, add)
    meanwhile(company.users.database, lambda: company.memberships.add(group, ["u1"]), change)
    assert (ended, company.members("g0")) == ([True], ["u0", "u1"])


@pytest.mark.parametrize("retire", [True, False])
def test_a_group_that_is_deleted_meanwhile_gets_no_member_it_waited_for(on_postgresql: Company, retire: bool):
    company, group = on_postgresql, on_postgresql.seq("g0")
    database = company.users.database
    database.transaction(lambda: company.memberships.wait_for(group, ["later"]))

    def delete() -> None:
        stored = company.groups.store.lock_to_delete("g0")
        assert stored
        company.memberships.forget(stored.seq)
        company.memberships.wait_no_more(stored.seq)
        (company.groups.store.retire if retire else company.groups.store.delete)(stored)

    meanwhile(database, delete, lambda: company.memberships.welcome(company.seq("u0"), ["later"]))
    assert company.groups_of("u0") == {}


@pytest.mark.parametrize("remove", [True, False])
def test_who_is_no_longer_waited_for_becomes_no_member_meanwhile(on_postgresql: Company, remove: bool):
    company, group = on_postgresql, on_postgresql.seq("g0")
    database = company.users.database
    database.transaction(lambda: company.memberships.wait_for(group, ["later"]))

    def leave() -> None:
        company.groups.get("g0")
        company.memberships.wait_no_more(group, ["later"] if remove else None)

    meanwhile(database, leave, lambda: company.memberships.welcome(company.seq("u0"), ["later"]))
    assert company.members("g0") == []


def test_who_comes_while_he_is_waited_for_becomes_a_member(on_postgresql: Company):
    company, group = on_postgresql, on_postgresql.seq("g0")
    database, name = company.users.database, {"externalId": "later"}
    memberships = MembershipStore(database, company.users.tenant.id, by_external_id=True)

    def come(id_: str) -> None:
        new = company.users.store.prepare(id_, company.users.document(id_, name | {"userName": id_}))
        memberships.welcome(company.users.store.insert(new).seq, [id_, "later"])

    def wait() -> None:
        memberships.take_turn(["later"])
        company.groups.get("g0")
        memberships.wait_for(group, ["later"])
        memberships.add(group, ["later"])

    def leave(id_: str) -> None:
        memberships.forget(company.seq(id_))
        company.users.store.delete(company.users.get(id_))

    meanwhile(database, lambda: come("x"), wait)
    assert company.members("g0") == ["x"]
    database.transaction(lambda: leave("x"))
    meanwhile(database, wait, lambda: come("y"))
    assert company.members("g0") == ["y"]
    # The name was waited for already: neither gives way to the other.
    database.transaction(lambda: leave("y"))
    database.transaction(wait)
    meanwhile(database, wait, lambda: come("z"))
    assert company.members("g0") == ["z"]


def test_what_is_purged_leaves_its_groups(company: Company):
    company.add("g0", "u0", "u1", "g1")
    company.add("g1", "u1")

    def retire() -> None:
        company.users.store.retire(company.users.get("u0"))
        company.groups.store.retire(company.groups.get("g1"))

    company.users.database.transaction(retire)
    for resources in (company.users, company.groups):
        assert resources.database.transaction(lambda store=resources.store: store.purge("9999", 10)) == 1
    assert company.members("g0") == ["u1"]
    assert company.groups_of("u1") == {"g0": True}
