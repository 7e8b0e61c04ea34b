"""What was acknowledged is still there after a killed worker, a power cut of the database, and a disk that is full."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.conftest import KINDS
from tests.faults.load import Load, check
from tests.support.client import Client
from tests.support.postgresql import PostgreSQL
from tests.support.server import Server

CHANGES_STORED = (
    "SELECT (SELECT COUNT(*) FROM journal WHERE version IS NOT NULL), (SELECT COALESCE(SUM(version), 0) FROM resource)"
)


def migrated(url: str) -> str:
    database = Database(url)
    migrate(database)
    database.close()
    return url


def loaded(client: Client) -> Load:
    group = client.post("/Groups", {"displayName": "all", "externalId": "all"})
    assert group.status == 201
    return Load(client, group.body["id"])


def check_log(url: str) -> None:
    """Each change of a resource is in the change log, and nothing else is."""
    database = Database(url)
    logged, versions = database.execute(CHANGES_STORED, ()).fetchone()
    assert logged == versions
    database.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """Starts servers on databases; they are stopped after the test."""
    started: list[Server] = []

    def start(url: str) -> Server:
        started.append(Server(url, tmp_path))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def client_of() -> Iterator[Callable[[Server], Client]]:
    """Makes a client of the tenant on a server."""
    made: list[Client] = []

    def make(server: Server) -> Client:
        made.append(server.client("tenant"))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_workers_are_killed_under_load(
    kind: str, new_database_url: Callable[[str], str], running: Callable[[str], Server], client_of: Callable[[Server], Client]
) -> None:
    url = migrated(new_database_url(kind))
    server = running(url)
    client = client_of(server)
    load = loaded(client)
    load.start()
    try:
        for _ in range(6):
            load.wait_for(25)
            for worker in server.worker_pids()[:1]:
                os.kill(worker, signal.SIGKILL)
        load.wait_for(25)
    finally:
        load.stop()
    client.close()
    check(load, client)
    check_log(url)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_server_is_killed_under_load(
    kind: str, new_database_url: Callable[[str], str], running: Callable[[str], Server], client_of: Callable[[Server], Client]
) -> None:
    url = migrated(new_database_url(kind))
    server = running(url)
    load = loaded(client_of(server))
    load.start()
    load.wait_for(60)
    os.killpg(server.process.pid, signal.SIGKILL)
    load.stop()
    client = client_of(running(url))
    check(load, client)
    check_log(url)


def test_postgresql_loses_its_power_under_load(
    tmp_path_factory: pytest.TempPathFactory, running: Callable[[str], Server], client_of: Callable[[Server], Client]
) -> None:
    postgresql = PostgreSQL(tmp_path_factory.mktemp("pg"))
    try:
        url = migrated(postgresql.database())
        server = running(url)
        client = client_of(server)
        load = loaded(client)
        load.start()
        try:
            for _ in range(2):
                load.wait_for(40)
                postgresql.restart()
            load.wait_for(40)
        finally:
            load.stop()
        client.close()
        check(load, client)
        check_log(url)
        server.stop()
    finally:
        postgresql.stop()


def test_sqlite_has_no_more_room(
    new_database_url: Callable[[str], str], running: Callable[[str], Server], client_of: Callable[[Server], Client]
) -> None:
    url = migrated(new_database_url("sqlite"))
    server = running(url)
    client = client_of(server)
    load = loaded(client)
    for worker in server.worker_pids():
        # No file of theirs can grow beyond this, which is what a full disk looks like to them.
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    big = {"userName": "big", "title": "x" * 500_000}
    while True:
        answer = client.post("/Users", big)
        if answer.status != 201:
            break
        big["userName"] += "g"
    assert answer.status == 503
    assert answer.headers["Retry-After"].isdigit()
    assert client.get(f"/Groups/{load.group}").status == 200
    for worker in server.worker_pids():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert client.post("/Users", big).status == 201
    assert client.get("/Users?count=0").body["totalResults"] == len(big["userName"]) - 2
    check_log(url)
