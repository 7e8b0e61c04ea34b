"""Commands that change what accounts are like ask first, and say what they leave behind if they are interrupted."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scimsvc.cli import changes
from scimsvc.store.resources import ResourceStore
from tests.cli.conftest import Run
from tests.cli.test_plan import Accounts, unique_display_name

NO_TERMINAL = "nothing was changed: without a terminal the command can't ask, so give --yes"
PATIENCE = 5.0
"""Seconds in which nothing happens, after which a person presses the key again."""
COMMAND = Path(sys.executable).with_name("scimsvc")


@pytest.fixture
def accounts(ready: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    # No server runs that would have to follow first.
    monkeypatch.setattr(changes, "FOLLOWED_AFTER", 0.0)
    made = Accounts(folder)
    yield made
    made.database.close()


def state(folder: Path, run: Run) -> tuple[object, ...]:
    """All that a command could have changed."""
    files = {path.name: path.read_bytes() for path in (folder / "mappings").iterdir()}
    return files, run("tenant", "list").stdout


CHANGES = [
    ("mappings", "apply", "new.yaml"),
    ("mappings", "rollback", "--profile", "entra"),
    ("tenant", "update", "default", "--profile", "other"),
]


@pytest.fixture(params=["harmless", "problem"])
def prepared(request: pytest.FixtureRequest, folder: Path, accounts: Accounts) -> bool:
    """Three changes that can be made, with a problem or without; tells which."""
    accounts.create(displayName="A")
    problem = request.param == "problem"
    text = unique_display_name(accounts) if problem else accounts.shipped.replace("Microsoft Entra ID\n", "Other\n", 1)
    (folder / "new.yaml").write_text(text)
    (folder / "mappings" / "entra.yaml.former").write_text(text)
    (folder / "mappings" / "other.yaml").write_text(text.replace("profile: entra", "profile: other"))
    return problem


@pytest.mark.parametrize("command", CHANGES)
def test_options_decide_without_a_terminal(ready: Run, folder: Path, prepared: bool, command: tuple[str, ...]):
    before = state(folder, ready)
    planned = ready(*command, "--dry-run")
    assert (planned.exit_code, state(folder, ready)) == (int(prepared), before)
    assert planned.stdout.splitlines()[-1].startswith(f"Plan: {int(prepared)} problem")
    for options in ((), ("--force",)):
        asked = ready(*command, *options)
        assert (asked.exit_code, state(folder, ready)) == (2, before)
        assert asked.stdout == planned.stdout
        assert asked.stderr.startswith(NO_TERMINAL)
        assert ("--force" in asked.stderr) == (prepared and not options)
    for options in (("--yes", "--dry-run"), ("--yes", "--force", "--dry-run")):
        assert (ready(*command, *options).exit_code, state(folder, ready)) == (int(prepared), before)
    if prepared:
        refused = ready(*command, "--yes")
        assert (refused.exit_code, state(folder, ready)) == (1, before)
        assert "something is in the way, so nothing was changed; --force" in refused.stderr
    assert ready(*command, "--yes", *(["--force"] if prepared else [])).exit_code == 0
    assert state(folder, ready) != before


_ATTACH = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def on_a_terminal(answer: str, *arguments: str) -> tuple[int, str]:
    """The exit status of the command, and what a person sees who gives an answer to its question."""
    ours, theirs = pty.openpty()
    # In a session of its own, or Ctrl-C would reach nothing, or the tests.
    attached = [sys.executable, "-c", _ATTACH, COMMAND, *arguments]
    with subprocess.Popen(attached, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        # Whatever the command waits for, the tests go on.
        limit = threading.Timer(120, process.kill)
        limit.start()
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown and (chunk := _read(ours)):
            shown += chunk
        if b"[y/N]" in shown:
            os.write(ours, answer.encode())
            # A key that comes just before Python starts to read is shown and has no effect, so it is pressed again.
            while chunk := _read_in_time(ours, answer):
                shown += chunk
        limit.cancel()
    os.close(ours)
    return process.returncode, shown.decode()


def _read_in_time(terminal: int, answer: str) -> bytes:
    while not select.select([terminal], [], [], PATIENCE)[0]:
        os.write(terminal, answer.encode())
    return _read(terminal)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        # Linux says so when the other side has closed the terminal.
        return b""


def test_a_terminal_is_asked(ready: Run, folder: Path, accounts: Accounts):
    text = accounts.shipped.replace("profile: entra", "profile: other")
    (folder / "new.yaml").write_text(text)
    for answer in ("n\n", "\n", "\x04", "\x03"):
        status, shown = on_a_terminal(answer, "mappings", "apply", "new.yaml")
        assert status == (130 if answer == "\x03" else 1)
        assert "Apply this to the profile other? [y/N]" in shown
        assert "nothing was changed" in shown
        assert not (folder / "mappings" / "other.yaml").exists()
    status, shown = on_a_terminal("y\n", "mappings", "apply", "new.yaml")
    assert (status, (folder / "mappings" / "other.yaml").read_text()) == (0, text)


def test_force_on_a_terminal_names_the_problems_and_still_asks(ready: Run, folder: Path, accounts: Accounts):
    accounts.create(displayName="A")
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    status, shown = on_a_terminal("", "mappings", "apply", "new.yaml")
    assert (status, "[y/N]" in shown) == (1, False)
    status, shown = on_a_terminal("n\n", "mappings", "apply", "new.yaml", "--force")
    assert status == 1
    assert "Apply this to the profile entra in spite of 1 problem? [y/N]" in shown
    assert accounts.path.read_text() == accounts.shipped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_indexing_says_what_is_done_and_how_to_continue(
    ready: Run, folder: Path, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, number: int
):
    for name in ("A", "B", "C"):
        accounts.create(displayName=name)
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    index_anew = ResourceStore.index_anew
    indexed = []

    def index_and_interrupt(store: ResourceStore, id_: str) -> bool:
        indexed.append(id_)
        if len(indexed) == 2:
            os.kill(os.getpid(), number)
        return index_anew(store, id_)

    monkeypatch.setattr(ResourceStore, "index_anew", index_and_interrupt)
    result = ready("mappings", "apply", "new.yaml", "--yes", "--force")
    continued = "2 of 3 resources are indexed; continue with: scimsvc mappings reindex --profile entra\n"
    assert (result.exit_code, len(indexed)) == (128 + number, 2)
    assert result.stderr.startswith("interrupted: the new profile is in place in ")
    assert result.stderr.endswith(f"entra.yaml; {continued}")
    assert accounts.path.read_text() == unique_display_name(accounts)
    indexed.clear()
    result = ready("mappings", "reindex", "--profile", "entra")
    assert (result.exit_code, result.stderr) == (128 + number, f"interrupted: {continued}")
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)


def test_interrupted_plan_says_that_nothing_was_changed(
    ready: Run, folder: Path, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
):
    accounts.create(displayName="A")
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    monkeypatch.setattr(ResourceStore, "all", lambda store: os.kill(os.getpid(), signal.SIGTERM))
    for command in (("plan", "new.yaml"), ("apply", "new.yaml", "--yes", "--force")):
        result = ready("mappings", *command)
        assert (result.exit_code, result.stderr) == (143, "interrupted: nothing was changed\n")
    assert accounts.path.read_text() == accounts.shipped
