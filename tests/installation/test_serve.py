"""`scimsvc serve`: gunicorn in the process of the command."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.installation.conftest import Run
from tests.support.server import Gunicorn

COMMAND = str(Path(sys.executable).with_name("scimsvc"))


@pytest.fixture
def serve(run: Run, folder: Path) -> Iterator[Callable[..., Gunicorn]]:
    """Starts `scimsvc serve` in a folder that `scimsvc init` has filled; variables are keyword arguments."""
    assert run("init").exit_code == 0
    running = []

    def start(**variables: str) -> Gunicorn:
        running.append(Gunicorn([COMMAND, "serve"], folder, folder / "gunicorn.log", variables))
        return running[-1]

    yield start
    for server in running:
        assert server.stop() == 0


def test_options_of_gunicorn_come_from_the_environment(serve: Callable[..., Gunicorn]) -> None:
    server = serve(GUNICORN_CMD_ARGS="--workers 3")
    server.wait_for(lambda: len(server.worker_pids()) == 3)


def test_systemd_is_told_when_it_runs(serve: Callable[..., Gunicorn], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(30)
        serve(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert notified.recv(1000).startswith(b"READY=1")


def test_sigusr2_starts_it_again(serve: Callable[..., Gunicorn]) -> None:
    server = serve()
    master = server.process.pid

    def successors() -> set[int]:
        found = {int(pid) for line in server.messages for pid in re.findall(r"Listening at: .* \((\d+)\)", line)}
        return found - {master}

    server.process.send_signal(signal.SIGUSR2)
    server.wait_for(lambda: bool(successors()))
    (successor,) = successors()
    assert Path(f"/proc/{successor}/cmdline").read_text().split("\0")[1:3] == [COMMAND, "serve"]
    os.kill(successor, signal.SIGTERM)
    server.wait_for(lambda: successor not in server.worker_pids())


def test_where_nothing_was_made_the_command_that_does_is_named(folder: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCIMSVC_")}
    ended = subprocess.run([COMMAND, "serve"], cwd=folder, env=clean, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    missing = f"there is no folder {folder}/mappings (no configuration file was read)"
    assert ended.stderr == f"Error: {missing}; scimsvc init makes it\n"
