"""What clients make a worker keep in memory has a limit, and its threads outlive any failure."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from queue import SimpleQueue
from selectors import EVENT_READ, DefaultSelector

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from scimsvc.web.gunicorn import room as module
from scimsvc.web.gunicorn.connection import Connection, State
from scimsvc.web.gunicorn.framing import HEAD_BYTES
from scimsvc.web.gunicorn.schedule import Verdict
from scimsvc.web.gunicorn.threads import Threads
from scimsvc.web.gunicorn.worker import Worker

HEAD = b"POST /Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000000\r\n\r\n"


class Known:
    """An authenticator for which the tenant is the token."""

    def known_tenant(self, authorization: str) -> str:
        return authorization.removeprefix("Bearer ")


class Loop:
    """A worker that is not running, whose connections are made and fed by the test."""

    def __init__(self, stack: ExitStack) -> None:
        config = Config()
        self._stack = stack
        self.worker = Worker(1, os.getppid(), [], None, 30, config, Logger(config))
        self.worker._poller = stack.enter_context(DefaultSelector())
        self.worker._authenticator = Known()
        self.worker._read_timeout = 15
        stack.callback(self.worker.tmp.close)
        self.clients: dict[Connection, socket.socket] = {}

    def connect(self, since: float) -> Connection:
        client, sock = socket.socketpair()
        self._stack.callback(client.close)
        self._stack.callback(sock.close)
        client.settimeout(30)
        conn = Connection(sock, "client", "server", 10_000_000, since, since + 15)
        self.clients[conn] = client
        self.worker._connections.add(conn)
        self.worker._watch(conn, EVENT_READ)
        return conn

    def upload(self, tenant: bytes, size: int, since: float) -> Connection:
        """Send so many bytes of a body that does not end."""
        conn = self.connect(since)
        for data in (HEAD % tenant, b" " * size):
            conn.incoming.feed(data)
            self.worker._advance(conn)
        return conn

    def answer(self, conn: Connection) -> bytes:
        return self.clients[conn].recv(65536)


@pytest.fixture
def loop() -> Iterator[Loop]:
    with ExitStack() as stack:
        yield Loop(stack)


def test_the_tenant_that_holds_most_loses_its_oldest_unfinished_request(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_BYTES", 9 * HEAD_BYTES)
    refused: list[int] = []
    monkeypatch.setattr(loop.worker, "_count_refusal", refused.append)
    small = loop.upload(b"small", 2 * HEAD_BYTES, since=1)
    large = [loop.upload(b"large", 2 * HEAD_BYTES, since=since) for since in (4, 3, 2, 5)]
    states = [conn.state for conn in large]
    assert small.state is State.READING
    assert states == [State.READING, State.READING, State.LINGERING, State.READING]
    received = loop.answer(large[2])
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in received
    assert len(large[2].incoming) == 0
    assert refused == [503]
    loop.upload(b"small", 3 * HEAD_BYTES, since=6)
    assert [conn.state for conn in large] == [State.READING, State.LINGERING, State.LINGERING, State.READING]


def test_answers_that_no_client_takes_are_dropped_oldest_first(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES", 100)
    waiting = [loop.connect(since) for since in (3.0, 1.0, 2.0)]
    for conn in waiting:
        conn.unsent = [memoryview(b"x" * 40)]
        loop.worker._go_on(conn)
    assert [conn.state for conn in waiting] == [State.SENDING, State.CLOSED, State.SENDING]
    alone = loop.connect(9.0)
    alone.unsent = [memoryview(b"x" * 1000)]
    loop.worker._go_on(alone)
    assert [conn.state for conn in (*waiting, alone)].count(State.SENDING) == 1


def test_connections_that_may_be_ended_for_a_new_one(loop: Loop) -> None:
    """In which order: what ends anyway, silent ones, those that do not read; tenants with a token last, the oldest first."""
    made = [
        (State.LINGERING, "no token", 9.0),
        (State.READING, "no token", 2.0),
        (State.READING, "unknown token", 3.0),
        (State.READING, 1, 1.0),
        (State.SENDING, "no token", 1.0),
        (State.SENDING, 1, 0.0),
    ]
    expected = []
    for state, tenant, since in made:
        conn = loop.connect(since)
        conn.state, conn.tenant = state, tenant
        expected.append(conn)
    for state in (State.WAITING, State.RUNNING):
        loop.connect(0.0).state = state
    for conn in expected:
        assert loop.worker._oldest_idle() is conn
        loop.worker._close(conn)
    assert loop.worker._oldest_idle() is None


def test_a_failure_ends_one_connection_and_not_the_worker(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    failing, other = loop.connect(0.0), loop.connect(0.0)
    monkeypatch.setattr(loop.worker, "_advance", lambda conn: conn.missing)
    loop.clients[failing].sendall(b"GET ")
    loop.worker._on_event(failing, EVENT_READ)
    assert failing.state is State.CLOSED
    assert loop.worker._connections == {other}


def test_a_thread_outlives_what_goes_wrong_in_it(loop: Loop) -> None:
    left: SimpleQueue[Connection] = SimpleQueue()
    logged: list[str] = []

    def serve(conn: Connection) -> bool:
        raise SystemExit(1)

    threads = Threads(1, 5, serve, left.put, logged.append)
    connections = [loop.connect(0.0) for _ in range(3)]
    for conn in connections:
        assert threads.submit(conn, "tenant") in (Verdict.RUN, Verdict.WAIT)
    assert [left.get(timeout=30) for _ in connections] == connections
    assert all(conn.lost for conn in connections)
    assert len(logged) == 3
