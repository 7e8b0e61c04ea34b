"""`scimsvc mappings` and `scimsvc expression`."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from scimsvc.cli.findings import annotation
from scimsvc.mapping import Finding
from scimsvc.mapping.functions import installed
from tests.cli.conftest import Run

WRONG = """profile: wrong
users:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
    - expression: Swich([a], , "x", "y")
      target: titl
groups:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
"""


def test_right_profiles_are_ok(run: Run):
    result = run("mappings", "check")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "mappings/entra.yaml: ok\n", "")


def test_every_mistake_of_every_file_is_shown_with_its_place(run: Run, folder: Path):
    (folder / "mappings" / "wrong.yaml").write_text(WRONG)
    (folder / "mappings" / "worse.yaml").write_text("a: [")
    result = run("mappings", "check")
    assert (result.exit_code, result.stdout) == (1, "mappings/entra.yaml: ok\n")
    lines = result.stderr.splitlines()
    assert [line.split(" ")[0] for line in lines if line.startswith("mappings/")] == [
        "mappings/worse.yaml:1:5:",
        "mappings/wrong.yaml:5:19:",
        "mappings/wrong.yaml:6:15:",
    ]
    place = lines.index("mappings/wrong.yaml:5:19: unknown function Swich, did you mean Switch?")
    assert lines[place + 1 : place + 3] == ['        - expression: Swich([a], , "x", "y")', " " * 22 + "^"]


def test_only_the_files_that_are_named_are_checked(run: Run, folder: Path):
    (folder / "mappings" / "wrong.yaml").write_text(WRONG)
    result = run("mappings", "check", "mappings/entra.yaml", "mappings/absent.yaml", SCIMSVC_MAPPINGS_DIRECTORY="absent")
    assert (result.exit_code, result.stdout) == (1, "mappings/entra.yaml: ok\n")
    assert result.stderr == "mappings/absent.yaml:1:1: can't be read: No such file or directory\n"


DOUBTED = WRONG.replace("wrong", "doubted").replace("Swich([a]", "Switch([a]").replace("titl\n", "title\n")


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
@pytest.mark.parametrize("format_", ["text", "json", "github"])
def test_warnings_fail_a_strict_check_alone(run: Run, folder: Path, options: tuple[str, ...], status: int, format_: str):
    (folder / "doubted.yaml").write_text(DOUBTED)
    assert run("mappings", "check", "doubted.yaml", "--format", format_, *options).exit_code == status
    assert run("mappings", "check", "--format", format_, *options).exit_code == 0
    (folder / "wrong.yaml").write_text(WRONG)
    assert run("mappings", "check", "wrong.yaml", "--format", format_, *options).exit_code == 1


def test_a_file_with_warnings_is_not_ok_in_a_strict_check(run: Run, folder: Path):
    (folder / "doubted.yaml").write_text(DOUBTED)
    lax, strict = run("mappings", "check", "doubted.yaml"), run("mappings", "check", "doubted.yaml", "--strict")
    assert (lax.stdout, strict.stdout) == ("doubted.yaml: ok\n", "")
    assert lax.stderr == strict.stderr != ""


def test_findings_are_json_and_annotations(run: Run, folder: Path):
    (folder / "a,b:c%.yaml").write_text(WRONG)
    (folder / "doubted.yaml").write_text(DOUBTED)
    files = ("a,b:c%.yaml", "doubted.yaml", "mappings/entra.yaml")
    found = json.loads(run("mappings", "check", "--format", "json", *files).stdout)
    unknown = {"file": "a,b:c%.yaml", "line": 5, "column": 19, "severity": "error"}
    assert unknown | {"message": "unknown function Swich, did you mean Switch?"} in found
    assert {one["severity"] for one in found if one["file"] == "doubted.yaml"} == {"warning"}
    lines = run("mappings", "check", "--format", "github", *files).stdout.splitlines()
    assert len(lines) == len(found)
    assert lines[0] == "::error file=a%2Cb%3Ac%25.yaml,line=5,col=19::unknown function Swich, did you mean Switch?"
    assert lines[-1].startswith("::warning file=doubted.yaml,line=")
    assert json.loads(run("mappings", "check", "--format", "json").stdout) == []
    assert run("mappings", "check", "--format", "github").output == ""


def test_an_annotation_is_one_line():
    shown = annotation(Finding(Path("a.yaml"), 1, 2, "50 %\r\nand: more, of it", "text", "warning"))
    assert shown == "::warning file=a.yaml,line=1,col=2::50 %25%0D%0Aand: more, of it"


def test_profiles_are_listed(run: Run, folder: Path):
    (folder / "mappings" / "b.yaml").write_text(
        WRONG.replace("wrong", "acme\ntitle: Acme").replace("Swich", "Switch").replace("titl\n", "title\n")
    )
    assert run("mappings", "list").stdout.splitlines() == [
        "acme\tAcme\tmappings/b.yaml",
        "entra\tMicrosoft Entra ID\tmappings/entra.yaml",
        "entra-default\tMicrosoft Entra ID, default mappings\tpackaged",
        "okta\tOkta\tpackaged",
    ]


def test_title_moves_no_terminal(run: Run, folder: Path):
    path = folder / "mappings" / "entra.yaml"
    path.write_text(path.read_text().replace("title: Microsoft Entra ID", 'title: "a\\nb\\t\\e[31mc"'))
    assert run("mappings", "list").stdout.startswith("entra\ta b [31mc\tmappings/entra.yaml\n")


def test_folder_without_profiles_is_named(run: Run, folder: Path):
    (folder / "empty").mkdir()
    for name in ("absent", "empty"):
        result = run("mappings", "check", SCIMSVC_MAPPINGS_DIRECTORY=name)
        assert (result.exit_code, result.stdout) == (1, "")
        message = "there are no profiles (*.yaml, *.yml); setting mappings.directory names the folder"
        assert result.stderr == f"Error: {folder}/{name}: {message} (configuration file: {folder}/config.yaml)\n"


def test_hidden_files_are_no_profiles(run: Run, folder: Path):
    # What Emacs and macOS leave behind.
    (folder / "mappings" / ".#entra.yaml").symlink_to("somebody@somewhere.1")
    (folder / "mappings" / "._entra.yaml").write_bytes(b"\x00\x05\x16\x07")
    assert run("mappings", "list").exit_code == 0
    result = run("mappings", "check")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "mappings/entra.yaml: ok\n", "")


@pytest.mark.parametrize("name", ["endless.yaml", "pipe.yaml", "folder.yaml"])
def test_what_is_no_file_of_a_profiles_size_is_not_read(run: Run, folder: Path, name: str):
    with (folder / "mappings" / "endless.yaml").open("wb") as file:
        file.truncate(2**40)
    os.mkfifo(folder / "mappings" / "pipe.yaml")
    (folder / "mappings" / "folder.yaml").mkdir()
    why = "it has more than 1048576 bytes" if name == "endless.yaml" else "it is no file"
    for command in ("check", "plan", "apply"):
        result = run("mappings", command, f"mappings/{name}")
        assert result.exit_code == 1
        assert f"can't be read: {why}" in result.stderr


def test_two_files_with_one_profile_are_found(run: Run, folder: Path):
    (folder / "mappings" / "two.yaml").write_text((folder / "mappings" / "entra.yaml").read_text())
    result = run("mappings", "check")
    assert (result.exit_code, result.stdout) == (1, "mappings/entra.yaml: ok\n")
    assert result.stderr == "mappings/two.yaml:1:1: the profile 'entra' is in mappings/entra.yaml already\n"


@pytest.mark.parametrize(
    "command", [("tenant", "create", "acme", "--profile", "wrong"), ("tenant", "create", "a", "--profile", "x")]
)
def test_wrong_profile_is_in_the_way_of_those_who_name_it(run: Run, folder: Path, command: tuple[str, ...]):
    (folder / "mappings" / "wrong.yaml").write_text(WRONG)
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "mappings/wrong.yaml:5:19: unknown function Swich" in result.stderr


def test_first_tenant_is_made_next_to_a_wrong_profile(run: Run, folder: Path):
    (folder / "mappings" / "wrong.yaml").write_text(WRONG)
    result = run("init")
    assert (result.exit_code, result.stdout.startswith("Tenant URL: ")) == (0, True)
    assert "mappings/wrong.yaml can't be used; scimsvc mappings check says why" in result.stderr


def test_folder_of_profiles_that_is_missing_is_named(run: Run, folder: Path):
    result = run("mappings", "list", SCIMSVC_MAPPINGS_DIRECTORY="absent")
    assert (result.exit_code, result.stdout) == (1, "")
    missing = f"{folder}/absent:1:1: there is no such folder; setting mappings.directory names it"
    assert f"{missing} (configuration file: {folder}/config.yaml)\n" in result.stderr


def test_commands_work_from_any_folder(ready: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    alone = ready("tenant", "list")
    missing = f"there is no folder {elsewhere}/var for the database scimsvc.db (no configuration file was read)"
    assert (alone.exit_code, missing in alone.stderr) == (1, True)
    monkeypatch.setenv("SCIMSVC_CONFIG", str(folder / "config.yaml"))
    assert ready("tenant", "list").stdout == "default\tentra\n"
    assert ready("mappings", "check").stdout == f"{folder}/mappings/entra.yaml: ok\n"
    shutil.rmtree(folder / "var")
    assert ready("init").exit_code == 0
    assert (folder / "var" / "scimsvc.db").is_file()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("expression", "attributes", "printed"),
    [
        ('Join(" ", [a], [b])', {"a": "x", "b": "y"}, '"x y"'),
        ('Join("", "é\\"")', None, '"é\\""'),
        ('Join("", [a])', {"a": "one\ntwo"}, '"one\\ntwo"'),
        ('Join("", [a])', None, '""'),
        ('Switch([a], , "x", "y")', {"a": "z"}, "null"),
        ('Switch([a], [b], "x", "y")', {"b": ["1", "2"]}, '["1", "2"]'),
        ('Switch([a], [b], "x", "y")', {"b": True}, "true"),
    ],
)
def test_value_of_an_expression_is_one_line_of_json(
    run: Run, folder: Path, expression: str, attributes: dict[str, Any] | None, printed: str
):
    (folder / "attributes.json").write_text(json.dumps(attributes or {}))
    more = ["--attributes", "attributes.json"] if attributes is not None else []
    result = run("expression", "eval", expression, *more)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{printed}\n", "")


@pytest.mark.parametrize(
    ("expression", "column", "message"),
    [
        ('Join("", [a]', 13, "expected a comma or )"),
        ('Swich([a], , "x", "y")', 1, "unknown function Swich, did you mean Switch?"),
        ('Join("", Qwertz())', 10, "unknown function Qwertz"),
        ("[a]", 1, "an expression must be a function"),
        ("", 1, "found the end"),
    ],
)
def test_wrong_expression_is_shown_with_its_column(run: Run, expression: str, column: int, message: str):
    result = run("expression", "eval", expression)
    assert (result.exit_code, result.stdout) == (2, "")
    first, *shown = result.stderr.splitlines()
    assert first.startswith(f"column {column}: ")
    assert message in first
    assert shown == [f"    {expression}", " " * (column + 3) + "^"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "\0",
        b"\xff",
        " " * 2**26 + "{}",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"a": ' * 5000,
    ],
)
def test_attributes_must_be_a_json_object(run: Run, folder: Path, content: str | bytes):
    (folder / "a.json").write_bytes(content.encode() if isinstance(content, str) else content)
    result = run("expression", "eval", 'Join("", "x")', "--attributes", "a.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "a.json: " in result.stderr


def test_text_that_is_no_unicode_is_printed_as_json(run: Run):
    assert run("expression", "eval", 'Join("", "\udcff")').stdout == '"\\udcff"\n'


def test_attributes_that_are_missing_are_named(run: Run):
    result = run("expression", "eval", 'Join("", "x")', "--attributes", "absent.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "absent.json" in result.stderr


def test_functions_are_listed_with_their_help(run: Run):
    lines = run("expression", "functions").stdout.splitlines()
    assert [line.split("(")[0] for line in lines if not line.startswith(" ")] == installed().names()
    assert "Switch(source, [defaultValue], key, value, …)" in lines
    assert len(lines) == 2 * len(installed().names())
