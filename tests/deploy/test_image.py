"""The image of `deploy/Dockerfile`: built, and run as its user on a root file system that is read-only."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.server import BASE_PATH, ROOT, Gunicorn
from tests.support.session import run_session

BASE = os.environ.get("BASE_IMAGE")
"""The image to build on. Without this variable mmdebstrap makes one of Debian's Python, as there may be no registry."""
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("buildah") or not (BASE or shutil.which("mmdebstrap")),
    reason="buildah and mmdebstrap are not installed, or the tests run without root's rights",
)
DEBIAN = ("--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm")

# A mount namespace of its own has the container's root file system, read-only but for the volume and /tmp. chroot alone keeps
# the network of this machine, so that the test reaches the server.
ENTER = """
set -e
root=$1 data=$2 user=$3; shift 3
mount --bind "$root" "$root"
mount --bind "$data" "$root/var/lib/scimsvc"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec /usr/sbin/chroot --userspec="$user" --groups="${user#*:}" "$root" /usr/bin/env -C /var/lib/scimsvc "$@"
"""


def run(*command: str | Path, **environment: str) -> str:
    """Run a command that must succeed. Return its standard output."""
    variables = os.environ | {"BUILDAH_ISOLATION": "chroot"} | environment
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=580)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


class Image:
    """The image, and a container of it."""

    def __init__(self, folder: Path) -> None:
        self._buildah = ("buildah", "--storage-driver", "vfs", "--root", str(folder / "root"), "--runroot", str(folder / "run"))
        self.data = folder / "data"
        base = BASE or self._debian(folder)
        python = self.buildah(
            "run", self.buildah("from", base), "python3", "-c", "import sys; print(*sys.version_info[:2], sep='.')"
        )
        # pip in the image finds what this machine's pip is configured to find.
        wheels = folder / "wheels"
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg")
        needed = ["setuptools", *setup["options"]["install_requires"].split()]
        run("python3", "-m", "pip", "download", "-q", "--only-binary=:all:", "--python-version", python, "-d", wheels,
            "-c", ROOT / "requirements.lock", *needed)  # fmt: skip
        self.buildah("build", "--format", "docker", "-f", str(ROOT / "deploy" / "Dockerfile"), "--build-arg", f"BASE={base}",
                     "--build-arg", "PIP_NO_INDEX=1", "--build-arg", "PIP_FIND_LINKS=/wheels", "--volume", f"{wheels}:/wheels:ro",
                     "-t", "localhost/scimsvc", str(ROOT))  # fmt: skip
        inspected = json.loads(self.buildah("inspect", "--type", "image", "localhost/scimsvc"))
        self.configuration: dict[str, Any] = inspected["Docker"]["config"]
        self.container = Path(self.buildah("mount", self.buildah("from", "localhost/scimsvc")))
        self.data.mkdir()
        user, group = map(int, self.configuration["User"].split(":"))
        os.chown(self.data, user, group)

    def buildah(self, *arguments: str) -> str:
        return run(*self._buildah, *arguments)

    def _debian(self, folder: Path) -> str:
        run("mmdebstrap", "--quiet", *DEBIAN, folder / "debian.tar")
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, str(folder / "debian.tar"), "/")
        self.buildah("commit", "--quiet", container, "localhost/base")
        return "localhost/base"

    def command(self, *arguments: str, **variables: str) -> list[str]:
        """Return how to run a command in the container; variables go before those of the image."""
        environment = [*self.configuration["Env"], *(f"{name}={value}" for name, value in variables.items())]
        enter = ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(self.container), str(self.data), self.configuration["User"]]
        return [*enter, "-i", *environment, *arguments]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    yield Image(folder)
    # Half a gigabyte, which pytest would keep.
    shutil.rmtree(folder, ignore_errors=True)


def test_session_of_entra_in_the_container(image: Image, tmp_path: Path) -> None:
    configuration = image.configuration
    assert int(configuration["User"].partition(":")[0]) > 0
    assert configuration["WorkingDir"] == "/var/lib/scimsvc"
    places = ("/x", "/opt/scimsvc/x", "/tmp/x", "/var/lib/scimsvc/x")
    written = run(*image.command("sh", "-c", f"for each in {' '.join(places)}; do touch $each && echo $each; done; rm x"))
    assert written.split() == ["/tmp/x", "/var/lib/scimsvc/x"]
    entry = configuration["Entrypoint"]
    made = run(*image.command(*entry, "init"))
    (token,) = re.findall(r"Secret Token: (\S+)", made)
    assert made.splitlines()[-1] == "Next: scimsvc serve"
    command = image.command(*entry, *configuration["Cmd"], HOST="127.0.0.1", PORT="0")
    server = Gunicorn(command, tmp_path, tmp_path / "gunicorn.log", {})
    client = Client(server.origin + BASE_PATH, token)
    try:
        run_session(client)
        kind, *check = configuration["Healthcheck"]["Test"]
        assert kind == "CMD"
        run(*image.command(*check, PORT=str(server.ports[0])))
    finally:
        client.close()
        assert server.stop() == 0
    unhealthy = subprocess.run(image.command(*check, PORT=str(server.ports[0])), capture_output=True, timeout=60)
    assert unhealthy.returncode == 1
