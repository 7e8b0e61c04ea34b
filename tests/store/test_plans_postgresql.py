"""On PostgreSQL every statement reads what it is about, whatever the planner knows of the tables' contents.

Statements are recorded once, and executed again in databases with the same contents and other statistics. What is compared is
the number of blocks that are read: it is the same on every machine, and a wrong index shows in it as well as a whole table.
"""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scimsvc.protocol.filter import Filter, parse_filter, parse_path
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.paths import resolve
from scimsvc.store import journal, journal_reading, journal_retention, membership, reindex, resources, tenants
from scimsvc.store.database import Database, UniquenessViolation
from scimsvc.store.membership import MembershipStore
from scimsvc.store.migrations import migrate
from scimsvc.store.querying.index import Indexer, UniqueRule, number
from scimsvc.store.querying.search import Place, SearchStore, Target
from scimsvc.store.reindex import Indexing
from scimsvc.store.resources import ResourceStore, now
from scimsvc.store.statement import Statement

USERS = 800
FEW = 140
"""Blocks that a statement about a few resources may read; a look at all users of a tenant reads thousands."""
EACH = 80
"""Blocks that a statement about every user may read for each."""
STATEMENTS = {
    id(statement): f"{module.__name__.rpartition('.')[2]}.{name}"
    for module in (journal, journal_reading, journal_retention, membership, reindex, resources, tenants)
    for name, statement in vars(module).items()
    if isinstance(statement, Statement)
}
STATEMENTS |= {id(statement): f"resources._PURGE[{place}]" for place, statement in enumerate(resources._PURGE)}
STATEMENTS |= {id(one["postgresql"]): f"reindex.{name}" for name, one in vars(reindex).items() if name in ("_NEXT", "_AWAITED")}
OF_ALL = {"reindex._TOTAL", "reindex._AWAITED"}
"""Statements that are about all resources, or all names that are waited for."""
MANY_ROWS = {"resource", "attribute_value", "membership", "pending_membership"}
"""The tables that have a row for each user at least, in a service that has been used."""

SELECTIVE = [
    'userName eq "user-77"',
    'id eq "0-77"',
    'emails.value eq "user-77@example.com"',
    'emails[type eq "work" and value eq "user-77@example.com"]',
    'emails[value eq "user-77@example.com" and not (type eq "home") and primary pr]',
    'active eq true and userName eq "user-77"',
    'userName eq "user-77" and title pr and not (active eq false) and displayName ne "x" and emails[type eq "work"]',
    'active eq true and (userName eq "user-77" or externalId eq "x-78" or id eq "0-79")',
    '(userName eq "user-77" and active eq true) or (externalId eq "x-78" and title pr)',
    'title eq "rare" and active eq true',
    'title sw "rar"',
    'groups.value eq "group-0-5"',
    'active eq true and groups[value eq "group-0-5"]',
    "nickName pr",
    'nickName co "x" or displayName eq "none"',
]
BROAD = [
    "active eq true",
    "not (active eq true)",
    "title pr",
    'displayName co "7"',
    'userName co "7" or emails.value ew "8@example.com"',
    'userName co "7" or userName ew "8"',
    'userName ne "user-77"',
    'userName gt "user-5"',
    'emails[type eq "work"]',
    'emails[not (type eq "work")]',
    'emails[type eq "work" and value co "7"]',
    'emails[type eq "work" or value co "7"]',
    'emails[type eq "work"] and emails[type eq "home"]',
    'emails.value ne "x"',
    'meta.lastModified gt "2020-01-01T00:00:00Z"',
    'id sw "0-"',
    "groups pr",
    'groups.value ne "x"',
    'schemas eq "urn:ietf:params:scim:schemas:core:2.0:User" and active eq true',
    f'meta.created gt "2020-01-01T00:00:00Z" or groups.value eq "group-0-{USERS}"',
]


@dataclass(frozen=True)
class Recorded:
    """A statement with its parameters, what it belongs to and how many blocks it may read."""

    name: str
    text: str
    parameters: Any
    limit: int


class Store:
    """A database with two tenants of USERS users each, and a hook on what is executed."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        migrate(self.database)
        for table in ("resource", "attribute_value", "membership", "pending_membership", "journal"):
            # The server's own ANALYZE would come at any time.
            self.database.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)", ())
        self.tenants = [tenants.create_tenant(self.database, name, "entra") for name in ("one", "other")]
        self.filled = 0

    def users(self, tenant: int = 0) -> ResourceStore:
        rules = [UniqueRule(resolve(USER_TYPE, name)) for name in ("userName", "externalId")]
        return ResourceStore(self.database, self.tenants[tenant].id, USER_TYPE, Indexer(USER_TYPE, rules))

    def groups(self, tenant: int = 0) -> ResourceStore:
        return ResourceStore(self.database, self.tenants[tenant].id, GROUP_TYPE, Indexer(GROUP_TYPE, ()))

    def fill(self, until: int) -> None:
        """Store more users, so that each tenant has `until` of them."""
        for tenant in range(len(self.tenants)):
            users = self.users(tenant)
            new = [users.prepare(f"{tenant}-{n}", user(tenant, n)) for n in range(self.filled, until)]
            self.database.transaction(lambda users=users, new=new: [users.insert(one) for one in new])
        self.filled = until

    def fill_groups(self) -> None:
        for tenant, record in enumerate(self.tenants):
            groups, members = self.groups(tenant), MembershipStore(self.database, record.id)

            def work(tenant: int = tenant, groups: ResourceStore = groups, members: MembershipStore = members) -> None:
                for size in (5, USERS):
                    id_ = f"group-{tenant}-{size}"
                    document = {"schemas": [GROUP_TYPE.schema.id], "id": id_, "displayName": id_, "externalId": id_}
                    group = groups.insert(groups.prepare(id_, document))
                    members.add(group.seq, [f"{tenant}-{n}" for n in range(size)])
                    members.wait_for(group.seq, ["Zoe\N{COMBINING DIAERESIS}", *(f"awaited-{n}" for n in range(size))])

            self.database.transaction(work)
        # A value that was another user's, too, when the index was made.
        self.database.execute(
            """INSERT INTO index_conflict (tenant_id, resource_id, attribute, element, value)
            VALUES (%s, '0-77', %s, 0, 'jane 77')""",
            (self.tenants[0].id, number("User", "displayName")),
        )

    def analyze(self) -> None:
        self.database.execute("ANALYZE", ())


def user(tenant: int, n: int) -> dict[str, Any]:
    emails = [
        {"type": "work", "primary": True, "value": f"user-{n}@example.com"},
        {"type": "home", "value": f"home-{n}@example.com"},
    ]
    return {
        "schemas": [USER_TYPE.schema.id],
        "id": f"{tenant}-{n}",
        "externalId": f"x-{n}",
        "userName": f"user-{n}",
        "active": n % 50 != 0,
        "displayName": f"Jane {n}",
        "locale": "x" * 1200,
        "title": "rare" if n == 5 else f"T{n % 20}",
        "emails": emails,
    } | ({"nickName": "Zoë"} if n < 2 else {})


class Undo(Exception):
    """Ends a transaction that is to leave nothing behind."""


@pytest.fixture(scope="module")
def recorded(new_database_url: Callable[[str], str]) -> list[Recorded]:
    """Everything that the store does, on a database that was never analysed."""
    store = Store(new_database_url("postgresql"))
    store.fill(USERS)
    store.fill_groups()
    found: list[Recorded] = []
    named: set[str] = set()
    execute, execute_sql, limit, name = store.database.execute, store.database.peewee.execute_sql, FEW, ""

    def recording(text: str, parameters: Any, execute: Callable[[str, Any], Any] = execute) -> Any:
        found.append(Recorded(name, text, parameters, limit))
        return execute(text, parameters)

    call = Statement.__call__

    def calling(self: Statement, database: Database, **parameters: Any) -> Any:
        statement = STATEMENTS.get(id(self), "")
        named.add(statement)
        if statement in OF_ALL:
            return execute(self._for("postgresql"), parameters)
        return call(self, database, **parameters)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reindex, "_BATCH", 1)
        patched.setattr(store.database, "execute", recording)
        patched.setattr(store.database.peewee, "execute_sql", partial(recording, execute=execute_sql))
        patched.setattr(Statement, "__call__", calling)
        users = store.users()
        for text, limit in [(text, FEW) for text in SELECTIVE] + [(text, EACH * USERS) for text in BROAD]:  # noqa: B007 - read by recording
            name = text
            query = parse_filter(text, USER_TYPE)
            users.page(query, 0, 5)
            users.count(query)
        limit = FEW
        name = "search"
        search(store)
        limit = EACH * USERS
        name = "search broadly"
        search_broadly(store)
        name = "all"
        assert len(list(users.all())) == USERS
        limit = FEW
        for described, work in changes(store).items():
            name = described

            def undone(work: Callable[[], Any] = work) -> None:
                work()
                raise Undo

            with contextlib.suppress(Undo, UniquenessViolation):
                store.database.transaction(undone)
    store.database.close()
    assert set(STATEMENTS.values()) - named == set()
    return list({(one.text, repr(one.parameters)): one for one in found}.values())


def targets(by: str | None, text: str | None, *types: Any) -> list[Target]:
    return [Target(type_, parse_filter(text, type_) if text else None, resolve(type_, by) if by else None) for type_ in types]


def members_filter(text: str) -> Filter:
    found = parse_path(f"members[{text}]", GROUP_TYPE).value_filter
    assert found
    return found


ORDERS = [None, "userName", "displayName", "id", "meta.lastModified", "emails.value"]


def search(store: Store) -> None:
    """Pages that are found by a filter, and those that an index has in their order and that have a value."""
    found = SearchStore(store.database, store.tenants[0].id)
    for by, descending, text in itertools.product(ORDERS, (False, True), SELECTIVE[:2]):
        asked = targets(by, text, USER_TYPE)
        found.page(asked, descending, 5)
        for behind in (Place(True, "user-3", 5), Place(False, "", 5)):
            found.page(asked, descending, 5, 0, behind)
        found.count(asked)
    for by, descending, types in itertools.product(
        (None, "id", "meta.lastModified"), (False, True), [(USER_TYPE,), (GROUP_TYPE,), (USER_TYPE, GROUP_TYPE)]
    ):
        asked = targets(by, None, *types)
        found.page(asked, descending, 5)
        found.page(asked, descending, 5, 0, Place(by is not None, "0-3" if by == "id" else "2020", 5))


def search_broadly(store: Store) -> None:
    found = SearchStore(store.database, store.tenants[0].id)
    for by, descending, text in itertools.product(ORDERS, (False, True), (None, "active eq true")):
        asked = targets(by, text, USER_TYPE)
        found.page(asked, descending, 5, 20)
        for behind in (Place(True, "user-3", 5), Place(False, "", 5)):
            found.page(asked, descending, 5, 0, behind)
        found.count(asked)


def read_journal(store: Store) -> None:
    tenant = store.tenants[0].id
    reader = journal_reading.JournalReader(store.database, tenant)
    place = reader.place_at("2020")
    for _ in range(2):
        reader.page(place, 5)
        place = reader.page(place, 5, so_far=True)[-1][0]
    reader.place_of(place.seq)
    next(reader.of_resource("0-77"))
    list(reader.refused())
    journal_retention._DELETE_EXPIRED(store.database, tenant=tenant, before="2020", most=10)
    journal_retention._clean(store.database, place.seq, "0-77", {"0-77"})
    for id_ in ("0-77", "nobody"):
        journal_retention._RESOURCE(store.database, tenant=tenant, id=id_)
        journal_retention._OF_RESOURCE(store.database, tenant=tenant, id=id_)
        journal_retention._FORGET_ROWS(store.database, tenant=tenant, id=id_)
        journal_retention._FORGET_CONFLICTS(store.database, tenant=tenant, id=id_)
        journal_retention._FORGET_TOKENS(store.database, tenant=tenant, id=id_, now=now())


def refuse(store: Store, id_: str) -> None:
    refusal = journal.Refusal(store.tenants[0].id, "token:1", "PATCH", "/users/{id}", id_, 400, "invalidValue", "title", None)
    journal.count_refusals(store.database, {refusal: journal.Repeats(2, now(), now(), "r")})


def changes(store: Store) -> Mapping[str, Callable[[], Any]]:
    """What the store changes and reads besides queries, each about a few resources."""
    users, groups = store.users(), store.groups()
    one, known = store.tenants[0], dict[str, Any]()
    for n in (5, 77):
        known[f"0-{n}"] = users.find(f"0-{n}")
    seq = {id_: one.seq for id_, one in known.items()}
    ids = ["0-77", "x-78", "nobody"]
    small, large = (groups.find(f"group-0-{size}") for size in (5, USERS))
    assert small
    assert large
    changed = user(0, 77) | {"title": "new", "emails": []}
    secret = tenants.create_token(store.database, one, "", None)
    credential = tenants.find_credential(store.database, tenants.digest(secret))
    assert credential

    def undone(work: Callable[..., Any], *arguments: Any) -> Any:
        """Do what begins a transaction of its own, inside of the one that is undone."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store.database, "transaction", lambda work: work())
            return work(*arguments)

    found: dict[str, Callable[[], Any]] = {
        "tenant": lambda: undone(tenants.create_tenant, store.database, "new", "entra"),
        "follow": lambda: undone(tenants.follow, store.database, one, "entra"),
        "tenants": lambda: tenants.tenants(store.database),
        "user of a token": lambda: tenants.user_document(store.database, one, "0-77"),
        "token": lambda: undone(tenants.create_token, store.database, one, "", None),
        "tokens": lambda: tenants.tokens(store.database, one),
        "revoke": lambda: undone(tenants.revoke_token, store.database, one, credential.token_id),
        "credential": lambda: tenants.find_credential(store.database, tenants.digest(secret)),
        "use": lambda: undone(tenants.note_use, store.database, credential),
        "index all anew": lambda: index_all_anew(store),
        "find": lambda: users.find("0-77"),
        "update": lambda: users.update(known["0-77"], user(0, 77), changed, "patch"),
        "touch": lambda: users.touch(known["0-77"], "patch"),
        "password": lambda: (users.set_password(seq["0-77"], "x"), users.set_password(seq["0-77"], None)),
        "insert": lambda: users.insert(users.prepare("new", user(0, USERS) | {"id": "new"})),
        "refuse": lambda: users.insert(users.prepare("new", user(0, 77) | {"id": "new"})),
        "holders": lambda: users.holders(user(0, 77), "2020"),
        "in use": lambda: users.attribute_in_use(user(0, 77), None),
        "lock": lambda: (users.lock("0-77"), users.lock_to_delete("0-77")),
        "changed": lambda: users.changed("2020", 0, 10),
        "expired": lambda: users.expired("2020"),
        "journal": lambda: read_journal(store),
        "refuse writes": lambda: (refuse(store, "0-77"), refuse(store, "0-77")),
        "index anew": lambda: users._put_values(seq["0-77"], resources._rows(users._indexer.rows(user(0, 77)))),
    }
    for by_name in (False, True):
        members = MembershipStore(store.database, store.tenants[0].id, by_external_id=by_name)

        def delete(members: MembershipStore = members) -> None:
            members.forget(seq["0-77"])
            users.delete(known["0-77"])

        def retire(members: MembershipStore = members) -> None:
            members.forget(seq["0-77"])
            users.retire(known["0-77"])
            revived = users.lock_retired("0-77")
            assert revived
            users.revive(revived)
            users.retire(revived)
            assert users.purge("9999", 10) == 1

        def wait(members: MembershipStore = members) -> None:
            members.wait_for(small.seq, ["nobody", "no one", "neither"])
            members.wait_no_more(small.seq, ["nobody"])
            assert members.welcome(seq["0-77"], ["no one"]) == 1
            members.wait_no_more(small.seq)

        found |= {
            f"{name}, by name: {by_name}": work
            for name, work in {
                "add": lambda members=members: members.add(small.seq, ids),
                "add who is there": lambda members=members: members.add(large.seq, ids),
                "remove": lambda members=members: members.remove(large.seq, ids),
                "keep": lambda members=members: members.keep(small.seq, ids[:1]),
                "unknown": lambda members=members: members.unknown(ids),
                "wait": wait,
                "delete": delete,
                "retire": retire,
                "members": lambda members=members: members.members_of([small.seq]),
                "members of some": lambda members=members: members.members_of([large.seq, small.seq], 6),
                "remove by id": lambda members=members: members.remove_where(
                    large.seq, members_filter('value eq "0-77"'), GROUP_TYPE, by_id=True
                ),
                "remove users": lambda members=members: members.remove_where(
                    small.seq, members_filter('type eq "User"'), GROUP_TYPE
                ),
                "groups": lambda members=members: members.groups_of([seq["0-77"]]),
                "groups of some": lambda members=members: members.groups_of(list(seq.values())),
            }.items()
        }
    return found


def index_all_anew(store: Store) -> None:
    """Do two steps of a re-index, whose resources are two users with the same name in another form. Here it is to be unique."""
    database, users = store.database, store.users()
    indexer = Indexer(USER_TYPE, [UniqueRule(resolve(USER_TYPE, "nickName"))])
    indexing = Indexing(indexer, ResourceStore(database, store.tenants[0].id, USER_TYPE, indexer), awaits=True)
    database.execute("UPDATE attribute_value SET value = 'Zoë' WHERE tenant_id = %s AND value = 'zoë'", (store.tenants[0].id,))
    database.execute("UPDATE reindex SET tenant_id = 0, resource_seq = 0, finished = 0", ())
    for _ in range(2):
        assert reindex.advance(database, lambda tenant, resource_type: indexing) == 1
    assert reindex.unfinished(database)
    assert len(list(reindex.conflicts(database))) == len(reindex.ids_in_conflict(database, 10)) == 2
    reindex.settle(database)
    assert len(list(reindex.conflicts(database))) == 1
    assert users.count(parse_filter('nickName eq "Zoë"', USER_TYPE)) == 2


def never_analysed(store: Store) -> None:
    store.fill(USERS)
    store.fill_groups()


def analysed(store: Store) -> None:
    never_analysed(store)
    store.analyze()


def analysed_when_empty(store: Store) -> None:
    store.analyze()
    never_analysed(store)


def analysed_when_small(store: Store) -> None:
    store.fill(3)
    store.analyze()
    never_analysed(store)


@pytest.fixture(
    scope="module", params=[never_analysed, analysed, analysed_when_empty, analysed_when_small], ids=lambda fill: fill.__name__
)
def filled(request: pytest.FixtureRequest, new_database_url: Callable[[str], str]) -> str:
    """The URL of a database with other statistics."""
    url = new_database_url("postgresql")
    store = Store(url)
    request.param(store)
    store.database.close()
    return url


class Explained:
    """A connection as the service has it, and statements that are prepared on it."""

    def __init__(self, url: str, plans: str) -> None:
        database = Database(url)
        self.connection = database.peewee.connection()
        self.database = database
        self._numbers: dict[str, int] = {}
        self._execute(f"SET plan_cache_mode = {plans}")
        # A delete is tried alone, without what the service deletes before it.
        self._execute("SET session_replication_role = replica")

    def _execute(self, text: Any) -> Any:
        return self.connection.execute(text)

    def read_as_a_whole(self, recorded: Recorded) -> set[str]:
        """Return those of the tables of which every row is read."""
        run = self.prepare(recorded.text, recorded.parameters)
        (plan,) = self._execute(sql.SQL("EXPLAIN (FORMAT JSON) ") + run).fetchone()
        return set(_read_as_a_whole(plan[0]["Plan"]))

    def prepare(self, text: str, parameters: Any) -> sql.Composable:
        """Prepare a statement under a name; return the EXECUTE of it."""
        if isinstance(parameters, Mapping):
            names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
            numbered = re.sub(r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", text)
            values = [parameters[name] for name in names]
        else:
            places = itertools.count(1)
            numbered, values = re.sub("%s", lambda _: f"${next(places)}", text), list(parameters)
        numbered = numbered.replace("%%", "%")
        if numbered not in self._numbers:
            self._numbers[numbered] = len(self._numbers)
            self._execute(f"PREPARE s{self._numbers[numbered]} AS {numbered}")
        literals = sql.SQL(", ").join(map(sql.Literal, values))
        return sql.SQL("EXECUTE s{}{}").format(
            sql.SQL(str(self._numbers[numbered])), sql.SQL("({})").format(literals) if values else sql.SQL("")
        )

    def blocks(self, recorded: Recorded) -> int:
        """How many blocks the statement reads, in a transaction that leaves nothing behind."""
        run = self.prepare(recorded.text, recorded.parameters)
        self._execute("BEGIN")
        try:
            (plan,) = self._execute(sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + run).fetchone()
        except psycopg.errors.UniqueViolation:
            return 0
        finally:
            self._execute("ROLLBACK")
        found = plan[0]["Plan"]
        return int(found["Shared Hit Blocks"] + found["Shared Read Blocks"])

    def too_many(self, recorded: list[Recorded]) -> str:
        """The statements that read more blocks than they may, a line each."""
        read = [(self.blocks(one), one) for one in recorded]
        return "\n".join(f"{one.name}: {blocks} blocks: {one.text}" for blocks, one in read if blocks > one.limit)


def _read_as_a_whole(plan: Mapping[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for below in plan.get("Plans", ()):
        yield from _read_as_a_whole(below)


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
def test_statement_reads_what_it_is_about(filled: str, recorded: list[Recorded], plans: str):
    explained = Explained(filled, plans)
    too_many = explained.too_many(recorded)
    explained.database.close()
    assert too_many == ""


def test_plan_that_was_made_for_empty_tables_stays_good(new_database_url: Callable[[str], str], recorded: list[Recorded]):
    url = new_database_url("postgresql")
    store = Store(url)
    explained = Explained(url, "force_generic_plan")
    for one in recorded:
        explained.blocks(one)
    never_analysed(store)
    store.database.close()
    too_many = explained.too_many(recorded)
    # A group's members and the names that are waited for are few here, so blocks don't tell.
    whole = [f"{one.name}: {one.text}" for one in recorded if one.limit == FEW and explained.read_as_a_whole(one) & MANY_ROWS]
    explained.database.close()
    assert (too_many, whole) == ("", [])


def test_whole_tenant_would_be_noticed(filled: str):
    explained = Explained(filled, "auto")
    sizes = [
        explained.blocks(Recorded("", text, (), 0))
        for text in (
            "SELECT document FROM resource WHERE tenant_id = 1 AND version = 2",
            "SELECT overflow FROM attribute_value WHERE tenant_id = 1 AND is_unique = 2",
        )
    ]
    explained.database.close()
    assert min(sizes) > FEW
