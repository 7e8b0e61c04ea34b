"""`scimsvc init` in an empty folder, and beside files of an operator."""

import re
import secrets
from pathlib import Path

import pytest

from tests.installation.conftest import Run
from tests.support.server import ROOT

PACKAGED = ["entra-default.yaml", "entra.yaml", "okta.yaml", "profile.schema.json"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def configuration(folder: Path) -> dict[str, bytes]:
    """The files of a folder without the database."""
    return {name: content for name, content in files(folder).items() if not name.startswith("var/")}


def test_all_that_an_operator_edits_is_made(run: Run, folder: Path) -> None:
    result = run("init")
    assert (result.exit_code, result.stderr) == (0, "")
    names = ["config.yaml", *(f"mappings/{name}" for name in PACKAGED)]
    assert configuration(folder) == {name: (ROOT / name).read_bytes() for name in names}
    created = ", ".join(["config.yaml", *(f"mappings/{name}" for name in sorted(PACKAGED, key=lambda one: one.endswith("json")))])
    assert result.stdout.splitlines()[-2:] == [f"Created: {created}", "Next: scimsvc serve"]
    again = run("init")
    assert again.stdout.splitlines()[-2:] == [f"Kept as they were: {created}", "Next: scimsvc serve"]
    assert "scim_" not in again.output


def test_no_file_is_overwritten(run: Run, folder: Path) -> None:
    (folder / "mappings").mkdir()
    (folder / "config.yaml").write_text("log: {level: warning}\n")
    (folder / "mappings" / "profile.schema.json").write_text("{}")
    before = files(folder)
    result = run("init")
    assert (result.exit_code, before.items() <= files(folder).items()) == (0, True)
    assert "Kept as they were: config.yaml, mappings/profile.schema.json\n" in result.stdout
    assert "Created: mappings/entra-default.yaml, mappings/entra.yaml, mappings/okta.yaml\n" in result.stdout


def test_nothing_is_added_to_a_folder_with_profiles(run: Run, folder: Path) -> None:
    own = folder / "mappings" / "people.yaml"
    own.parent.mkdir()
    own.write_text((ROOT / "mappings" / "entra.yaml").read_text())
    assert run("init").exit_code == 0
    assert list(own.parent.iterdir()) == [own]


@pytest.mark.parametrize("profile", ["okta", "people"])
def test_any_profile_and_a_token_from_a_file(run: Run, folder: Path, profile: str) -> None:
    token = secrets.token_urlsafe(32)
    (folder / "token").write_text(token)
    (folder / "mappings").mkdir()
    text = (ROOT / "mappings" / "entra.yaml").read_text()
    (folder / "mappings" / "people.yaml").write_text(text.replace("profile: entra", "profile: people"))
    for _ in range(2):
        result = run("init", "--profile", profile, "--token-file", "token")
        assert (result.exit_code, result.stderr) == (0, "")
        assert token not in result.output
        assert "scim_" not in result.output
    assert run("tenant", "list").stdout == f"default\t{profile}\n"
    (folder / "token").write_text(secrets.token_urlsafe(32))
    differs = run("init", "--profile", "entra-default", "--token-file", "token")
    assert differs.exit_code == 0
    assert re.findall(r"run: (.*)", differs.stderr) == [
        "scimsvc tenant update default --profile entra-default",
        "scimsvc token create --tenant default --token-file token",
    ]


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--profile", "absent"], {}),
        ([], {"SCIMSVC_DATABASE_URL": "postgresql://127.0.0.1:1/x"}),
        ([], {"SCIMSVC_MAPPINGS_DIRECTORY": "file/mappings"}),
    ],
)
def test_nothing_is_left_of_what_failed(run: Run, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
    (folder / "file").touch()
    result = run("init", *arguments, **environment)
    assert (result.exit_code, result.stdout) == (1, "")
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_folder_that_can_not_be_written_to_is_no_hindrance(run: Run, folder: Path) -> None:
    # Not even root can make files here.
    result = run("init", SCIMSVC_MAPPINGS_DIRECTORY="/sys/kernel")
    assert (result.exit_code, list(configuration(folder))) == (0, ["config.yaml"])
    refused = ", ".join(f"/sys/kernel/{name}" for name in PACKAGED)
    assert re.fullmatch(rf"Warning: not created \([A-Z].*\): {refused}\n", result.stderr)
    assert "Secret Token: scim_" in result.stdout
