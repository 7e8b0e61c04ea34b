"""On SQLite every statement goes by an index that leads to the rows it is about, whatever a tenant holds besides."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from scimsvc.protocol.filter import parse_filter
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import resolve
from scimsvc.store import journal, journal_reading, journal_retention, membership, resources, tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.store.querying.index import Indexer
from scimsvc.store.querying.search import Place, SearchStore, Target
from scimsvc.store.statement import Statement

STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (journal, journal_reading, journal_retention, membership, resources, tenants)
    for name, statement in vars(module).items()
    if isinstance(statement, Statement)
} | {f"resources._PURGE[{place}]": statement for place, statement in enumerate(resources._PURGE)}
# There are few tokens, so they have no index by user.
del STATEMENTS["journal_retention._FORGET_TOKENS"]
WHOLE = re.compile(
    r"BLOOM FILTER|SCAN (?!json_each\b|claim\b|above\b|oldest\b|CONSTANT ROW\b)|\(tenant_id=\?\)"
    r"|\(tenant_id=\? AND resource_type=\?\)$"
)
"""A look at a whole table, also one for a Bloom filter, at all that a tenant has of one, or at all resources of a type."""


@pytest.fixture(scope="module")
def sqlite(new_database_url: Callable[[str], str]) -> Iterator[Database]:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    # Another connection, as every server has.
    again = Database(url)
    yield again
    again.close()


def plan(database: Database, sql: str) -> list[str]:
    texts = ("ids", "seqs", "rows")
    parameters = {name: "[]" if name in texts else 1 for name in re.findall(r"(?<!:):([a-z_]+)", sql)}
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()]


@pytest.fixture
def plans(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The plans of what is executed from now on."""
    found: list[list[str]] = []
    execute = sqlite.execute

    def explained(sql: str, parameters: Any) -> Any:
        found.append([row[3] for row in execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()])
        return execute(sql, parameters)

    monkeypatch.setattr(sqlite, "execute", explained)
    return found


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_looks_at_nothing_but_what_it_is_about(sqlite: Database, name: str):
    found = plan(sqlite, STATEMENTS[name]._for("sqlite"))
    assert [line for line in found if WHOLE.search(line)] == []


@pytest.mark.parametrize("name", ["_HOLDERS", "_UNIQUE_IN_USE"])
def test_a_claim_is_looked_up_by_its_value(sqlite: Database, name: str):
    found = plan(sqlite, getattr(resources, name)._for("sqlite"))
    looked_up = [line for line in found if "attribute_value" in line or " held " in line]
    assert looked_up
    assert [line for line in looked_up if "value=?" not in line] == []


def test_tokens_of_a_tenant_are_looked_up(sqlite: Database, plans: list[list[str]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite.peewee, "execute_sql", sqlite.execute)
    tenants.tokens(sqlite, tenants.TenantRecord(1, "one", "entra"))
    assert plans == [["SEARCH t1 USING INDEX token_of_tenant (tenant_id=?)"]]


def test_whole_tables_would_be_noticed(sqlite: Database):
    for sql in ("SELECT * FROM membership", "SELECT * FROM resource WHERE tenant_id = 1 AND version = 2"):
        assert [line for line in plan(sqlite, sql) if WHOLE.search(line)]


@pytest.mark.parametrize(
    "text",
    [
        'active eq true and userName eq "a"',
        'userName eq "a" and title pr and not (active eq false) and displayName ne "x"',
        'emails[type eq "work"] and emails[type eq "work" and value eq "x"]',
        'active eq true and (userName eq "a" or externalId eq "b")',
    ],
)
def test_one_telling_term_chooses_the_resources_that_others_look_at(sqlite: Database, plans: list[list[str]], text: str):
    query = parse_filter(text, USER_TYPE)
    store = resources.ResourceStore(sqlite, 1, USER_TYPE, Indexer(USER_TYPE, ()))
    store.page(query, 0, 100)
    store.count(query)
    for found in plans:
        assert len([line for line in found if line.startswith("LIST SUBQUERY")]) == 1
        assert [line for line in found if WHOLE.search(line)] == []


def explain_filter(sqlite: Database, type_: ResourceType, text: str) -> None:
    query = parse_filter(text, type_)
    store = resources.ResourceStore(sqlite, 1, type_, Indexer(type_, ()))
    store.page(query, 0, 100)
    store.count(query)
    SearchStore(sqlite, 1).page([Target(type_, query, None)], False, 100)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (USER_TYPE, 'groups eq "a"'),
        (USER_TYPE, 'groups.value eq "a"'),
        (USER_TYPE, 'groups[value eq "a"]'),
        (USER_TYPE, 'groups.value sw "a"'),
        (USER_TYPE, 'active eq true and groups.value eq "a"'),
        (USER_TYPE, 'userName eq "x" and groups.value eq "a"'),
        (GROUP_TYPE, 'members eq "a"'),
        (GROUP_TYPE, 'members[value eq "a" and type eq "User"]'),
        (GROUP_TYPE, 'displayName eq "x" and members.value eq "a"'),
    ],
)
def test_members_and_groups_are_found_by_what_they_are(sqlite: Database, plans: list[list[str]], type_: ResourceType, text: str):
    explain_filter(sqlite, type_, text)
    assert len(plans) == 3
    # The groups that are found, and what is below them, are gone through, and so is the page.
    assert [line for found in plans for line in found if WHOLE.search(line) and line not in ("SCAN below", "SCAN page")] == []
    assert [line for found in plans for line in found if "AUTOMATIC" in line] == []


@pytest.mark.parametrize(
    "text",
    [
        'kits[value eq "a" and tags eq "b"]',
        'kits[tags eq "a" and tags eq "b"]',
        'kits[tags ne "a" and value sw "b"]',
        'kits[not (tags pr) and type eq "b"]',
    ],
)
def test_values_of_one_element_are_looked_up_by_their_places(sqlite: Database, plans: list[list[str]], text: str):
    inside = (Attribute("value"), Attribute("type"), Attribute("tags", multi_valued=True))
    kits = Attribute("kits", "complex", multi_valued=True, sub_attributes=inside)
    schema = replace(USER_TYPE.schema, attributes=(*USER_TYPE.schema.attributes, kits))
    explain_filter(sqlite, replace(USER_TYPE, schema=schema), text)
    beside = [line for found in plans for line in found if "resource_seq=?" in line]
    assert len(beside) >= 3
    assert [line for line in beside if "attribute=?" not in line or not line.endswith("AND element>? AND element<?)")] == []


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", [None, "displayName", "externalId", "userName", "id", "meta.lastModified"])
@pytest.mark.parametrize("types", [[USER_TYPE], [USER_TYPE, GROUP_TYPE]])
def test_page_is_read_in_its_order_by_indexes(
    sqlite: Database, plans: list[list[str]], types: list[Any], by: str | None, descending: bool
):
    targets = [Target(type_, None, resolve(type_, by) if by else None) for type_ in types]
    store = SearchStore(sqlite, 1)
    store.page(targets, descending, 100, 5000)
    for behind in (Place(True, "v", 5), Place(False, "", 5)):
        store.page(targets, descending, 100, 0, behind)
    # What is sorted afterwards is the page, which has no order of its own.
    pages = [found[: found.index("SCAN page")] for found in plans if "SCAN page" in found]
    assert len(pages) >= 2
    if by == "id":
        # Another index has the resources of all types in this order.
        assert [sum("resource_by_id" in line for line in found) for found in pages] == [len(types)] * len(pages)
    assert [line for found in pages for line in found if "TEMP B-TREE" in line or "SCAN" in line] == []
