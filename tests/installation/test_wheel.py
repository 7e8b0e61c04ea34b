"""The wheel, installed in a bare environment and used in an empty folder: it does what the editable install does."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scimsvc import __version__
from tests.support.client import Client
from tests.support.server import BASE_PATH, ROOT, Gunicorn
from tests.support.session import run_session

NOT_COPIED = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "__pycache__", "*.former")
FILES = ["config.yaml", "gunicorn.conf.py", *(f"mappings/{path.name}" for path in (ROOT / "mappings").iterdir())]


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder, with nothing of this checkout on Python's path. Return its output."""
    ended = subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SCIMSVC_", "PYTHON"))}


def build(folder: Path, kind: str) -> Path:
    """Build a distribution of the sources in a folder, as pip does."""
    build = f"from setuptools import build_meta; print('built', build_meta.build_{kind}('dist'))"
    output = run([sys.executable, "-c", build], folder)
    return folder / "dist" / output.rpartition("built ")[2].strip()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, as a build leaves files behind."""
    folder = tmp_path_factory.mktemp("build") / "sources"
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path) -> Path:
    return build(sources, "wheel")


def digests(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_wheel_has_the_files_beside_the_package(wheel: Path) -> None:
    expected = {f"scimsvc/packaged/{name}": hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in FILES}
    assert {name: digest for name, digest in digests(wheel).items() if name.startswith("scimsvc/packaged/")} == expected


def test_a_second_build_has_no_file_that_is_gone(wheel: Path, sources: Path) -> None:
    (sources / "mappings" / "acme.yaml").write_text("profile: acme\n")
    assert "scimsvc/packaged/mappings/acme.yaml" in digests(build(sources, "wheel"))
    (sources / "mappings" / "acme.yaml").unlink()
    assert "scimsvc/packaged/mappings/acme.yaml" not in digests(build(sources, "wheel"))


def test_wheel_of_the_source_distribution_is_the_same(wheel: Path, sources: Path, tmp_path: Path) -> None:
    with tarfile.open(build(sources, "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert digests(build(unpacked, "wheel")) == digests(wheel)


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into an environment of its own, with the versions that CI uses. Return its folder of programs."""
    run([sys.executable, "-m", "venv", str(folder)], folder.parent)
    programs = folder / "bin"
    pip = [str(programs / "python"), "-m", "pip", "-q"]
    lock = ["-c", str(ROOT / "requirements.lock")]
    probe = [*pip, "download", "--no-deps", "-d", str(folder / "probe"), *lock, "click"]
    if subprocess.run(probe, cwd=folder, env=environment(), capture_output=True, timeout=600).returncode == 0:
        run([*pip, "install", *lock, str(wheel)], folder)
    else:
        # No package index can be reached, so take this environment's dependencies. Its own scimsvc isn't found by this: Python
        # reads no .pth files in a folder that another .pth file names.
        run([*pip, "install", "--no-index", "--no-deps", str(wheel)], folder)
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, pytest.FixtureRequest], Path]:
    """Finds the folder of programs of an installation; the wheel is installed by the first test that wants it."""

    def find(kind: str, request: pytest.FixtureRequest) -> Path:
        if kind == "editable":
            return Path(sys.executable).parent
        return install(request.getfixturevalue("wheel"), tmp_path_factory.mktemp("bare") / "env")

    return find


@pytest.mark.parametrize("kind", ["editable", "wheel"])
def test_session_of_entra_away_from_the_checkout(
    kind: str, programs: Callable[..., Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found = programs(kind, request)
    command = str(found / "scimsvc")
    origin = run([str(found / "python"), "-c", "import scimsvc; print(scimsvc.__file__)"], tmp_path)
    assert Path(origin).is_relative_to(ROOT / "scimsvc" if kind == "editable" else found.parent)
    assert run([command, "--version"], tmp_path).strip().endswith(__version__)
    made = run([command, "init"], tmp_path)
    (token,) = re.findall(r"Secret Token: (\S+)", made)
    assert made.splitlines()[-1] == f"Next: {command} serve"
    for name in FILES:
        assert name == "gunicorn.conf.py" or (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    (tmp_path / "mappings" / "okta.yaml").unlink()
    assert run([command, "mappings", "list"], tmp_path).splitlines() == [
        "entra\tMicrosoft Entra ID\tmappings/entra.yaml",
        "entra-default\tMicrosoft Entra ID, default mappings\tmappings/entra-default.yaml",
        "okta\tOkta\tpackaged",
    ]
    server = Gunicorn([command, "serve"], tmp_path, tmp_path / "gunicorn.log", {"PYTHONPATH": ""})
    client = Client(server.origin + BASE_PATH, token)
    try:
        run_session(client)
    finally:
        client.close()
        assert server.stop() == 0
    assert not [line for line in server.messages if '"level":"error"' in line or "Traceback" in line]
