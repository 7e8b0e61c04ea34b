"""Remove from the journal what has expired, and everything about a person who is to be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from scimsvc.store.actor import Actor
from scimsvc.store.database import Database
from scimsvc.store.journal import Journal
from scimsvc.store.journal_details import NOTHING
from scimsvc.store.journal_reading import BEGINNING, JournalReader
from scimsvc.store.membership import name_form
from scimsvc.store.resources import now, remove_for_good
from scimsvc.store.statement import Statement

_BATCH = 500


class StillLive(Exception):
    """The resource is not deleted."""


class NothingKnown(Exception):
    """Neither the resources nor the journal have anything of that id."""


_DELETE_EXPIRED = Statement(
    """DELETE FROM journal WHERE seq IN (SELECT seq FROM
    (SELECT seq, happened_at, last_at FROM journal WHERE tenant_id = :tenant AND seq > 0 ORDER BY seq LIMIT :most) AS oldest
    WHERE COALESCE(last_at, happened_at) < :before
    AND seq < (SELECT MAX(seq) FROM journal WHERE tenant_id = :tenant AND seq > 0))""",
    """DELETE FROM journal WHERE seq = ANY (ARRAY(SELECT seq FROM
    (SELECT seq, happened_at, last_at FROM journal WHERE tenant_id = :tenant AND position >= 0
        ORDER BY position, seq LIMIT :most) AS oldest
    WHERE COALESCE(last_at, happened_at) < :before
    AND seq <> (SELECT seq FROM journal WHERE tenant_id = :tenant ORDER BY position DESC, seq DESC LIMIT 1)))""",
)
"""The newest row stays. SQLite would use its number again, and readers would take the next row for one that they know."""
_OF_RESOURCE = Statement(
    "SELECT resource_type, action, details FROM journal WHERE tenant_id = :tenant AND resource_id = :id ORDER BY seq"
)
_RESOURCE = Statement(
    "SELECT seq, resource_type, deleted, document FROM resource WHERE tenant_id = :tenant AND id = :id {for_delete}"
)
_MENTIONING = {
    kind: Statement(
        f"""SELECT seq FROM journal WHERE tenant_id = :tenant AND resource_id <> :id
        AND EXISTS (SELECT 1 FROM ({{each:ids}}) AS name WHERE {position}(details, name.id) > 0) ORDER BY seq"""
    )
    for kind, position in (("sqlite", "instr"), ("postgresql", "strpos"))
}
_DETAILS = Statement("SELECT details FROM journal WHERE seq = :seq {for_update}")
_SET_DETAILS = Statement("UPDATE journal SET details = :details WHERE seq = :seq")
_FORGET_ROWS = Statement("DELETE FROM journal WHERE tenant_id = :tenant AND resource_id = :id AND action <> 'erase'")
_FORGET_CONFLICTS = Statement("DELETE FROM index_conflict WHERE tenant_id = :tenant AND resource_id = :id")
_FORGET_TOKENS = Statement(
    """UPDATE token SET description = '', revoked = COALESCE(revoked, :now)
    WHERE tenant_id = :tenant AND subject = :id"""
)
_LISTS_OF_NAMES = ("membersAdded", "membersRemoved", "pendingAdded", "pendingRemoved")


def delete_expired(database: Database, tenant_id: int, before: str) -> int:
    """Delete some of a tenant's oldest rows, those that happened before a time. Return how many, 0 if all are gone.

    In a transaction. A refused write counts by the time of its last repeat. The newest row of a tenant stays.
    """
    return int(_DELETE_EXPIRED(database, tenant=tenant_id, before=before, most=_BATCH).rowcount)


def count_expired(database: Database, tenant_id: int, before: str) -> int:
    """Return how many rows `delete_expired` would delete, called until it returns 0."""
    reader, behind, number = JournalReader(database, tenant_id), BEGINNING, 0
    while True:
        with database.reading():
            page = reader.page(behind, _BATCH, so_far=True)
        expired = [(entry.last_at or entry.at) < before for _, entry in page]
        number += sum(expired)
        if len(page) < _BATCH or not any(expired):
            return number - (bool(page) and len(page) < _BATCH and expired[-1])
        behind = page[-1][0]


def erase(database: Database, tenant_id: int, id_: str, actor: Actor, erased: Callable[[], object]) -> None:
    """Remove a deleted resource for good, and every value of it from the journal, other resources' rows included.

    One row stays: its id, `erase` and the time. `erased` is called after each batch of rows. It is safe to interrupt and to do
    again. Raises StillLive or NothingKnown.
    """
    names = _names_of(database, tenant_id, id_)
    quoted = [orjson.dumps(name).decode() for name in sorted(names)]
    with database.reading():
        ids = orjson.dumps(quoted).decode()
        rows = _MENTIONING[database.kind](database, tenant=tenant_id, id=id_, ids=ids).fetchall()
    for batch in _batches([seq for (seq,) in rows]):

        def clean(batch: Sequence[int] = batch) -> None:
            for seq in batch:
                _clean(database, seq, id_, names)

        database.transaction(clean)
        erased()
    database.transaction(lambda: _finish(database, tenant_id, id_, actor))
    erased()


def _names_of(database: Database, tenant_id: int, id_: str) -> set[str]:
    """Return the names by which groups know, or wait for, a deleted resource. Raises StillLive or NothingKnown."""
    with database.reading():
        resource = _RESOURCE(database, tenant=tenant_id, id=id_).fetchone()
        rows = _OF_RESOURCE(database, tenant=tenant_id, id=id_).fetchall()
    if resource and not resource[2]:
        raise StillLive(id_)
    if not resource and not rows:
        raise NothingKnown(id_)
    documents = [orjson.loads(resource[3])] if resource else []
    for _, _, details in rows:
        values = orjson.loads(details) if details else {}
        documents += [values.get("before", {}), values.get("after", {})]
    external_ids = {document["externalId"] for document in documents if isinstance(document.get("externalId"), str)}
    return {id_, *external_ids, *map(name_form, external_ids)}


def _batches(seqs: Sequence[int]) -> Iterator[Sequence[int]]:
    return (seqs[start : start + _BATCH] for start in range(0, len(seqs), _BATCH))


def _clean(database: Database, seq: int, id_: str, names: set[str]) -> None:
    """Remove from a row of another resource, or of a token, what is about a resource."""
    row = _DETAILS(database, seq=seq).fetchone()
    if row is None:
        return
    details = orjson.loads(row[0])
    for name in _LISTS_OF_NAMES:
        if name in details:
            details[name] = [one for one in details[name] if one not in names]
    cleaned = _without(details, id_) or {}
    _SET_DETAILS(database, seq=seq, details=orjson.dumps(cleaned).decode())


def _without(value: Any, id_: str) -> Any:
    """Return JSON without the objects that are about a resource: its manager in another's document, the subject of a token.

    None stands for what is left out.
    """
    if isinstance(value, dict):
        if id_ in (value.get("value"), value.get("subject")):
            return None
        found = {name: _without(below, id_) for name, below in value.items()}
        return {name: below for name, below in found.items() if below is not None or value[name] is None}
    if isinstance(value, list):
        return [below for one in value if (below := _without(one, id_)) is not None]
    return value


def _finish(database: Database, tenant_id: int, id_: str, actor: Actor) -> None:
    """Remove the resource and its own rows, and keep that it was erased."""
    resource = _RESOURCE(database, tenant=tenant_id, id=id_).fetchone()
    if resource and not resource[2]:
        raise StillLive(id_)
    at = now()
    types = [row[0] for row in _OF_RESOURCE(database, tenant=tenant_id, id=id_).fetchall()]
    if resource:
        types.append(resource[1])
        remove_for_good(database, tenant_id, [resource[0]])
    _FORGET_CONFLICTS(database, tenant=tenant_id, id=id_)
    _FORGET_TOKENS(database, tenant=tenant_id, id=id_, now=at)
    if _FORGET_ROWS(database, tenant=tenant_id, id=id_).rowcount or resource:
        Journal(database, tenant_id, actor).write("erase", max(types), id_, at, NOTHING)
