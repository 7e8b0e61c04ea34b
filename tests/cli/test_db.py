"""`scimsvc db`: a database of an older version is brought up to date, also if that is interrupted."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scimsvc.store import reindex as store
from scimsvc.store.database import Database
from scimsvc.store.migrations import names
from tests.cli.conftest import Run
from tests.conftest import KINDS
from tests.support.old_database import PROFILE, fill


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
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_BATCH", 10)
    with monkeypatch.context() as patched:
        index_one, calls = store._index_one, []
        patched.setattr(store, "_index_one", lambda *one: interrupt() if len(calls) == 5 else calls.append(index_one(*one)))
        interrupted = run("db", "migrate")
    assert interrupted.exit_code == 1
    assert "interrupted with 10 resources indexed, which stay so; run the command again" in interrupted.stderr
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
