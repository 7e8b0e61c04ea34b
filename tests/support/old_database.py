"""A database as a version wrote it that compared values by case folding and in no normal form."""

import json
from pathlib import Path

import pytest

from scimsvc.store import migrations
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate

FOLDER = Path(__file__).parent.parent / "store" / "before_nfc"
PROFILE = FOLDER / "before.yaml"
_IDENTITIES = {"tenant": "id", "resource": "seq", "change": "seq"}


def fill(database: Database, monkeypatch: pytest.MonkeyPatch, more_ascii: int = 0) -> None:
    """Give an empty database the tables of that version, and what it stored: the rows of `before_nfc/tables.json`.

    `more_ascii` is a number of further users whose values are ASCII.
    """
    before = [name for name in migrations.names() if name < "0005"]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "names", lambda: before)
        migrate(database)
    execute(database, "DROP TABLE migration", "CREATE TABLE migration (name TEXT PRIMARY KEY)")
    execute(database, *(f"INSERT INTO migration VALUES ('{name}')" for name in before))
    tables = json.loads((FOLDER / "tables.json").read_text())
    mark = database.peewee.param

    def work() -> None:
        for name, table in tables.items():
            overriding = "OVERRIDING SYSTEM VALUE" if database.kind == "postgresql" and name in _IDENTITIES else ""
            columns, marks = ", ".join(table["columns"]), ", ".join([mark] * len(table["columns"]))
            for row in table["rows"]:
                database.peewee.execute_sql(f"INSERT INTO {name} ({columns}) {overriding} VALUES ({marks})", row)
            if overriding:
                column = _IDENTITIES[name]
                database.peewee.execute_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), (SELECT MAX({column}) FROM {name}))"
                )
        for number in range(more_ascii):
            database.peewee.execute_sql(
                f"""INSERT INTO resource (tenant_id, resource_type, id, document, version, created, last_modified)
                VALUES (1, 'User', 'more-{number}', '{{"userName":"more-{number}"}}', 1, '', '')"""
            )

    database.transaction(work)


def execute(database: Database, *statements: str) -> None:
    database.transaction(lambda: [database.peewee.execute_sql(statement) for statement in statements])
