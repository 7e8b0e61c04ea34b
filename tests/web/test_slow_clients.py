"""Clients that are slow, silent or endless take no thread from the others, and are ended."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gunicorn.config import Config

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.web.worker import COLLECTED, Connection, TooSlow, worth_a_thread
from tests.support.client import Client
from tests.support.server import Server

HEAD = b"POST /api/scim/v2/Users HTTP/1.1\r\nHost: x\r\n"
MANY = 100
"""More connections than all workers together have threads."""


@pytest.mark.parametrize(
    ("received", "there"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (HEAD + b"Content-Length: 2\r\n\r\n{", False),
        (HEAD + b"content-length:2\r\n\r\n{}", True),
        (HEAD + b"Content-Length: 2\r\n\r\n{}GET", True),
        (HEAD + b"Content-Length: two\r\n\r\n", True),
        (HEAD + b"Content-Length: 999999\r\n\r\n" + b"x" * 9999, False),
        (HEAD + b"Content-Length: 999999\r\n\r\n" + b"x" * COLLECTED, True),
        (HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n", False),
        (HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: b\r\n\r\n", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n00;a=b\r\n\r\nGET / HTTP", True),
        (b"x" * COLLECTED, True),
    ],
)
def test_a_thread_is_for_what_has_arrived(received: bytes, there: bool) -> None:
    assert worth_a_thread(received) is there
    assert worth_a_thread(bytearray(received)) is there


def connect(server: Server, sent: bytes) -> socket.socket:
    url = urlsplit(server.origin)
    made = socket.create_connection((url.hostname or "", url.port or 80), timeout=30)
    made.sendall(sent)
    return made


def rest(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


@pytest.fixture
def impatient(new_database_url: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes a server of one thread with a read timeout."""
    with ExitStack() as stack:

        def make(read_timeout: int) -> Server:
            url = new_database_url("sqlite")
            database = Database(url)
            migrate(database)
            database.close()
            few = {"SCIMSVC_SERVER_WORKERS": "1", "SCIMSVC_SERVER_THREADS": "1"}
            server = Server(url, tmp_path, SCIMSVC_SERVER_READ_TIMEOUT=str(read_timeout), **few)
            stack.callback(server.stop)
            return server

        yield make


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET ",
        HEAD + b"X-Half: ",
        HEAD + b"Content-Length: 1000\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        HEAD + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
    ],
)
def test_who_only_holds_a_connection_holds_nobody_up(impatient: Callable[..., Server], sent: bytes) -> None:
    server = impatient(600)
    client = Client(server.origin, "", timeout=20)
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(connect(server, sent))
        assert client.get("/healthz").status == 200
        client.close()


def test_who_asks_first_is_told_to_continue(impatient: Callable[..., Server]) -> None:
    server = impatient(600)
    with connect(server, HEAD + b"Content-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n") as connection:
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert b" 401 " in rest(connection)


def test_a_stop_waits_for_nobody_who_has_sent_nothing() -> None:
    client, sock = socket.socketpair()
    connection = Connection(10, Config(), sock, "client", "server")
    with client, sock:
        connection.begin()
        client.sendall(b"GET ")
        assert not connection.arrived()
        connection.hurry(5.0)
        assert connection.timeout == 5.0
        connection.begin()
        connection.hurry(5.0)
        assert connection.timeout == 0.0


def test_what_does_not_arrive_in_time_is_ended(impatient: Callable[..., Server]) -> None:
    server = impatient(1)
    client = server.client("tenant")
    head = HEAD + f"Authorization: Bearer {client.token}\r\n".encode()
    for sent, status in [
        (b"", b""),
        (HEAD, b"408"),
        (HEAD + b"Content-Length: 1000\r\n\r\n{", b"408"),
        (head + b"Content-Length: 200000\r\n\r\n" + b"x" * COLLECTED, b"408"),
        (head + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n", b"100"),
    ]:
        with connect(server, sent) as connection:
            found = rest(connection)
            assert found[9:12] == status, found
            assert (b"408" in found) == (status != b""), found
            assert (b"Connection: close" in found) == (b"408" in found), found
    assert client.get("/Users").status == 200
    client.close()
    assert not [line for line in server.messages if "Traceback" in line]


def test_drip_feeding_is_no_way_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((1, 12, 19, 20, 21))
    monkeypatch.setattr("scimsvc.web.worker.time.monotonic", lambda: next(seconds))
    client, sock = socket.socketpair()
    connection = Connection(10, Config(), sock, "client", "server")
    with client, sock:
        for sent in (b"x", b"x", b"\r\n\r\n"):
            client.sendall(sent)
            assert connection.arrived() is (b"\n" in sent)
            assert connection.deadline == 11
        connection.deadline = 20
        read = connection.parser.unreader.sock.recv
        for ended in (False, False, True, True):
            client.sendall(b"x")
            with pytest.raises(TooSlow) if ended else nullcontext():
                assert read(1) == b"x"
