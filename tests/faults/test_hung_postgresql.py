"""A PostgreSQL whose processes stand still: requests get 503 in time, and their threads come back."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.server import Server


def test_request_to_a_hung_database_is_answered(new_database_url: Callable[[str], str], tmp_path: Path):
    url = new_database_url("postgresql")
    database = Database(url)
    migrate(database)
    database.close()
    settings = {"DATABASE_STATEMENT_TIMEOUT": "1", "SERVER_WORKERS": "1", "SERVER_THREADS": "1"}
    server = Server(url, tmp_path, **{f"SCIMSVC_{name}": value for name, value in settings.items()})
    try:
        client = server.client("tenant")
        assert client.get("/Users").status == 200
        with psycopg.connect(url, autocommit=True) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            pids = [pid for (pid,) in connection.execute(query).fetchall()]
        assert pids
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            for answer in (client.get("/Users"), client.get("/Users")):
                assert answer.status in (200, 503)
                if answer.status == 503:
                    assert answer.headers["Retry-After"] == "5"
                    break
            else:
                raise AssertionError("no request met the hung session")
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        # The one thread is free again, with another connection.
        assert client.post("/Users", {"userName": "a", "externalId": "a"}).status == 201
        client.close()
    finally:
        server.stop()
