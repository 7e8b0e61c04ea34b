"""`scimsvc db`: a database of an older version is brought up to date, also if that is interrupted."""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.resources import ResourceService
from scimsvc.store import migrations, tenants
from scimsvc.store import reindex as store
from scimsvc.store.database import Database
from scimsvc.store.migrations import names
from tests.cli.conftest import Run
from tests.conftest import KINDS
from tests.support.old_database import PROFILE, fill
from tests.support.postgresql import PostgreSQL


@pytest.fixture(params=KINDS)
def old(
    request: pytest.FixtureRequest, new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> str:
    """The URL of a database of the former version, which is the one of the settings; its profile is in the mappings folder."""
    database = Database(new_database_url(request.param))
    fill(database, monkeypatch)
    database.close()
    shutil.copy(PROFILE, folder / "mappings")
    monkeypatch.setenv("SCIMSVC_DATABASE_URL", database.url)
    return database.url


def test_migrate_indexes_anew_and_names_what_is_no_longer_unique(run: Run, old: str):
    first = run("db", "migrate")
    assert first.exit_code == 0
    lines = first.stdout.splitlines()
    assert lines[: len(names()) - 3] == [*(f"applied {name}" for name in names()[4:]), "indexed 36 resources"]
    conflicts = [line for line in lines if line.startswith("!")]
    assert len(conflicts) == 10
    assert conflicts[0] == "! tenant tenant-a: User a-02 has the userName of a-01, which keeps it as unique"
    assert conflicts[-1] == "! tenant tenant-b: Group b-18 has the externalId of b-17, which keeps it as unique"
    assert "both stay as they are" in first.stderr
    assert run("db", "migrate").stdout.splitlines() == [*conflicts, "up to date"]


@pytest.mark.parametrize("command", [("tenant", "list"), ("db", "purge"), ("mappings", "reindex", "--profile", "before")])
def test_other_commands_wait_for_the_index(run: Run, old: str, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]):
    monkeypatch.setattr(store, "_BATCH", 10)
    with monkeypatch.context() as patched:
        index_one, calls = store._index_one, []
        patched.setattr(
            store,
            "_index_one",
            lambda *one: signal.raise_signal(signal.SIGTERM) if len(calls) == 5 else calls.append(index_one(*one)),
        )
        interrupted = run("db", "migrate")
    assert interrupted.exit_code == 128 + signal.SIGTERM
    assert "interrupted: 10 of 36 resources are indexed, and stay so; run scimsvc db migrate again" in interrupted.stderr
    refused = run(*command)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "Error: the database's index is not up to date; run: scimsvc db migrate\n"
    assert "indexed 36 resources" in run("db", "migrate").stdout
    assert run(*command).stdout.startswith(("tenant-a", "tenant tenant-a"))


def test_init_does_the_same(run: Run, old: str):
    result = run("init")
    assert (result.exit_code, "indexed 36 resources" in result.stdout) == (0, True)
    assert run("tenant", "list").stdout == "tenant-a\tbefore\ntenant-b\tbefore\n"


def test_a_profile_that_is_missing_ends_it_and_is_named(run: Run, old: str, folder: Path):
    (folder / "mappings" / "before.yaml").unlink()
    result = run("db", "migrate")
    assert (result.exit_code, "there is no profile 'before'" in result.stderr) == (1, True)
    shutil.copy(PROFILE, folder / "mappings")
    assert "indexed 36 resources" in run("db", "migrate").stdout


def test_progress_is_shown(run: Run, old: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "_BATCH", 10)
    monkeypatch.setattr("scimsvc.cli.progress.LINE_EVERY", 0.0)
    shown = run("db", "migrate").stderr.splitlines()
    assert shown[:2] == ["indexing: 0 of 36 resources (0 %)", "indexing: 10 of 36 resources (27 %)"]
    assert "indexing: 36 of 36 resources (100 %)" in shown


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, which is the one of the settings."""
    url = new_database_url(request.param)
    monkeypatch.setenv("SCIMSVC_DATABASE_URL", url)
    return url


def test_an_interrupted_purge_says_what_is_gone_and_goes_on(run: Run, folder: Path, fresh: str, monkeypatch: pytest.MonkeyPatch):
    assert run("init").exit_code == 0
    database = Database(fresh)
    tenant = tenants.find_tenant(database, "default")
    assert tenant
    keeping = folder / "keeping.yaml"
    keeping.write_text(f"{(folder / 'mappings' / 'entra.yaml').read_text()}\npolicies: {{deleteAfter: 1}}\n")
    service = ResourceService(database, tenant.id, Catalog(load_profile(keeping)).types["users"], "http://x")
    for name in ("a", "b", "c"):
        service.delete(service.create({"userName": name}).location.rpartition("/")[2], None)
    database.close()
    purge = ResourceService.purge

    def purge_one(service: ResourceService) -> int:
        purged = purge(service, 1)
        if purged:
            signal.raise_signal(signal.SIGTERM)
        return purged

    with monkeypatch.context() as patched:
        patched.setattr(ResourceService, "purge", purge_one)
        stopped = run("db", "purge")
    assert (stopped.exit_code, stopped.stdout) == (128 + signal.SIGTERM, "")
    assert stopped.stderr == "interrupted: 1 resource is removed for good; run scimsvc db purge again for the rest\n"
    monkeypatch.setattr("scimsvc.cli.progress.LINE_EVERY", 0.0)
    resumed = run("db", "purge")
    assert (resumed.exit_code, resumed.stdout, resumed.stderr) == (0, "default: purged 2\n", "purging: 2 resources\n")


def test_an_interrupted_migration_leaves_nothing_behind(run: Run, folder: Path, fresh: str, monkeypatch: pytest.MonkeyPatch):
    sql = migrations._sql

    def interrupting(name: str, database: Database) -> str:
        if name == names()[-1]:
            signal.raise_signal(signal.SIGINT)
        return sql(name, database)

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "_sql", interrupting)
        stopped = run("db", "migrate")
    assert (stopped.exit_code, stopped.stdout) == (128 + signal.SIGINT, "")
    assert stopped.stderr == "interrupted: migrations are applied as a whole or not at all; run scimsvc db migrate again\n"
    database = Database(fresh)
    assert database.peewee.get_tables() == []
    database.close()
    assert run("db", "migrate").stdout.splitlines() == [f"applied {name}" for name in names()]


def test_backup_and_restore_ask_before_they_replace(ready: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    made = ready("db", "backup", "one.backup")
    size = (folder / "one.backup").stat().st_size
    assert (made.exit_code, made.stdout) == (0, f"{folder}/one.backup: {size} bytes, verified\n")
    again = ready("db", "backup", "one.backup")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert ready("tenant", "create", "later", "--profile", "entra").exit_code == 0
    unasked = ready("db", "restore", "one.backup")
    assert (unasked.exit_code, "which has 2 tenants" in unasked.stdout) == (2, True)
    monkeypatch.setattr("scimsvc.cli.approval._is_terminal", lambda: True)
    monkeypatch.setattr("scimsvc.cli.approval._answer", lambda question: False)
    assert ready("db", "restore", "one.backup").exit_code == 1
    assert "later" in ready("tenant", "list").stdout
    restored = ready("db", "restore", "one.backup", "--yes")
    assert (restored.exit_code, restored.stdout.splitlines()[-1]) == (0, f"restored from {folder}/one.backup")
    assert ready("tenant", "list").stdout == "default\tentra\n"


def test_restore_makes_a_database_where_there_is_none(ready: Run, folder: Path):
    assert ready("db", "backup", "one.backup").exit_code == 0
    shutil.rmtree(folder / "var")
    missing = ready("db", "restore", "one.backup")
    assert (missing.exit_code, f"{folder}/var/scimsvc.db can't be made" in missing.stderr) == (1, True)
    (folder / "var").mkdir()
    absent = ready("db", "backup", "two.backup")
    assert (absent.exit_code, absent.stderr) == (
        1,
        f"Error: there is no database {folder}/var/scimsvc.db (configuration file: {folder}/config.yaml)\n",
    )
    assert list((folder / "var").iterdir()) == []
    assert ready("db", "restore", "one.backup").stdout == f"restored from {folder}/one.backup\n"
    assert ready("tenant", "list").stdout == "default\tentra\n"


@pytest.mark.parametrize("file", ["config.yaml", "absent", "var/scimsvc.db"])
def test_what_is_no_backup_is_not_restored(ready: Run, folder: Path, file: str):
    result = ready("db", "restore", file, "--yes")
    assert (result.exit_code, result.stderr.startswith("Error: ")) == (1, True)
    assert len(result.stderr.splitlines()) == 1
    assert ready("tenant", "list").stdout == "default\tentra\n"


def test_an_older_backup_is_to_be_migrated(
    run: Run,
    old: str,
    folder: Path,
    new_database_url: Callable[[str], str],
    postgresql: PostgreSQL,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PATH", f"{postgresql.server.bin_path}{os.pathsep}{os.environ['PATH']}")
    made = run("db", "backup", "old.backup")
    assert (made.exit_code, made.stderr) == (0, "")
    monkeypatch.setenv("SCIMSVC_DATABASE_URL", new_database_url("sqlite" if old.startswith("sqlite") else "postgresql"))
    restored = run("db", "restore", "old.backup")
    assert restored.stdout.splitlines()[-1] == "the backup is of an older version; next: scimsvc db migrate"
    assert "indexed 36 resources" in run("db", "migrate").stdout
    assert run("tenant", "list").stdout == "tenant-a\tbefore\ntenant-b\tbefore\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_a_backup_is_read_says_that_nothing_was_restored(
    ready: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    assert ready("db", "backup", "a.bak").exit_code == 0
    monkeypatch.setattr(sys.modules["scimsvc.cli.db"], "check", lambda *_: os.kill(os.getpid(), number))
    result = ready("db", "restore", "a.bak", "--yes")
    assert (result.exit_code, result.stderr) == (128 + number, "interrupted: nothing was restored; the database is as it was\n")


def test_the_backup_of_a_newer_version_is_refused_by_its_name(ready: Run, folder: Path):
    assert ready("db", "backup", "a.bak").exit_code == 0
    with closing(sqlite3.connect(folder / "a.bak")) as backup, backup:
        backup.execute("INSERT INTO migration (name) VALUES ('9999_later')")
    result = ready("db", "restore", "a.bak", "--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {folder / 'a.bak'}: the database was migrated by a newer scimsvc: it has 9999_later")
