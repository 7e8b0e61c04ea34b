"""A stop loses no request: neither one that runs or waits, nor one in a connection that the server has not accepted yet."""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.client import Client
from tests.support.server import BASE_PATH, Server

MANY = 20


def migrated(url: str) -> str:
    database = Database(url)
    migrate(database)
    database.close()
    return url


def send(stack: ExitStack, server: Server, path: str, token: str = "") -> socket.socket:
    """Send a GET on a connection that may be kept."""
    url = urlsplit(server.origin)
    connection = stack.enter_context(socket.create_connection((url.hostname or "", url.port or 80), timeout=60))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    return connection


def answer(connection: socket.socket) -> tuple[bytes, bool]:
    """The status, and whether the answer says that the connection ends."""
    received = b""
    while data := connection.recv(65536):
        received += data
    return received[9:12], b"\r\nConnection: close\r\n" in received


def is_told_to_stop(pid: int) -> bool:
    (pending,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("ShdPnd:")]
    return bool(int(pending.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def test_connections_that_wait_to_be_accepted_are_answered(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    server = Server(migrated(new_database_url("sqlite")), tmp_path, SCIMSVC_SERVER_WORKERS="1")
    client = Client(server.origin, "", timeout=60)
    assert client.get("/healthz").status == 200
    client.close()
    (worker,) = server.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    with ExitStack() as stack:
        waiting = [send(stack, server, "/healthz" if number % 2 else "/docs") for number in range(MANY)]
        server.process.send_signal(signal.SIGTERM)
        # The master closes its listening socket and then tells the worker, which will see that before all else.
        while not is_told_to_stop(worker):
            pass
        os.kill(worker, signal.SIGCONT)
        assert [answer(connection) for connection in waiting] == [(b"200", True)] * MANY
    assert server.stop() == 0


def test_requests_that_run_or_wait_are_answered_and_say_that_the_connection_ends(
    new_database_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = migrated(new_database_url("postgresql"))
    settings = {"SCIMSVC_SERVER_WORKERS": "1", "SCIMSVC_SERVER_THREADS": "2", "SCIMSVC_DATABASE_STATEMENT_TIMEOUT": "600"}
    server = Server(url, tmp_path, **settings)
    client = server.client("tenant")
    assert client.get("/Users").status == 200
    with ExitStack() as stack:
        with psycopg.connect(url) as lock:
            lock.execute("LOCK TABLE resource IN ACCESS EXCLUSIVE MODE")
            held = [send(stack, server, f"{BASE_PATH}/Users", client.token) for _ in range(5)]
            # The worker has them all: what came later is answered.
            probe = Client(server.origin, "", timeout=60)
            assert [probe.get("/healthz").status for _ in range(2)] == [200, 200]
            probe.close()
            server.process.send_signal(signal.SIGTERM)
            while True:
                try:
                    socket.create_connection(("127.0.0.1", urlsplit(server.origin).port or 80), timeout=60).close()
                except OSError:
                    # It takes no new connections any more, so it is stopping.
                    break
            lock.rollback()
        assert [answer(connection) for connection in held] == [(b"200", True)] * 5
    client.close()
    assert server.stop() == 0
    assert not [line for line in server.messages if "ERROR" in line or "Traceback" in line]
