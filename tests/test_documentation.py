"""The documentation says what is: its session works, and every command, setting and dependency is in it."""

import importlib
import re
from configparser import ConfigParser
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from scimsvc.cli import main
from scimsvc.mapping import parse_profile
from scimsvc.settings import sections
from tests.support.client import Client
from tests.support.server import ROOT
from tests.support.session import run_session

PAGES = {path: path.read_text() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))}
README = PAGES[ROOT / "README.md"]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_sessions_work(client: Client) -> None:
    run_session(client)
    run_session(client, "README.md", 3)


def test_readme_is_a_front_page() -> None:
    assert len(README.splitlines()) <= 120
    pages = {path for path in PAGES if path.is_relative_to(ROOT / "docs")}
    assert sorted(path for path in pages if f"({path.relative_to(ROOT)})" not in README) == []


def test_links_lead_somewhere() -> None:
    for path, text in PAGES.items():
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            assert "://" in link or (path.parent / link).exists(), f"{path}: {link}"


def test_generated_pages_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    generate = importlib.import_module("generate")
    assert [path for path, page in generate.PAGES.items() if path.read_text() != page()] == [], "run make docs"


def commands(group: click.Group, before: str) -> list[str]:
    found = []
    for name, command in group.commands.items():
        path = f"{before} {name}"
        found += commands(command, path) if isinstance(command, click.Group) else [path]
    return found


def test_every_command_has_a_section() -> None:
    page = PAGES[ROOT / "docs" / "commands.md"]
    assert [command for command in commands(main, "scimsvc") if f"\n## {command}\n" not in page] == []


def test_every_setting_is_on_its_page_and_in_the_file() -> None:
    page = PAGES[ROOT / "docs" / "operate" / "settings.md"]
    file = (ROOT / "config.yaml").read_text()
    for section, kind in sections().items():
        for name in get_type_hints(kind):
            assert f"| `{section}.{name}` |" in page
            assert re.search(rf"^(# )?{section}:", file, re.MULTILINE)
            assert re.search(rf"^#? +(# )?{name}:", file, re.MULTILINE)


def test_every_dependency_has_its_reason() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options"]["install_requires"] + setup["options.extras_require"]["test"]
    for name in re.findall(r"^([A-Za-z0-9-]+)", listed, re.MULTILINE):
        assert f"| {name} |" in ARCHITECTURE, name


def test_profiles_in_the_pages_have_no_warning():
    texts = [text for page in PAGES.values() for text in re.findall(r"```yaml\n(profile: .*?)```", page, re.DOTALL)]
    profiles = [parse_profile(text, Path("page.md")) for text in texts]
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
