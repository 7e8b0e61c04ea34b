"""The documentation says what is: its session works, and every command, setting and dependency is in it."""

import re
from configparser import ConfigParser
from pathlib import Path
from typing import get_type_hints

import click

from scimsvc.cli import main
from scimsvc.mapping import parse_profile
from scimsvc.settings import sections
from tests.support.client import Client
from tests.support.server import ROOT
from tests.support.session import run_session

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_session_of_the_readme_works(client: Client) -> None:
    run_session(client)


def commands(group: click.Group, before: str) -> list[str]:
    found = []
    for name, command in group.commands.items():
        path = f"{before} {name}"
        found += commands(command, path) if isinstance(command, click.Group) else [path]
    return found


def test_every_command_is_in_the_readme() -> None:
    assert [command for command in commands(main, "scimsvc") if f"`{command}" not in README] == []


def test_every_setting_is_in_the_readme_and_in_the_file() -> None:
    file = (ROOT / "config.yaml").read_text()
    for section, kind in sections().items():
        for name in get_type_hints(kind):
            assert f"`{section}.{name}`" in README
            assert re.search(rf"^(# )?{section}:", file, re.MULTILINE)
            assert re.search(rf"^#? +(# )?{name}:", file, re.MULTILINE)


def test_every_dependency_has_its_reason() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options"]["install_requires"] + setup["options.extras_require"]["test"]
    for name in re.findall(r"^([A-Za-z0-9-]+)", listed, re.MULTILINE):
        assert f"| {name} |" in ARCHITECTURE, name


def test_profile_in_the_readme_is_one_without_a_warning():
    texts = re.findall(r"```yaml\n(profile: .*?)```", README, re.DOTALL)
    profiles = [parse_profile(text, Path("README.md")) for text in texts]
    assert [(one.name, list(one.warnings)) for one in profiles] == [("acme", [])]


def test_versions_with_known_faults_are_not_installed() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    # CVE-2025-67221
    assert "\norjson>=3.11.6\n" in setup["options"]["install_requires"]
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    for name, least in (("orjson", (3, 11, 6)), ("setuptools", (78, 1, 1))):
        assert tuple(int(part) for part in locked[name].split(".")) >= least
    # Those that Python's venv brings along are not among the locked ones.
    makefile = (ROOT / "Makefile").read_text()
    assert "--upgrade 'pip>=25.3'" in makefile
    assert "pip uninstall -q -y setuptools" in makefile
