"""The service behind a real pgbouncer in transaction mode, where each transaction may have another session of PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from scimsvc.store.database import Database, DatabaseUnavailable, TookTooLong
from scimsvc.store.migrations import migrate
from tests.store.test_errors import ENDLESS
from tests.support.client import Client
from tests.support.pgbouncer import MAX_CLIENTS, PgBouncer, require_pgbouncer
from tests.support.postgresql import PostgreSQL
from tests.support.server import Server


@pytest.fixture
def pooler(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PgBouncer]:
    require_pgbouncer()
    postgresql: PostgreSQL = request.getfixturevalue("postgresql")
    running = PgBouncer(postgresql.database(), tmp_path, postgresql.server.system_user)
    yield running
    running.stop()


@pytest.fixture
def migrated(pooler: PgBouncer) -> str:
    database = Database(pooler.url, prepared_statements=False)
    migrate(database)
    database.close()
    return pooler.url


@pytest.fixture
def occupy() -> Iterator[Callable[[str], None]]:
    """Takes all connections that a pooler gives to clients."""
    taken: list[psycopg.Connection] = []

    def take(url: str) -> None:
        for _ in range(MAX_CLIENTS + 1):
            try:
                taken.append(psycopg.connect(url))
            except psycopg.OperationalError:
                return
        raise AssertionError("the pooler takes all")

    yield take
    for connection in taken:
        connection.close()


def test_default_settings_need_a_session(migrated: str):
    database = Database(migrated, statement_timeout=10)
    with pytest.raises(DatabaseUnavailable, match="options"), database.reading():
        database.execute("SELECT 1", ())


def test_many_clients_share_few_sessions(migrated: str, tmp_path_factory: pytest.TempPathFactory):
    server = Server(
        migrated, tmp_path_factory.mktemp("server"), SCIMSVC_DATABASE_PREPARED_STATEMENTS="false", SCIMSVC_SERVER_WORKERS="2"
    )
    token = server.client("tenant").token

    def live(number: int) -> list[int]:
        client = Client(server.tenant_url, token)
        statuses = []
        for turn in range(12):
            name = f"user-{number}-{turn}"
            made = client.post("/Users", {"userName": name, "externalId": name})
            statuses.append(made.status)
            changed = client.patch(f"/Users/{made.body['id']}", {"op": "replace", "path": "active", "value": False})
            found = client.get(f'/Users?filter=externalId%20eq%20"{name}"')
            statuses += [changed.status, found.status, found.body["totalResults"]]
        client.close()
        return statuses

    try:
        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(live, range(8)))
    finally:
        server.stop()
    assert outcomes == [[201, 200, 200, 1] * 12] * 8


def test_query_that_takes_too_long_ends(migrated: str):
    database = Database(migrated, statement_timeout=0.2, prepared_statements=False)
    for _ in range(2):
        with pytest.raises(TookTooLong), database.reading():
            database.execute(ENDLESS, ()).fetchall()
        with database.reading():
            assert database.execute("SELECT 1", ()).fetchone() == (1,)
    database.close()


def test_reason_is_said_if_the_pooler_takes_no_more(migrated: str, occupy: Callable[[str], None]):
    occupy(migrated)
    database = Database(migrated, prepared_statements=False)
    with pytest.raises(DatabaseUnavailable) as caught, database.reading():
        database.execute("SELECT 1", ())
    assert caught.value.reason == "too many connections"
