"""Clients that are slow, silent, endless or do not read take no thread from the others, and are ended."""

import json
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.client import Client
from tests.support.server import Server

HEAD = b"POST /api/scim/v2/Users HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MANY = 60
"""More connections than all workers together have threads."""


def connect(server: Server, sent: bytes, receive: int | None = None) -> socket.socket:
    """Connect and send; `receive` is how many bytes the client's side takes of an answer before it is read."""
    url = urlsplit(server.origin)
    made = socket.socket()
    if receive:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    made.settimeout(30)
    made.connect((url.hostname or "", url.port or 80))
    # The server may refuse it before it is all sent.
    with suppress(BrokenPipeError, ConnectionResetError):
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


class Started:
    """A server of one worker, a client of a tenant on it, and requests with the tenant's token."""

    def __init__(self, url: str, folder: Path, **settings: str) -> None:
        database = Database(url)
        migrate(database)
        database.close()
        few = {"SCIMSVC_SERVER_WORKERS": "1", "SCIMSVC_SERVER_THREADS": "2"}
        self.server = Server(url, folder, **few | settings)
        self.client = self.server.client("tenant")
        self.client.timeout = 30
        self.head = HEAD + b"Authorization: Bearer %s\r\n" % self.client.token.encode()

    def serves(self) -> None:
        """Others are served: without a token, and with one."""
        with connect(self.server, b"GET /healthz HTTP/1.0\r\n\r\n") as connection:
            assert rest(connection)[9:12] == b"200"
        with connect(self.server, b"GET /openapi.json HTTP/1.0\r\n\r\n") as connection:
            assert rest(connection)[9:12] == b"401"
        new = Client(self.client.tenant_url, self.client.token, timeout=30)
        assert new.get("/Users?count=1").status == 200
        new.close()

    def stop(self) -> None:
        self.client.close()
        self.server.stop()


@pytest.fixture(scope="module")
def started(new_database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Waits ten minutes for a request, so that nothing of these tests is ended for its time."""
    made = Started(new_database_url("sqlite"), tmp_path_factory.mktemp("slow"), SCIMSVC_SERVER_READ_TIMEOUT="600")
    user = made.client.post("/Users", {"userName": "large", "title": "x" * 800_000})
    assert user.status == 201
    yield made
    made.stop()


@pytest.mark.parametrize("token", [False, True])
@pytest.mark.parametrize(
    "sent",
    [
        b"GET ",
        HEAD + b"X-Half: ",
        HEAD + b"X-Long: %s\r\n" % (b"x" * 8000) * 6,
        HEAD + b"Content-Length: 1000\r\n\r\n{",
        HEAD + b"Content-Length: 1000000\r\n\r\n" + b" " * 66_000,
        HEAD + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
        HEAD + CHUNKED,
        HEAD + CHUNKED + b"5\r\n{",
        HEAD + CHUNKED + b"20\r\nab\r\n0\r\n\r\n",
        HEAD + CHUNKED + b"20\r\nab\r\n0\r\n",
        HEAD + CHUNKED + b"2\r\n{}\r\n0\r\nX-Trailer: ",
        HEAD + CHUNKED + b"11000\r\n" + b" " * 0x11000,
        HEAD + CHUNKED + b"1;x=" + b"y" * 5000,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
    ],
)
def test_a_client_that_only_holds_a_connection_delays_no_other(started: Started, sent: bytes, token: bool) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(connect(started.server, sent.replace(HEAD, started.head) if token else sent))
        started.serves()


@pytest.mark.parametrize(
    ("path", "times"), [("/docs", 400), ("/healthz", 1500), ("/api/scim/v2/Users?filter=userName%20eq%20%22large%22", 8)]
)
def test_a_client_that_does_not_read_delays_no_other(started: Started, path: str, times: int) -> None:
    asked = started.head.replace(b"POST /api/scim/v2/Users", f"GET {path}".encode()) + b"\r\n"
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(connect(started.server, asked * times, receive=2048))
        started.serves()


def test_an_answer_that_is_read_slowly_arrives_whole(started: Started) -> None:
    asked = started.head.replace(b"POST /api/scim/v2/Users", b"GET /api/scim/v2/Users?filter=userName%20eq%20%22large%22")
    with connect(started.server, (asked + b"\r\n") * 2 + asked + b"Connection: close\r\n\r\n", receive=2048) as connection:
        answers = rest(connection)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answers.count(b"x" * 800_000) == 3
    head, _, body = answers.rpartition(b"\r\n\r\n")
    assert json.loads(body)["totalResults"] == 1
    assert b"Connection: close" in head[head.rindex(b"HTTP/1.1") :]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-Long: %s\r\n" % (b"x" * 8000) * 9, b"431"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000, b"431"),
        (b"GET /" + b"x" * 9000, b"414"),
        (HEAD + CHUNKED + b"1;" + b"x" * 9000, b"401"),
        (HEAD + b"Content-Length: 2000000\r\n\r\n", b"401"),
        (HEAD + CHUNKED + b"11000\r\n" + b" " * 0x11000, b"401"),
        (HEAD + b"Authorization: Bearer wrong\r\nContent-Length: 2000000\r\n\r\n", b"401"),
        (HEAD + b"Authorization: Bearer wrong\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n", b"401"),
        (HEAD + b"Authorization: Bearer wrong\r\n" + CHUNKED + b"100000\r\n" + b" " * 0x11000, b"401"),
        (b"%(head)sContent-Length: 2097153\r\n\r\n", b"413"),
        (b"%(head)sContent-Length: 2097153\r\nExpect: 100-continue\r\n\r\n", b"413"),
        (b"%(head)s" + CHUNKED + b"300000\r\n" + b" " * 0x210000, b"413"),
        (b"%(head)s" + CHUNKED + b"1\r\n \r\n" * 20_000, b"413"),
        (b"%(head)s" + CHUNKED + b"1\r\n \r\n" * 20_000 + b"0\r\n\r\n", b"413"),
    ],
)
def test_what_cannot_become_a_request_is_refused_before_it_is_whole(started: Started, sent: bytes, status: bytes) -> None:
    with connect(started.server, sent.replace(b"%(head)s", started.head)) as connection:
        answer = connection.recv(65536)
        answer += rest(connection)
    assert answer[9:12] == status
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert json.loads(body)["status"] == status.decode()


@pytest.mark.parametrize("first", [False, True])
def test_a_large_body_arrives_whatever_token_it_has(new_database_url: Callable[[str], str], tmp_path: Path, first: bool) -> None:
    """Also as the first request with this token, when the loop can't know yet whether it is good."""
    started = Started(new_database_url("sqlite"), tmp_path)
    if not first:
        assert started.client.get("/Users").status == 200
    padded = b" " * 1_900_000
    assert started.client("POST", "/Users", raw=b'{"userName": "a"}' + padded).status == 201
    body = b'{"userName": "b"}' + padded
    with connect(started.server, started.head + b"Connection: close\r\n" + CHUNKED) as connection:
        for at in range(0, len(body), 100_000):
            connection.sendall(b"%x\r\n%s\r\n" % (len(body[at : at + 100_000]), body[at : at + 100_000]))
        connection.sendall(b"0\r\n\r\n")
        assert rest(connection)[9:12] == b"201"
    with connect(
        started.server, started.head + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n"
    ) as it:
        assert it.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        it.sendall(b'{"userName": "c"' + b" " * 69_983 + b"}")
        assert rest(it)[9:12] == b"201"
    started.stop()


def test_a_body_of_small_chunks_is_read_between_others(started: Started) -> None:
    bodies = [b'{"userName": "small-%d"%s}' % (number, b" " * 3000) for number in range(MANY)]
    sent = [b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n" for body in bodies]
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(started.server, started.head + CHUNKED)) for _ in bodies]
        for connection, data in zip(connections, sent, strict=True):
            connection.sendall(data + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        started.serves()
        for connection in connections:
            answers = rest(connection)
            assert (answers[9:12], answers.count(b"HTTP/1.1 200 OK\r\n")) == (b"201", 1)


def test_a_client_that_asks_first_is_told_to_continue(started: Started) -> None:
    with connect(started.server, HEAD + b"Content-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n") as connection:
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert rest(connection)[9:12] == b"401"


def test_what_does_not_arrive_in_time_is_ended(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    started = Started(new_database_url("sqlite"), tmp_path, SCIMSVC_SERVER_READ_TIMEOUT="1")
    assert started.client.get("/Users").status == 200
    for sent, status in [
        (b"", b""),
        (HEAD, b"408"),
        (HEAD + b"Content-Length: 1000\r\n\r\n{", b"408"),
        (HEAD + CHUNKED + b"5\r\n{", b"408"),
        (started.head + b"Content-Length: 200000\r\n\r\n" + b"x" * 70_000, b"408"),
        (started.head + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n", b"100"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET ", b"200"),
    ]:
        with connect(started.server, sent) as connection:
            found = rest(connection)
            assert found[9:12] == status, found
            assert (b"HTTP/1.1 408 " in found) == (status != b""), found
            assert (b"\r\nConnection: close" in found) == (b"408" in found), found
    started.serves()
    started.stop()
    assert not [line for line in started.server.messages if "Traceback" in line]


def test_what_a_worker_refuses_itself_is_counted(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    started = Started(new_database_url("sqlite"), tmp_path, SCIMSVC_SERVER_READ_TIMEOUT="1")
    assert started.client.get("/Users").status == 200
    for sent, status in [
        (b"GET /" + b"x" * 9000, b"414"),
        (b"GET /" + b"y" * 9000, b"414"),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, b"431"),
        (started.head + CHUNKED + b"1\r\n \r\n" * 20_000, b"413"),
        (HEAD, b"408"),
        # The application's own answers are no refusals of the worker.
        (HEAD + b"Content-Length: 2000000\r\n\r\n", b"401"),
    ]:
        with connect(started.server, sent) as connection:
            assert rest(connection)[9:12] == status
    with connect(started.server, b"GET /metrics HTTP/1.0\r\n\r\n") as connection:
        text = rest(connection).partition(b"\r\n\r\n")[2].decode()
    started.stop()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    counted = {sample.labels["status"]: sample.value for sample in samples if sample.name == "scimsvc_refused_total"}
    assert counted == {"408": 1, "413": 1, "414": 2, "431": 1}


def test_drip_feeding_is_no_way_around_it(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    started = Started(new_database_url("sqlite"), tmp_path, SCIMSVC_SERVER_READ_TIMEOUT="1")
    with connect(started.server, HEAD) as connection:
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.1):
                try:
                    connection.sendall(b"X: y\r\n")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert rest(connection)[9:12] == b"408"
        finally:
            ended.set()
            dripping.join()
    started.stop()


def test_a_full_worker_ends_the_oldest_silent_connection_for_a_new_one(started: Started) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit[0], 2048), limit[1]))
    kept = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    try:
        for sent in (b"", b"GET ", kept):
            with ExitStack() as stack:
                silent = [stack.enter_context(connect(started.server, sent)) for _ in range(700)]
                started.serves()
                assert rest(silent[0])[9:12] == (b"200" if sent == kept else b"")
                newest = silent[-1]
                newest.sendall(kept[len(sent) if sent == b"GET " else 0 :] + (kept if sent == kept else b""))
                assert newest.recv(65536)[9:12] == b"200"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def test_a_tenant_whose_connection_is_idle_is_ended_last(started: Started) -> None:
    """Silent connections don't push out those of clients that have a token."""
    assert started.client.get("/Users").status == 200
    with ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(connect(started.server, b""))
        connection = started.client._connection
        assert started.client.get("/Users").status == 200
        assert started.client._connection is connection
