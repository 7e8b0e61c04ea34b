"""The mapping floor opens no files: `service/profiles/files.py` does, and gives it their content."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ROOT

OPENING = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "rglob", "resolve", "stat", "exists"}


def openings(code: str) -> Iterator[str]:
    """Yield what in a module's code could open a file. The import of `os`, `io` and others is a contract in setup.cfg."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.ImportFrom(module="pathlib", names=names):
                yield from (f"pathlib.{name.name}" for name in names if name.name != "PurePath")
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name == "pathlib")
            case ast.Call(func=ast.Name(id="open")):
                yield "open"
            case ast.Attribute(attr=name) if name in OPENING:
                yield name


@pytest.mark.parametrize("path", sorted((ROOT / "scimsvc" / "mapping").rglob("*.py")), ids=lambda path: path.name)
def test_module_opens_no_files(path: Path):
    assert list(openings(path.read_text())) == []


@pytest.mark.parametrize(
    "code", ["import pathlib", "from pathlib import Path", "open('x')", "path.read_text()", "path.parent.iterdir()"]
)
def test_what_opens_a_file_is_found(code: str):
    assert list(openings(code))
