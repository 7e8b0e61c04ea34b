"""The endpoints for operators have one spelling, and a port of their own if the settings say so."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.client import Client
from tests.support.errors import assert_scim_error
from tests.support.server import BASE_PATH, Server
from tests.support.wsgi import call

OPERATIONAL = ["/healthz", "/readyz", "/metrics"]
FORMS = [
    *("/{}", "{}/", "/{}//", "{}%2f", "{}%2F", "/%2f{}", "//{}/", "/./{}", "/x/..{}"),
    "/nope?aadOptscim062020{}",
]
AT_ROOT = ["/?aadOptscim062020{}", "/?AzureAdScimPatch2017=1{}"]
"""Entra's flag in a target whose path is that of the page at /."""


def test_other_spellings_are_404(app: Flask) -> None:
    for path in OPERATIONAL:
        for form in FORMS:
            for method in ("GET", "HEAD", "POST"):
                assert call(app, method, form.format(path).encode()).status == 404, form
        for form in AT_ROOT:
            assert call(app, "GET", form.format(path).encode()).headers["Content-Type"] == "text/html; charset=utf-8"


def send(client: Client, target: str, host: str = "x") -> bytes:
    """The whole answer to a GET of a request target, as it is."""
    with socket.create_connection(("127.0.0.1", int(client.tenant_url.split(":")[2].partition("/")[0]))) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_other_spellings_on_the_wire_are_404(client: Client) -> None:
    for path in OPERATIONAL:
        # A percent-encoded letter: /%6detrics is /metrics, and /%72eadyz is /readyz.
        encoded = f"/%{ord(path[1]):02x}{path[2:]}"
        for target in (*(form.format(path) for form in (*FORMS, "http://x{}", "{}%3f")), encoded):
            assert send(client, target).split(b" ")[1] == b"404", target
        assert send(client, f"{path}#x").split(b" ")[1] == b"400"
        for form in AT_ROOT:
            assert b"text/html" in send(client, form.format(path))


def test_the_one_spelling_may_have_a_query(client: Client) -> None:
    for path in OPERATIONAL:
        assert send(client, f"{path}?a=b").split(b" ")[1] == b"200"


def test_the_flag_inside_of_a_tenant_url_is_still_taken_out(app: Flask) -> None:
    answer = call(app, "GET", f"{BASE_PATH}?aadOptscim062020/Users".encode())
    assert_scim_error(answer, 401)


@pytest.fixture(params=["tcp", "unix"])
def apart(request: pytest.FixtureRequest, new_database_url: Callable[[str], str], tmp_path: Path) -> Iterator[Server]:
    """A server whose operators have a port of their own; the public address is a Unix socket, too, in one of two cases."""
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    public = {"SCIMSVC_SERVER_BIND": f"unix:{tmp_path}/public.sock"} if request.param == "unix" else {}
    running = Server(url, tmp_path, SCIMSVC_SERVER_MANAGEMENT_BIND="127.0.0.1:0", **public)
    yield running
    running.stop()


def exchange(server: Server, target: str, public: bool, host: str = "x") -> int:
    """The status of the answer to a GET, at the public address or at that for operators."""
    if public and len(server.ports) == 1:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{server.log_path.parent}/public.sock")
    else:
        connection = socket.create_connection(("127.0.0.1", server.ports[0 if public else -1]))
    with connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(65536).split(b" ")[1])


def test_operators_have_a_port_of_their_own(apart: Server) -> None:
    for path in OPERATIONAL:
        assert exchange(apart, path, public=False) == 200
        assert exchange(apart, path, public=True) == 404
        # gunicorn takes SERVER_NAME and SERVER_PORT from this header where it listens at a Unix socket.
        assert exchange(apart, path, public=True, host=f"127.0.0.1:{apart.ports[-1]}") == 404
    for path, status in ((f"{BASE_PATH}/Users", 401), ("/docs", 200), ("/", 200), ("/nope", 404)):
        assert exchange(apart, path, public=False) == 404
        assert exchange(apart, path, public=True) == status
