"""What happened in a tenant, how long that is kept, and how a person is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from scimsvc.service.actor import Actor
from scimsvc.store import journal_retention
from scimsvc.store.database import Database
from scimsvc.store.journal import INSTALLATION
from scimsvc.store.journal_reading import Entry, JournalReader
from scimsvc.store.journal_retention import NothingKnown, StillLive

__all__ = ["INSTALLATION", "Entry", "NothingKnown", "StillLive", "activity", "count_expired", "delete_expired", "erase"]


def activity(database: Database, tenant_id: int, resource_id: str = "", failed: bool = False, since: str = "") -> Iterator[Entry]:
    """Yield what happened in a tenant, the oldest first, read from the database page by page.

    `resource_id` is that of the resource that it happened to, `failed` is for refused writes alone. `since` is a time in the
    store's form: UTC with milliseconds, without a zone.
    """
    reader = JournalReader(database, tenant_id)
    if failed and not resource_id:
        return reader.refused(since)
    entries = reader.of_resource(resource_id, since) if resource_id else reader.all(since)
    return (entry for entry in entries if not failed or entry.action == "refuse")


def delete_expired(database: Database, tenant_id: int, days: int) -> int:
    """Delete some rows that are older than so many days, in a transaction of their own. Return how many, 0 if none are left."""
    before = _days_ago(days)
    return database.transaction(lambda: journal_retention.delete_expired(database, tenant_id, before))


def count_expired(database: Database, tenant_id: int, days: int) -> int:
    """Return how many rows are older than so many days."""
    return journal_retention.count_expired(database, tenant_id, _days_ago(days))


def erase(database: Database, tenant_id: int, id_: str, actor: Actor, erased: Callable[[], object] = lambda: None) -> None:
    """Forget a deleted resource: remove it for good, and its values from the whole journal, except that it was erased and when.

    `erased` is called after each batch. Raises StillLive or NothingKnown.
    """
    journal_retention.erase(database, tenant_id, id_, actor, erased)


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")[:23]
