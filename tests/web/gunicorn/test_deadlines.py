"""Every connection that waits for its client ends by a time that the client can't move."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from selectors import EVENT_READ, DefaultSelector

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from scimsvc.web.gunicorn.connection import SENDING_RATE, SENDING_TIME, Connection, State
from scimsvc.web.gunicorn.ending import LINGERING, STOPPING_BEGUN, STOPPING_IDLE
from scimsvc.web.gunicorn.worker import Worker


class Watched:
    """A worker that is not running, and one connection of it with the client's end of it."""

    def __init__(self, stack: ExitStack, deadline: float) -> None:
        config = Config()
        self.worker = Worker(1, os.getppid(), [], None, 30, config, Logger(config))
        stack.callback(self.worker.tmp.close)
        self.worker._poller = stack.enter_context(DefaultSelector())
        self.client, sock = socket.socketpair()
        stack.enter_context(self.client)
        sock.setblocking(False)
        self.conn = Connection(sock, "client", "server", 1000, 100.0, deadline)
        stack.callback(sock.close)
        self.worker._connections.add(self.conn)
        self.worker._watch(self.conn, EVENT_READ)

    def lives(self, now: float) -> bool:
        """Whether it is still served at a time."""
        self.worker._check_deadline(self.conn, now)
        return self.conn in self.worker._connections and self.conn.state is not State.LINGERING


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_a_request_that_does_not_come(stack: ExitStack) -> None:
    watched = Watched(stack, 115.0)
    assert watched.lives(114.9)
    assert not watched.lives(115.0)
    assert watched.client.recv(100) == b""


def test_a_request_that_comes_by_half(stack: ExitStack) -> None:
    watched = Watched(stack, 115.0)
    watched.conn.incoming.feed(b"GET ")
    assert watched.lives(114.9)
    assert not watched.lives(115.0)
    assert watched.client.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("state", [State.WAITING, State.RUNNING])
def test_a_request_that_is_here_has_no_deadline(stack: ExitStack, state: State) -> None:
    watched = Watched(stack, 115.0)
    watched.conn.state = state
    watched.worker._stopped_at = 100.0
    assert watched.lives(10_000.0)


def test_an_answer_that_is_not_taken(stack: ExitStack) -> None:
    watched = Watched(stack, 115.0)
    watched.conn.unsent = [memoryview(b"x" * SENDING_RATE * 3)]
    watched.conn.since = 100.0
    watched.worker._go_on(watched.conn)
    assert watched.conn.state is State.SENDING
    until = watched.conn.sending_deadline(100.0)
    assert until == 100.0 + SENDING_TIME + 3
    watched.conn.deadline = until
    assert watched.lives(until - 0.1)
    assert not watched.lives(until)


def test_what_comes_behind_the_last_answer_is_not_read_for_ever(stack: ExitStack) -> None:
    watched = Watched(stack, 115.0)
    watched.conn.closing = True
    watched.worker._go_on(watched.conn)
    assert watched.conn.state is State.LINGERING
    watched.client.sendall(b"more")
    watched.worker._on_event(watched.conn, EVENT_READ)
    until = watched.conn.deadline
    watched.worker._check_deadline(watched.conn, until - LINGERING / 2)
    assert watched.conn in watched.worker._connections
    watched.worker._check_deadline(watched.conn, until)
    assert watched.conn not in watched.worker._connections


@pytest.mark.parametrize(("since", "stopped"), [(100.0, 200.0), (200.5, 200.0)])
def test_an_idle_connection_has_a_second_when_the_worker_stops(stack: ExitStack, since: float, stopped: float) -> None:
    """From the stop, or from its last answer if that was later."""
    watched = Watched(stack, 1000.0)
    watched.conn.since = since
    watched.worker._stopped_at = stopped
    until = max(since, stopped) + STOPPING_IDLE
    assert watched.lives(until - 0.1)
    assert not watched.lives(until)


def test_a_request_that_has_begun_has_two_seconds_when_the_worker_stops(stack: ExitStack) -> None:
    watched = Watched(stack, 1000.0)
    watched.conn.incoming.feed(b"GET ")
    watched.worker._stopped_at = 200.0
    assert watched.lives(200.0 + STOPPING_BEGUN - 0.1)
    assert not watched.lives(200.0 + STOPPING_BEGUN)
    assert watched.client.recv(100).startswith(b"HTTP/1.1 408 ")
