"""Databases as older versions wrote them: one that compared values by case folding and in no normal form, and 0.1.0."""

import json
from pathlib import Path
from typing import Any

import pytest

from scimsvc.store import migrations
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate

FOLDER = Path(__file__).parent.parent / "store" / "before_nfc"
PROFILE = FOLDER / "before.yaml"
VERSION_0_1_0 = FOLDER.parent / "version_0_1_0"
_IDENTITIES = {"tenant": "id", "token": "id", "resource": "seq", "change": "seq"}


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
    insert(database, FOLDER)

    def work() -> None:
        for number in range(more_ascii):
            database.peewee.execute_sql(
                f"""INSERT INTO resource (tenant_id, resource_type, id, document, version, created, last_modified)
                VALUES (1, 'User', 'more-{number}', '{{"userName":"more-{number}"}}', 1, '', '')"""
            )

    database.transaction(work)


def fill_as_0_1_0(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an empty database the tables of version 0.1.0, and what it stored: the rows of `version_0_1_0/tables.json`."""
    before = [name for name in migrations.names() if name < "0009"]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "names", lambda: before)
        migrate(database)
    insert(database, VERSION_0_1_0)


def tables_in(folder: Path) -> dict[str, Any]:
    """The rows of each table, and the names of its columns."""
    found: dict[str, Any] = json.loads((folder / "tables.json").read_text())
    return found


def insert(database: Database, folder: Path) -> None:
    """Insert the rows of a folder's tables."""
    mark = database.peewee.param

    def work() -> None:
        for name, table in tables_in(folder).items():
            overriding = "OVERRIDING SYSTEM VALUE" if database.kind == "postgresql" and name in _IDENTITIES else ""
            columns, marks = ", ".join(table["columns"]), ", ".join([mark] * len(table["columns"]))
            for row in table["rows"]:
                database.peewee.execute_sql(f"INSERT INTO {name} ({columns}) {overriding} VALUES ({marks})", row)
            if overriding:
                column = _IDENTITIES[name]
                database.peewee.execute_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), (SELECT MAX({column}) FROM {name}))"
                )

    database.transaction(work)


def execute(database: Database, *statements: str) -> None:
    database.transaction(lambda: [database.peewee.execute_sql(statement) for statement in statements])
