"""On SQLite every statement goes by an index that leads to the rows it is about, whatever a tenant holds besides."""

import re
from collections.abc import Callable, Iterator

import pytest

from scimsvc.store import membership, resources, tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.store.statement import Statement

STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (membership, resources, tenants)
    for name, statement in vars(module).items()
    if isinstance(statement, Statement)
}
WHOLE = re.compile(r"SCAN (?!json_each\b|above\b)|\(tenant_id=\?\)|\(tenant_id=\? AND resource_type=\?\)$")
"""A look at a whole table, at all that a tenant has of one, or at all resources of a type."""


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


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_looks_at_nothing_but_what_it_is_about(sqlite: Database, name: str):
    found = plan(sqlite, STATEMENTS[name]._for("sqlite"))
    assert [line for line in found if WHOLE.search(line)] == []


def test_whole_tables_would_be_noticed(sqlite: Database):
    for sql in ("SELECT * FROM membership", "SELECT * FROM resource WHERE tenant_id = 1 AND version = 2"):
        assert [line for line in plan(sqlite, sql) if WHOLE.search(line)]
