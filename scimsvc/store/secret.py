"""Random keys of the installation: made when one is first needed, and the same in every process from then on."""

from __future__ import annotations

import secrets

from scimsvc.store.database import Database
from scimsvc.store.statement import Statement

_BYTES = 64
_FIND = Statement("SELECT value FROM secret WHERE name = :name")
_MAKE = Statement("INSERT INTO secret (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING")


def installation_key(database: Database, name: str) -> bytes:
    """Return the key of that name, 64 random bytes. Not inside of a transaction. Raises DatabaseUnavailable."""
    found = _find(database, name)
    if found is None:
        database.transaction(lambda: _MAKE(database, name=name, value=secrets.token_hex(_BYTES)))
        # Another process may have been first, and its key counts.
        found = _find(database, name)
    assert found
    return bytes.fromhex(found)


def _find(database: Database, name: str) -> str | None:
    with database.reading():
        row = _FIND(database, name=name).fetchone()
    return row[0] if row else None
