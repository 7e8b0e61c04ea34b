"""The journal: what happened, one row a change. This module alone writes rows of it; `journal_retention` removes them.

A row is written in the transaction of the change, so neither is stored without the other. Rows of one resource are in the order
of its versions: the transaction that writes one has the resource locked.

On PostgreSQL a row also has a position: the number of its transaction. Whatever is below the number of the oldest transaction
that still runs is complete, so a reader in the order of positions passes no row that is committed late. A transaction with a
smaller number may have to wait for the lock of a group. Rows of groups therefore take at least the position of the group's
row before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import orjson

from scimsvc.store.actor import SERVER, Actor
from scimsvc.store.database import Database
from scimsvc.store.statement import Statement

Action = Literal[
    "create", "replace", "patch", "delete", "restore", "join", "leave", "pending", "purge", "erase", "record", "refuse"
]
"""What a row is about. `join` and `leave` are of a group that gained or lost a member by the member's own change; `pending` of a
group that waits for other names than before; `record` of an account of which only the application's view has changed.
"""
INSTALLATION = 0
"""The tenant of what concerns none or all."""

_OWN_POSITION = "pg_current_xact_id()::text::bigint + (SELECT base FROM journal_base)"
_COLUMNS = "tenant_id, happened_at, actor, request_id, resource_type, action"
_VALUES = ":tenant, :now, :actor, :request_id, :resource_type, :action"
_INSERT = Statement(
    f"INSERT INTO journal ({_COLUMNS}, resource_id, version, details) VALUES ({_VALUES}, :id, :version, :details)",
    f"""INSERT INTO journal ({_COLUMNS}, resource_id, version, details, position)
    VALUES ({_VALUES}, :id, :version, :details, {_OWN_POSITION})""",
)
_INSERT_EACH = Statement(
    f"""INSERT INTO journal ({_COLUMNS}, resource_id, version, details)
    SELECT {_VALUES}, {{rows:rows id TEXT, version BIGINT, details TEXT}}""",
    f"""INSERT INTO journal ({_COLUMNS}, resource_id, version, details, position)
    SELECT {_VALUES}, changed.id, changed.version, changed.details, GREATEST({_OWN_POSITION}, (SELECT position FROM journal
        WHERE tenant_id = :tenant AND resource_id = changed.id ORDER BY seq DESC LIMIT 1))
    FROM (SELECT {{rows:rows id TEXT, version BIGINT, details TEXT}}) AS changed (id, version, details)""",
)
_REFUSAL = "tenant_id, happened_at, last_at, actor, request_id, resource_type, resource_id, action, details, refusal, times"
_REFUSED = """{rows:rows tenant INTEGER, at TEXT, last_at TEXT, actor TEXT, request_id TEXT, resource_type TEXT, resource_id TEXT,
    action TEXT, details TEXT, refusal TEXT, times INTEGER}"""
_COUNT_AGAIN = """ON CONFLICT (tenant_id, refusal) WHERE refusal IS NOT NULL
    DO UPDATE SET times = journal.times + excluded.times, last_at = excluded.last_at"""
_REFUSE = Statement(
    f"INSERT INTO journal ({_REFUSAL}) SELECT {_REFUSED} {_COUNT_AGAIN}",
    f"""INSERT INTO journal ({_REFUSAL}, position) SELECT refused.*, {_OWN_POSITION} FROM (SELECT {_REFUSED}) AS refused
    {_COUNT_AGAIN}""",
)


# The newest row of each tenant is looked up in the index: the greatest position of all would need a look at every row.
_CONTINUE = """UPDATE journal_base SET base = newest.position FROM
    (SELECT MAX(found.position) AS position FROM (SELECT id FROM tenant UNION ALL SELECT 0) AS owner CROSS JOIN LATERAL
        (SELECT position FROM journal WHERE tenant_id = owner.id ORDER BY position DESC LIMIT 1) AS found) AS newest
    WHERE newest.position - base >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint"""
"""PostgreSQL's alone. A row that can be seen has a number that the server has given away, unless another server gave it."""


def continue_positions(database: Database) -> None:
    """Let positions go on behind those there are, after a database was restored into another server. In a transaction.

    That server counts transactions anew, so readers would take new rows for old ones. Otherwise nothing changes.
    """
    if database.kind == "postgresql":
        database.execute(_CONTINUE, ())


class Journal:
    """The journal of a tenant, for what one actor does. Methods belong inside `Database.transaction`."""

    def __init__(self, database: Database, tenant_id: int, actor: Actor = SERVER) -> None:
        self._database = database
        self._tenant = tenant_id
        self._actor = str(actor)
        self._request_id = actor.request_id

    def write(self, action: Action, resource_type: str, id_: str, at: str, details: str, version: int | None = None) -> None:
        """Write a row. `details` is JSON as in `journal_details`; `version` is the one that the resource has now, None if the
        change has not made a new one.
        """
        _INSERT(
            self._database,
            tenant=self._tenant,
            now=at,
            actor=self._actor,
            request_id=self._request_id,
            resource_type=resource_type,
            action=action,
            id=id_,
            version=version,
            details=details,
        )

    def write_each(self, action: Action, resource_type: str, at: str, rows: Iterable[tuple[str, int | None, str]]) -> None:
        """Write a row for each of several resources, by id, version and details, in one statement."""
        _INSERT_EACH(
            self._database,
            tenant=self._tenant,
            now=at,
            actor=self._actor,
            request_id=self._request_id,
            resource_type=resource_type,
            action=action,
            rows=orjson.dumps(list(rows)).decode(),
        )

    def administer(self, action: Action, kind: str, name: str, at: str, **changes: Any) -> None:
        """Write a row about a tenant, token or profile (`kind`): `before` and `after` are its values."""
        self.write(action, kind, name, at, orjson.dumps({key: value for key, value in changes.items() if value}).decode())


class Refusal(NamedTuple):
    """A write that was refused, without any of its values. Equal ones of one day become one row."""

    tenant_id: int
    actor: str
    method: str
    endpoint: str
    resource_id: str
    status: int
    scim_type: str | None
    attribute: str | None
    rule: str | None

    @property
    def details(self) -> dict[str, Any]:
        """What the row's details are, without what is not known."""
        named = {"method": self.method, "endpoint": self.endpoint, "status": self.status}
        more = {"scimType": self.scim_type, "attribute": self.attribute, "rule": self.rule}
        return named | {name: value for name, value in more.items() if value}


class Repeats(NamedTuple):
    """How often a write was refused, from when to when, and the id of the first of these requests."""

    times: int
    first_at: str
    last_at: str
    request_id: str


def count_refusals(database: Database, refused: Mapping[Refusal, Repeats]) -> None:
    """Store refused writes, or count those that are stored already, in one statement. Inside `Database.transaction`."""
    rows = [
        (
            one.tenant_id,
            repeats.first_at,
            repeats.last_at,
            one.actor,
            repeats.request_id,
            "",
            one.resource_id,
            "refuse",
            orjson.dumps(one.details).decode(),
            f"{repeats.first_at[:10]} {orjson.dumps(one[1:]).decode()}",
            repeats.times,
        )
        for one, repeats in sorted(refused.items(), key=lambda item: str(item[0]))
    ]
    _REFUSE(database, rows=orjson.dumps(rows).decode())
