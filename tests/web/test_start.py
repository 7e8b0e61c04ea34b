"""A server that can't work does not start, and says why in words."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.server import ROOT, Server


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("DATABASE_URL", "mysql://host/name", "the database URL must be sqlite:///"),
        ("DATABASE_URL", "sqlite:///{folder}/x.db?mode=ro", "'?mode=ro' would count for nothing"),
        ("SCIM_MAX_RESULTS", "99999999999999999999999", "SCIMSVC_SCIM_MAX_RESULTS must be from 1 to 10000, not 9999"),
        ("LOG_LEVEL", "loud", "SCIMSVC_LOG_LEVEL must be one of debug, info"),
        ("SERVER_WORKER", "2", "SCIMSVC_SERVER_WORKER: there is no such setting"),
        ("CONFIG", "absent.yaml", "absent.yaml: No such file"),
        ("MAPPINGS_DIRECTORY", "{folder}", "wrong.yaml:1:10: a profile's name is"),
        ("MAPPINGS_DIRECTORY", "{folder}/absent", "there is no such folder"),
        ("MAPPINGS_DIRECTORY", "absent", f"{ROOT}/absent:1:1: there is no such folder"),
        ("MAPPINGS_DIRECTORY", "absent", f"(configuration file: {ROOT}/config.yaml)"),
    ],
)
def test_wrong_settings_and_profiles_are_said_once(tmp_path: Path, setting: str, value: str, message: str) -> None:
    (tmp_path / "wrong.yaml").write_text("profile: a b\n")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("SCIMSVC_")}
    environment |= {"PORT": "0", "SCIMSVC_DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}
    environment |= {f"SCIMSVC_{setting}": value.format(folder=tmp_path)}
    command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("scimsvc can't start:\n")
    assert ended.stderr.count(message) == 1
    assert "Traceback" not in ended.stderr


def ended(**environment: str) -> subprocess.CompletedProcess[str]:
    """A start that fails, with these variables."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("SCIMSVC_")}
    command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    return subprocess.run(command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("management", [False, True])
def test_a_port_that_is_taken_is_said_once(tmp_path: Path, management: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        address = {"SCIMSVC_SERVER_MANAGEMENT_BIND": f"127.0.0.1:{port}", "PORT": "0"} if management else {"PORT": str(port)}
        failed = ended(SCIMSVC_DATABASE_URL=f"sqlite:///{tmp_path}/x.db", **address)
    assert failed.returncode == 1
    assert (
        f"port {port} of 127.0.0.1 is in use; choose another by the variable PORT, for example PORT={port + 1}" in failed.stderr
    )
    assert "Traceback" not in failed.stderr + failed.stdout


def test_a_host_that_is_none_is_named(tmp_path: Path) -> None:
    failed = ended(SCIMSVC_DATABASE_URL=f"sqlite:///{tmp_path}/x.db", HOST="no.such.host.invalid", PORT="0")
    assert failed.returncode == 1
    assert "'no.such.host.invalid' is no address of this machine; set HOST, for example HOST=127.0.0.1" in failed.stderr


def test_condas_name_of_a_platform_is_no_address(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    server = Server(new_database_url("sqlite"), tmp_path, HOST="x86_64-conda-linux-gnu")
    assert server.origin.startswith("http://127.0.0.1:")
    assert server.stop() == 0


def test_addresses_come_from_the_settings(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    server = Server(new_database_url("sqlite"), tmp_path, HOST="192.0.2.1", SCIMSVC_SERVER_BIND="127.0.0.1:0")
    assert len(server.ports) == 1
    assert server.stop() == 0


def test_headers_of_so_many_proxies_count_as_stand_in_front(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    server = Server(url, tmp_path, SCIMSVC_SERVER_TRUSTED_PROXIES="1")
    client = server.client("tenant")
    sent = {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil.example.com, scim.example.com", "SCRIPT_NAME": "/x"}
    answer = client("POST", "/Users", {"userName": "a"}, sent)
    assert answer.headers["Location"].startswith("https://scim.example.com/api/scim/v2/Users/")
    client.close()
    server.stop()


def test_a_stop_lets_requests_end_and_answers_no_more(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    server = Server(url, tmp_path)
    client = server.client("tenant")
    assert client.post("/Users", {"userName": "a"}).status == 201
    client.close()
    assert server.stop(signal.SIGTERM) == 0
    assert not [line for line in server.messages if "ERROR" in line or "Traceback" in line]
    again = Server(url, tmp_path)
    reader = again.client("tenant")
    assert reader.get("/Users").body["totalResults"] == 1
    reader.close()
    again.stop()
