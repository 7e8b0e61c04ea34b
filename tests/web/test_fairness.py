"""Tenants share the threads of a worker, and a request whose client has gone is not begun.

A table of PostgreSQL is locked, so that requests hold their threads until the test lets them go.
"""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.client import Client
from tests.support.server import BASE_PATH, Server

THREADS = 4
QUEUED = 3
WAITING = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


class Hung:
    """A server of one worker whose requests for resources hang while `locked`, and raw connections of its tenants."""

    def __init__(self, url: str, folder: Path) -> None:
        database = Database(url)
        migrate(database)
        database.close()
        settings = {
            "SCIMSVC_SERVER_WORKERS": "1",
            "SCIMSVC_SERVER_THREADS": str(THREADS),
            "SCIMSVC_LIMITS_QUEUED_REQUESTS": str(QUEUED),
            "SCIMSVC_DATABASE_STATEMENT_TIMEOUT": "600",
        }
        self.url = url
        self.server = Server(url, folder, **settings)
        self.clients = [self.server.client(tenant) for tenant in ("first", "second", "third")]
        self._open = ExitStack()
        for client in self.clients:
            # From now on the worker knows whose tokens these are.
            assert client.get("/Users").status == 200

    def stop(self) -> None:
        self._open.close()
        for client in self.clients:
            client.close()
        self.server.stop()

    @contextmanager
    def locked(self) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute("LOCK TABLE resource IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()

    def send(self, client: Client, body: bytes = b"") -> socket.socket:
        """Send a request of a tenant: a create if there is a body, else a list of users."""
        url = urlsplit(self.server.origin)
        connection = self._open.enter_context(socket.create_connection((url.hostname or "", url.port or 80), timeout=60))
        line = f"{'POST' if body else 'GET'} {BASE_PATH}/Users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head = f"{line}Authorization: Bearer {client.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        return connection

    def begun(self, number: int) -> None:
        """Wait until exactly so many requests hang in the database, and no more could have come to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for _ in range(3000):
                if connection.execute(WAITING).fetchone() == (number,):
                    break
                connection.execute("SELECT pg_sleep(0.01)")
            self.is_alive()
            assert connection.execute(WAITING).fetchone() == (number,)

    def is_alive(self) -> None:
        """The loop has seen all that was sent before: it answers /healthz twice in a row."""
        probe = Client(self.server.origin, "", timeout=60)
        assert [probe.get("/healthz").status for _ in range(2)] == [200, 200]
        probe.close()


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    received = b""
    while data := connection.recv(65536):
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:]), body


@pytest.fixture(scope="module")
def hung(new_database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hung]:
    made = Hung(new_database_url("postgresql"), tmp_path_factory.mktemp("hung"))
    yield made
    made.stop()


def test_one_tenant_leaves_a_thread_to_others_and_gets_429_when_its_queue_is_full(hung: Hung) -> None:
    first, second, third = hung.clients
    with hung.locked():
        holding = [hung.send(first) for _ in range(THREADS - 1)]
        hung.begun(THREADS - 1)
        waiting = [hung.send(first) for _ in range(QUEUED)]
        hung.begun(THREADS - 1)
        status, headers, body = answer(hung.send(first))
        assert status == 429
        assert int(headers["Retry-After"]) > 0
        assert headers["Content-Type"] == "application/scim+json"
        assert headers["X-Request-Id"]
        document = json.loads(body)
        assert (document["schemas"], document["status"]) == (["urn:ietf:params:scim:api:messages:2.0:Error"], "429")
        others = [hung.send(second)]
        hung.begun(THREADS)
        others.append(hung.send(third))
        hung.is_alive()
    assert [answer(connection)[0] for connection in holding + waiting + others] == [200] * (THREADS + QUEUED + 1)


def test_the_refusals_are_counted_and_logged(hung: Hung) -> None:
    first = hung.clients[0]
    with hung.locked():
        kept = [hung.send(first) for _ in range(THREADS - 1 + QUEUED)]
        hung.begun(THREADS - 1)
        assert answer(hung.send(first))[0] == 429
    assert all(answer(connection)[0] == 200 for connection in kept)
    probe = Client(hung.server.origin, "")
    metrics = probe.get("/metrics").raw.decode()
    probe.close()
    assert 'scimsvc_requests_total{endpoint="/users",method="GET",status="429"}' in metrics
    lines = [json.loads(line) for line in hung.server.log_path.read_text().splitlines()]
    assert [line for line in lines if line["event"] == "request" and line["status"] == 429]


def test_no_token_and_wrong_tokens_have_shares_of_their_own(hung: Hung) -> None:
    first = hung.clients[0]
    wrong = Client(first.tenant_url, "wrong", timeout=60)
    none = Client(hung.server.origin, "", headers={"Authorization": None}, timeout=60)
    with hung.locked():
        kept = [hung.send(first) for _ in range(THREADS - 1 + QUEUED)]
        hung.begun(THREADS - 1)
        assert wrong.get("/Users").status == 401
        assert none.get("/docs").status == 200
    assert all(answer(connection)[0] == 200 for connection in kept)
    wrong.close()
    none.close()


def test_a_request_whose_client_has_gone_is_not_begun(hung: Hung) -> None:
    first = hung.clients[0]
    with hung.locked():
        kept = [hung.send(first) for _ in range(THREADS - 1)]
        hung.begun(THREADS - 1)
        gone = [hung.send(first, b'{"userName": "gone-%d"}' % number) for number in range(QUEUED)]
        hung.is_alive()
        for connection in gone:
            connection.close()
        hung.is_alive()
        # They have left the queue, so others find room in it.
        stayed = [hung.send(first, b'{"userName": "stayed-%d"}' % number) for number in range(QUEUED)]
    assert [answer(connection)[0] for connection in kept + stayed] == [200] * (THREADS - 1) + [201] * QUEUED
    names = {user["userName"] for user in first.get("/Users").body["Resources"]}
    assert names == {f"stayed-{number}" for number in range(QUEUED)}


def test_healthz_answers_while_every_thread_waits_for_the_database(hung: Hung) -> None:
    with hung.locked():
        kept = [hung.send(client) for client in hung.clients for _ in range(QUEUED)]
        hung.begun(THREADS)
        hung.is_alive()
    assert all(answer(connection)[0] == 200 for connection in kept)
