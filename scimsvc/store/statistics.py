"""Numbers about the database that are cheap to ask for: for `/metrics`, at most a few times a minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from scimsvc.store.database import Database, sqlite_path
from scimsvc.store.resources import now
from scimsvc.store.statement import Statement

_LAST_USED = Statement(
    """SELECT tenant.name, MAX(token.last_used) FROM tenant JOIN token ON token.tenant_id = tenant.id
    WHERE tenant.id <= :most GROUP BY tenant.id, tenant.name"""
)
_EXPIRES = Statement(
    """SELECT tenant.name, token.scope, MIN(token.expires) FROM tenant JOIN token ON token.tenant_id = tenant.id
    WHERE tenant.id <= :most AND token.revoked IS NULL AND token.expires > :now AND token.scope <> 'me'
    GROUP BY tenant.id, tenant.name, token.scope"""
)
_AWAITED = Statement("SELECT COUNT(*) FROM pending_membership")
# By tenant and type, so that the index resource_deleted finds them without a look at the accounts that are there.
_DELETED = Statement(
    """SELECT COUNT(*) FROM tenant CROSS JOIN ({each:types}) AS kinds
    JOIN resource ON resource.tenant_id = tenant.id AND resource.resource_type = kinds.id
        AND resource.deleted = 1"""
)
_CONNECTIONS = """SELECT COALESCE(state, 'other'), COUNT(*), COUNT(*) FILTER (WHERE wait_event_type = 'Lock')
    FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1"""
_MOST_CONNECTIONS = "SELECT current_setting('max_connections')::int"


@dataclass(frozen=True)
class Statistics:
    """What the database tells. Times are UTC in the store's form.

    `last_used` is by tenant; `expires` is by tenant and scope, the earliest of the live tokens; `connections` are all that
    PostgreSQL has to this database, by state, `waiting` those of them that wait for a lock; `wal_bytes` is SQLite's.
    """

    last_used: Mapping[str, str]
    expires: Mapping[tuple[str, str], str]
    members_awaited: int
    awaiting_purge: int
    connections: Mapping[str, int] = field(default_factory=dict)
    waiting: int | None = None
    most_connections: int | None = None
    wal_bytes: int | None = None


def statistics(database: Database, most_tenants: int, types: Iterable[str]) -> Statistics:
    """Return the numbers; of tenants those whose numbers are `most_tenants` at most; `types` are the names of the resource types
    that there are. Raise DatabaseUnavailable.
    """
    with database.reading():
        names = orjson.dumps(list(types)).decode()
        found = Statistics(
            last_used={name: used for name, used in _LAST_USED(database, most=most_tenants).fetchall() if used},
            expires={
                (name, scope): expires for name, scope, expires in _EXPIRES(database, most=most_tenants, now=now()).fetchall()
            },
            members_awaited=int(_AWAITED(database).fetchone()[0]),
            awaiting_purge=int(_DELETED(database, types=names).fetchone()[0]),
        )
        if database.kind == "sqlite":
            return replace(found, wal_bytes=_size_of_wal(database.url))
        rows = database.execute(_CONNECTIONS, ()).fetchall()
        return replace(
            found,
            connections={state: number for state, number, _ in rows},
            waiting=sum(waiting for *_, waiting in rows),
            most_connections=int(database.execute(_MOST_CONNECTIONS, ()).fetchone()[0]),
        )


def _size_of_wal(url: str) -> int:
    path = sqlite_path(url)
    try:
        return Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0
