"""The command in a folder of its own, with a SQLite file and the project's mapping profiles."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scimsvc.cli import main
from tests.support.server import ROOT

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the settings that the project comes with and its profile for Entra."""
    for name in [name for name in os.environ if name.startswith("SCIMSVC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mappings").mkdir()
    shutil.copy(ROOT / "mappings" / "entra.yaml", tmp_path / "mappings")
    shutil.copy(ROOT / "config.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs `scimsvc` with arguments; environment variables are keyword arguments."""
    return lambda *arguments, **environment: CliRunner().invoke(main, arguments, env=environment)


@pytest.fixture
def ready(run: Run) -> Run:
    """The same, where `scimsvc init` has been run."""
    assert run("init").exit_code == 0
    return run
