"""The command in an empty folder."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scimsvc.cli import main

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with nothing in it."""
    for name in [name for name in os.environ if name.startswith("SCIMSVC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs `scimsvc` with arguments; environment variables are keyword arguments."""
    return lambda *arguments, **environment: CliRunner().invoke(main, arguments, env=environment)
