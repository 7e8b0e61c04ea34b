"""A database that compared values in another form is brought to this version's: whole, once, whatever interrupts it."""

import re
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import parse_filter
from scimsvc.protocol.messages import Query
from scimsvc.protocol.projection import ALL
from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.readiness import Readiness, unprepared
from scimsvc.service.reindex import NoLongerUnique, reindex, settle
from scimsvc.service.resources import ResourceService
from scimsvc.store import reindex as store
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.migrations import migrate
from scimsvc.store.statement import Statement
from tests.conftest import KINDS
from tests.support.old_database import PROFILE, execute, fill

INDEXED = """SELECT resource.id, attribute, element, value, overflow, is_unique FROM attribute_value
    JOIN resource ON resource.tenant_id = attribute_value.tenant_id AND resource.seq = resource_seq ORDER BY 1, 2, 3"""
DOCUMENTS = "SELECT id, document, created, display FROM resource ORDER BY id"
STATE = "SELECT done, finished FROM reindex"
KILLED = """
import os, signal, sys
from pathlib import Path
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.catalog import Catalog
from scimsvc.service.reindex import reindex
from scimsvc.store import reindex as store
from scimsvc.store.database import Database
store._BATCH = 5
index_one, left = store._index_one, int(sys.argv[3])
def counted(*arguments):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return index_one(*arguments)
store._index_one = counted
reindex(Database(sys.argv[1]), lambda name: Catalog(load_profile(Path(sys.argv[2]))))
"""


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def catalog_of(name: str) -> Catalog:
    assert name == "before"
    return Catalog(load_profile(PROFILE))


@pytest.fixture(params=KINDS)
def old(
    request: pytest.FixtureRequest, new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A database of the former version, whose tables are migrated and whose index is not."""
    database = Database(new_database_url(request.param))
    fill(database, monkeypatch)
    migrate(database)
    yield database
    database.close()


def users(database: Database, tenant: int = 1, endpoint: str = "users") -> ResourceService:
    return ResourceService(database, tenant, catalog_of("before").types[endpoint], "http://x")


def found(database: Database, text: str, tenant: int = 1, endpoint: str = "users") -> list[str]:
    """The ids that a filter finds, without the tenant's letter."""
    served = catalog_of("before").types[endpoint]
    query = Query(parse_filter(text, served.resource_type), start_index=1, count=100, projection=ALL)
    body = orjson.loads(users(database, tenant, endpoint).query(query))
    return [one["id"][2:] for one in body["Resources"]]


def rows(database: Database) -> list[Any]:
    return [tuple(row) for row in database.execute(INDEXED, ()).fetchall()]


def test_nothing_is_answered_until_the_index_is_done(old: Database):
    readiness = Readiness(old)
    lacking = unprepared(old)
    assert lacking
    assert (lacking.migrations, lacking.reindex) == ([], (0, 36))
    with pytest.raises(ScimError) as refused:
        readiness.require()
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "30"})
    reports: list[tuple[int, int]] = []
    assert reindex(old, catalog_of, lambda done, total: reports.append((done, total))) == 36
    assert reports == [(0, 36), (18, 36), (36, 36)]
    assert unprepared(old) is None
    readiness.require()
    assert reindex(old, catalog_of) == 0


def test_values_are_found_in_either_form_and_in_any_case(old: Database):
    reindex(old, catalog_of)
    for tenant in (1, 2):
        assert found(old, 'userName eq "STRAßE@example.com"', tenant) == ["03"]
        assert found(old, 'userName eq "strasse@example.com"', tenant) == []
        assert found(old, 'userName eq "kate@example.com"', tenant) == ["04"]
        assert found(old, 'userName eq "οδος@example.com"', tenant) == found(old, 'title eq "Οδοσ"', tenant) == ["05"]
        assert found(old, 'userName sw "ΟΔΟΣ"', tenant) == ["05"]
        assert found(old, 'userName eq "finn@example.com"', tenant) == []
        assert found(old, 'userName eq "ﬁNN@example.com"', tenant) == ["06"]
        for form in (str, nfd):
            assert found(old, form(f'title eq "ß{"É" * 600}"'), tenant) == ["12"]
            assert found(old, form('displayName eq "JOSÉ"'), tenant) == ["01", "02"]
            assert found(old, form('externalId eq "ext-é"'), tenant) == ["10", "11"]
            assert found(old, form('emails[value eq "É@example.com"]'), tenant) == ["08", "09"]


def test_the_first_resource_keeps_a_value_that_two_have(old: Database):
    before = old.execute(DOCUMENTS, ()).fetchall()
    reindex(old, catalog_of)
    assert old.execute(DOCUMENTS, ()).fetchall() == before
    conflicts = list(settle(old, catalog_of))
    assert conflicts == [
        NoLongerUnique(f"tenant-{letter}", kind, f"{letter}-{id_}", attribute, f"{letter}-{keeper}")
        for letter in "ab"
        for kind, id_, attribute, keeper in [
            ("User", "02", "userName", "01"),
            ("User", "09", "emails.value", "08"),
            ("User", "11", "externalId", "10"),
            ("User", "13", "userName", "12"),
            ("Group", "18", "externalId", "17"),
        ]
    ]
    assert sorted(store.ids_in_conflict(old, 100)) == sorted(one.id for one in conflicts)
    assert users(old).get("a-02", ALL).body
    with pytest.raises(ScimError) as clash:
        users(old).create({"userName": "JOSÉ@example.com"})
    assert (clash.value.status, clash.value.scim_type) == (409, "uniqueness")


def test_conflicts_are_read_some_at_a_time(old: Database, monkeypatch: pytest.MonkeyPatch):
    reindex(old, catalog_of)
    whole = list(settle(old, catalog_of))
    monkeypatch.setattr(store, "_BATCH", 3)
    assert [len(rows) for rows in store._pages(store._LIST_CONFLICTS, old)] == [3, 3, 3, 1, 0]
    assert list(settle(old, catalog_of)) == whole
    # All of these have lost the resource that kept the value, wherever the page ends.
    execute(old, "UPDATE attribute_value SET is_unique = 0")
    assert list(settle(old, catalog_of)) == []


def test_a_conflict_is_over_when_one_of_the_two_changes(old: Database):
    reindex(old, catalog_of)
    users(old).replace("a-02", {"userName": "other@example.com", "externalId": "2"}, None)
    users(old).delete("a-10", None)
    assert {"a-02", "a-11"} & set(store.ids_in_conflict(old, 100)) == {"a-11"}
    assert not {"a-02", "a-11"} & {one.id for one in settle(old, catalog_of)}
    with pytest.raises(ScimError):
        users(old).create({"userName": "new", "externalId": "ext-é"})
    assert len(list(store.conflicts(old))) == len(list(settle(old, catalog_of))) == 8
    left = old.execute("SELECT COUNT(*) FROM index_conflict", ()).fetchone()[0]
    assert left == 8


def test_what_is_deleted_has_no_conflict_and_can_be_restored_by_either_form(old: Database):
    reindex(old, catalog_of)
    document = {"userName": "José@example.comX", "externalId": "14"}
    held = users(old)._resources.holders(document, "")
    assert [(one.id, one.retired) for one in held] == [("a-14", True)]


def test_names_that_groups_wait_for_have_the_same_form(old: Database):
    reindex(old, catalog_of)
    for tenant in (1, 2):
        members = found(old, "members pr", tenant, "groups")
        assert members == ["15"]
    rows = old.execute("SELECT tenant_id, member FROM pending_membership ORDER BY tenant_id", ()).fetchall()
    assert [tuple(row) for row in rows] == [(1, "nobody-é"), (2, "nobody-é")]
    group = users(old, 1, "groups").get("a-15", ALL).body
    assert b'"a-01"' in group
    assert b'"a-16"' in group
    created = users(old).create({"userName": "x", "externalId": nfd("nobody-é")})
    assert created.location.rpartition("/")[2].encode() in users(old, 1, "groups").get("a-15", ALL).body


def test_an_older_version_that_still_runs_can_store_nothing(old: Database):
    log = "INSERT INTO change (tenant_id, resource_type, resource_id, kind, version, at) VALUES (1, 'User', 'x', 'create', 1, '')"
    with pytest.raises(DatabaseUnavailable):
        execute(old, log)


@pytest.mark.parametrize("at", [1, 3, 9])
def test_killed_at_any_moment_it_goes_on_where_it_was(
    request: pytest.FixtureRequest,
    new_database_url: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    old: Database,
    at: int,
):
    whole = Database(new_database_url(old.kind))
    fill(whole, monkeypatch)
    migrate(whole)
    reindex(whole, catalog_of)
    killed = subprocess.run([sys.executable, "-c", KILLED, old.url, str(PROFILE), str(at)], check=False)
    assert killed.returncode == -signal.SIGKILL
    done, finished = old.execute(STATE, ()).fetchone()
    assert (done % 5, finished) == (0, 0)
    assert done or at == 1
    reports: list[tuple[int, int]] = []
    reindex(old, catalog_of, lambda done, total: reports.append((done, total)))
    assert reports[0] == (done, 36)
    assert rows(old) == rows(whole)
    assert list(settle(old, catalog_of)) == list(settle(whole, catalog_of))
    whole.close()


def test_two_at_once_take_turns(new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, old: Database):
    code = KILLED.replace("reindex(Database", "print(sys.stdin.read()); reindex(Database")
    running = [
        subprocess.Popen([sys.executable, "-c", code, old.url, str(PROFILE), "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in running:
        assert process.stdin
        process.stdin.close()
    assert [process.wait() for process in running] == [0, 0]
    for process in running:
        assert process.stdout
        process.stdout.close()
    assert unprepared(old) is None
    assert tuple(old.execute(STATE, ()).fetchone()) == (36, 1)


def test_a_resource_of_ascii_alone_is_not_read(new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch):
    database = Database(new_database_url("sqlite"))
    fill(database, monkeypatch, more_ascii=2500)
    migrate(database)
    read: list[int] = []
    index_part = store._index_part

    def counted(database: Database, part: Any, indexing_of: Any) -> None:
        read.append(len(part))
        index_part(database, part, indexing_of)

    monkeypatch.setattr(store, "_index_part", counted)
    reports: list[int] = []
    assert reindex(database, catalog_of, lambda done, total: reports.append(done)) == 2536
    assert reports == [0, 1000, 2000, 2518, 2536]
    assert sum(read) == 34
    database.close()


def test_no_more_documents_are_in_memory_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "_BATCH_CHARACTERS", 100)
    resources = [store._Resource(1, seq, "", "User", size) for seq, size in [(1, 60), (2, 40), (3, 1), (4, 500), (5, 1)]]
    assert [[one.seq for one in part] for part in store._parts(resources)] == [[1, 2], [3], [4], [5]]


FILLED = [
    "INSERT INTO tenant (name, profile, created) VALUES ('t', 'before', '')",
    """INSERT INTO resource (tenant_id, resource_type, id, document, version, created, last_modified)
    SELECT 1, 'User', 'u' || n, '{}', 1, '', '' FROM generate_series(1, 5000) AS n""",
    """INSERT INTO attribute_value (tenant_id, resource_seq, attribute, element, value, is_unique)
    SELECT 1, n, a, 0, n || ' ' || a, 1 FROM generate_series(1, 5000) AS n, generate_series(1, 4) AS a""",
]
TOO_MUCH = {
    "sqlite": [r"SCAN (resource|attribute_value|own|other|holder)", r"\(tenant_id[=>]\?( AND attribute=\?)?\)"],
    "postgresql": [r"Seq Scan on (resource|attribute_value|tenant)", r"Index Cond: \(tenant_id = [^)]*\)$"],
}
"""In a plan: a look at everything, or at all that a tenant has."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_statement_looks_up_what_it_needs(new_database_url: Callable[[str], str], kind: str):
    database = Database(new_database_url(kind))
    migrate(database)
    if kind == "postgresql":
        # Never analysed, as during Entra's initial cycle.
        execute(database, "ALTER TABLE resource SET (autovacuum_enabled = false)", *FILLED[:2])
        execute(database, "ALTER TABLE attribute_value SET (autovacuum_enabled = false)", FILLED[2])
    texts = {"id": "", "rows": '[[1, "x"]]', "seqs": '["1", "2"]', "name": "", "form": "", "member": "", "value": ""}
    seen = set()
    for name, one in vars(store).items():
        statement = one.get(kind) if isinstance(one, dict) and name in ("_NEXT", "_AWAITED") else one
        if not isinstance(statement, Statement) or name == "_TOTAL":
            continue
        sql = statement._for(database.kind)
        parameters = {key: texts.get(key, 1) for pair in re.findall(r"(?<!:):([a-z_]+)|%\((\w+)\)s", sql) for key in pair if key}
        explain = "EXPLAIN QUERY PLAN" if kind == "sqlite" else "EXPLAIN"
        rows = database.execute(f"{explain} {sql}", parameters).fetchall()
        plan = [row[3] if kind == "sqlite" else row[0] for row in rows]
        assert not [step for step in plan for pattern in TOO_MUCH[kind] if re.search(pattern, step)], (name, plan)
        seen.add(name)
    assert {"_NEXT", "_VALUES", "_DOCUMENTS", "_CLAIMS_OF_OTHERS", "_UNCLAIMED"} <= seen
    database.close()


def test_a_new_database_needs_none(database: Database):
    assert unprepared(database) is None
    assert tuple(database.execute(STATE, ()).fetchone()) == (0, 1)
