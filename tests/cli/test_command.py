"""What all commands have in common: help, lists for people and programs, secrets that come from elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.cli import main, tables
from scimsvc.cli.common import program
from scimsvc.cli.secrets import _checked
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.tenants import digest
from tests.cli.conftest import Run
from tests.support.postgresql import PostgreSQL
from tests.support.server import ROOT

URL = "sqlite:///var/scimsvc.db"
SECRET = "0123456789abcdef0123456789ABCDEF"


def every_command(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from every_command(below, *path, name)


@pytest.mark.parametrize("path", list(every_command(main)), ids=" ".join)
def test_every_command_has_help_by_a_short_option(path: tuple[str, ...]):
    short, long = (CliRunner().invoke(main, [*path, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert "-h, --help" in short.stdout


def test_lists_are_json_for_programs(ready: Run):
    ready("token", "create", "--tenant", "default", "--description", "two\nlines", "--expires-in", "30")
    ready("tenant", "create", "acme", "--profile", "entra")

    def listed(*command: str) -> list[dict[str, object]]:
        result = ready(*command, "--json")
        assert result.exit_code == 0
        found: list[dict[str, object]] = json.loads(result.stdout)
        return found

    assert listed("tenant", "list") == [{"name": "default", "profile": "entra"}, {"name": "acme", "profile": "entra"}]
    first, second = listed("token", "list", "--tenant", "default")
    columns = ["number", "state", "scope", "created", "lastUsed", "expires", "user", "description"]
    assert list(first) == columns
    assert (first["number"], first["state"], first["lastUsed"], first["expires"]) == (1, "live", None, None)
    assert second["description"] == "two\nlines"
    assert str(second["expires"]).endswith("Z")
    assert listed("token", "list", "--tenant", "acme") == []
    assert listed("mappings", "list")[0] == {"name": "entra", "title": "Microsoft Entra ID", "from": "mappings/entra.yaml"}
    join = next(one for one in listed("expression", "functions") if str(one["signature"]).startswith("Join("))
    assert set(join) == {"signature", "help", "deterministic", "canBeUndone"}


def test_a_terminal_gets_a_header_and_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    rows = [{"number": 1, "lastUsed": None}, {"number": 10, "lastUsed": "2026"}]
    tables.show(("number", "lastUsed"), rows, False)
    assert capsys.readouterr().out == "1\t-\n10\t2026\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    tables.show(("number", "lastUsed"), rows, False)
    assert capsys.readouterr().out == "NUMBER  LAST USED\n1       -\n10      2026\n"
    tables.show(("number", "lastUsed"), [], False)
    assert capsys.readouterr().out == ""


def test_a_tenant_may_exist_already(ready: Run):
    command = ("tenant", "create", "acme", "--profile", "entra", "--if-not-exists")
    assert ready(*command).stdout.startswith("created tenant acme")
    again = ready(*command)
    assert (again.exit_code, again.stdout) == (0, "tenant acme exists and follows profile entra\n")
    assert ready("tenant", "list").stdout.count("acme") == 1


def test_a_tenant_that_follows_another_profile_is_not_what_was_asked_for(ready: Run, folder: Path):
    shutil.copy(ROOT / "mappings" / "okta.yaml", folder / "mappings")
    failed = ready("tenant", "create", "default", "--profile", "okta", "--if-not-exists")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert (
        "there is a tenant 'default' already, which follows profile 'entra'; change it with: scimsvc tenant upd" in failed.stderr
    )


def opens(secret: str) -> str | None:
    database = Database(URL)
    credential = tenants.find_credential(database, digest(secret))
    database.close()
    return credential.tenant.name if credential else None


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_first_token_can_come_from_a_file(run: Run, folder: Path, end: str):
    (folder / "token").write_bytes((SECRET + end).encode())
    result = run("init", "--token-file", "token")
    assert (result.exit_code, result.stderr) == (0, "")
    assert SECRET not in result.output
    assert opens(SECRET) == "default"
    # Nothing is made, and nothing shown, the second time.
    again = run("init", "--token-file", "token")
    assert (again.exit_code, SECRET in again.output) == (0, False)
    assert len(run("token", "list", "--tenant", "default").stdout.splitlines()) == 1


def test_a_token_can_come_from_a_file_or_standard_input(ready: Run, folder: Path):
    (folder / "token").write_text(f"{SECRET}\n")
    result = ready("token", "create", "--tenant", "default", "--token-file", "token")
    assert (result.exit_code, result.output) == (0, "")
    other = SECRET[::-1]
    create = ["token", "create", "--tenant", "default", "--from-stdin"]
    result = CliRunner().invoke(main, create, input=f"{other}\n")
    assert (result.exit_code, result.output) == (0, "")
    assert (opens(SECRET), opens(other)) == ("default", "default")
    taken = CliRunner().invoke(main, create, input=other)
    assert (taken.exit_code, taken.stderr) == (1, "Error: this token is in use already; each may be used once, for one tenant\n")
    both = ready("token", "create", "--tenant", "default", "--token-file", "token", "--from-stdin")
    assert (both.exit_code, "exclude each other" in both.stderr) == (2, True)
    assert len(ready("token", "list", "--tenant", "default").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "letters, digits"),
        (b"short", "has 32 to 1024 characters, not 5"),
        (b"x" * 1025, "has 32 to 1024 characters, not 1025"),
        (b"a" * 40, "can be guessed; make one with, for example: openssl rand -hex 32"),
        (b"abcabcabcabcabcabcabcabcabcabcabcabc", "can be guessed"),
        (SECRET.encode() + b" x", "letters, digits"),
        (SECRET.encode() + b"\n\n", "letters, digits"),
        (SECRET.encode() + "é".encode(), "letters, digits"),
    ],
)
def test_a_token_that_is_weak_or_none_is_refused(ready: Run, folder: Path, content: bytes, message: str):
    (folder / "token").write_bytes(content)
    for command in (("token", "create", "--tenant", "default"), ("init",)):
        result = ready(*command, "--token-file", "token")
        assert (result.exit_code, result.stdout) == (1, "")
        assert message in result.stderr
        assert SECRET not in result.stderr


@given(st.binary(min_size=16, max_size=64).map(bytes.hex) | st.text("0123456789abcdef", min_size=1, max_size=40))
def test_what_is_taken_is_long_and_varied(text: str):
    try:
        assert _checked(text.encode(), "x") == text
    except click.ClickException:
        assert len(text) < 32 or len(set(text)) < 16
    else:
        assert len(text) >= 32
        assert len(set(text)) > 7


def test_commands_name_themselves_as_they_are_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    script = tmp_path / "my bin" / "scimsvc"
    script.parent.mkdir()
    script.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["my bin/scimsvc"])
    assert program() == "'my bin/scimsvc'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "scimsvc"
    for called in ("pytest", "/usr/bin/pytest", "scimsvc"):
        monkeypatch.setattr(sys, "argv", [called])
        assert program() == "scimsvc"


def test_the_printed_command_works(folder: Path):
    command = os.path.relpath(Path(sys.executable).with_name("scimsvc"))
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    shown = subprocess.run([command, "init"], capture_output=True, text=True, check=True, env=environment).stdout
    hint = re.search(r"Make another with: (.*)", shown)
    assert hint
    again = subprocess.run(hint[1], shell=True, capture_output=True, text=True, check=True, env=environment)
    assert again.stdout.startswith("scim_")


def test_a_dangerous_file_is_warned_of_once(ready: Run, folder: Path):
    (folder / "config.yaml").chmod(0o666)
    result = ready("token", "list", "--tenant", "default")
    assert result.exit_code == 0
    assert result.stderr.count("Warning: ") == 1
    assert "config.yaml can be changed by other users" in result.stderr


def test_a_wrong_login_is_named(run: Run, folder: Path, postgresql: PostgreSQL):
    url = postgresql.database()
    result = run("tenant", "list", SCIMSVC_DATABASE_URL=re.sub(r"//[^@/]*@", "//no_such_user:s3cret@", url))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: the database refuses the login: ")
    assert "check user and password in database.url, or in libpq's PGUSER, PGPASSWORD and PGPASSFILE" in result.stderr
    assert "s3cret" not in result.stderr
