"""Purging beside a restore of the same account: an account whose restore was answered with success stays.

For tests/store; wants PostgreSQL, as SQLite has one writer at a time.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from scimsvc.protocol.projection import ALL
from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.server import ROOT

AFTER_ALL = "9999-01-01T00:00:00.000"
JANE = {"userName": "jane", "externalId": "1"}
_WAITS = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Party:
    """One connection to the database, and the users of its only tenant, in a profile with `recreate: restore`."""

    def __init__(self, url: str, profile: Path) -> None:
        self.database = Database(url)
        tenant = tenants.find_tenant(self.database, "a") or tenants.create_tenant(self.database, "a", "entra")
        self.restored: list[str] = []
        self.users = ResourceService(self.database, tenant.id, Catalog(load_profile(profile)).types["users"], "http://x")

    def restore(self) -> None:
        """Create Jane, who was deleted. For a thread, whose connection it closes."""
        self.restored.append(self.users.create(JANE).location)
        self.database.close()

    def purge(self) -> None:
        """Remove all that is deleted. For a thread, whose connection it closes."""
        self.database.transaction(lambda: self.users._resources.purge(AFTER_ALL, 500))
        self.database.close()


@pytest.fixture
def url(new_database_url: Callable[[str], str]) -> str:
    made = new_database_url("postgresql")
    database = Database(made)
    migrate(database)
    database.close()
    return made


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "entra.yaml"
    text = (ROOT / "mappings" / "entra.yaml").read_text()
    path.write_text(f"{text}\npolicies: {{recreate: restore, deleteAfter: 30}}\n" if "\npolicies:" not in text else text)
    assert load_profile(path).policies.recreate == "restore"
    return path


def until_waiting_or_done(url: str, other: threading.Thread) -> None:
    """Wait until another thread has ended or its transaction waits for a lock."""
    with psycopg.connect(url, autocommit=True) as looking:
        while other.is_alive():
            row = looking.execute(_WAITS).fetchone()
            if row and row[0]:
                return
            other.join(0.01)


def test_a_restore_that_commits_while_a_purge_waits_for_it_keeps_the_account(url: str, profile: Path) -> None:
    """The purge has chosen the account by its state before the restore, and waits for the restore's row lock."""
    restoring, purging = Party(url, profile), Party(url, profile)
    id_ = restoring.users.create(JANE).location.rpartition("/")[2]
    restoring.users.delete(id_, None)
    changed, end = threading.Event(), threading.Event()
    commit = restoring.users._resources.update

    def update_and_wait(*arguments: object, **named: object) -> object:
        stored = commit(*arguments, **named)  # type: ignore[arg-type]
        changed.set()
        assert end.wait(30)
        return stored

    restoring.users._resources.update = update_and_wait  # type: ignore[method-assign, assignment]
    restoring.database.close()
    restore = threading.Thread(target=restoring.restore)
    purge = threading.Thread(target=purging.purge)
    restore.start()
    assert changed.wait(30)
    purge.start()
    until_waiting_or_done(url, purge)
    end.set()
    restore.join(30)
    purge.join(30)
    require_found(purging, restoring.restored)


def test_a_purge_that_has_chosen_an_account_does_not_remove_it_after_a_restore(
    url: str, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restore comes between the two statements of a purge: the choice and the removal."""
    restoring, purging = Party(url, profile), Party(url, profile)
    id_ = restoring.users.create(JANE).location.rpartition("/")[2]
    restoring.users.delete(id_, None)
    restoring.database.close()
    restore = threading.Thread(target=restoring.restore)
    execute = purging.database.execute

    def execute_then_restore(sql: str, parameters: object) -> object:
        cursor = execute(sql, parameters)  # type: ignore[arg-type]
        if not restore.ident:
            restore.start()
            until_waiting_or_done(url, restore)
        return cursor

    monkeypatch.setattr(purging.database, "execute", execute_then_restore)
    purging.purge()
    monkeypatch.undo()
    restore.join(30)
    require_found(purging, restoring.restored)


def require_found(party: Party, restored: list[str]) -> None:
    """Whoever won, the account that the restore's answer names is there and is found by its login."""
    assert len(restored) == 1
    id_ = restored[0].rpartition("/")[2]
    try:
        assert party.users.get(id_, ALL).location == restored[0]
    finally:
        party.database.close()
