"""gunicorn's own threaded worker serves the application too, except for what docs/architecture.md lists."""

from collections.abc import Callable
from pathlib import Path

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.server import Server


def test_gunicorns_threaded_worker_serves_the_application(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    server = Server(url, tmp_path, GUNICORN_CMD_ARGS="--worker-class gthread")
    client = server.client("acme")
    try:
        created = client.post("/Users", {"userName": "jane"})
        assert created.status == 201
        path = f"/Users/{created.body['id']}"
        assert client.patch(path, {"op": "replace", "path": "active", "value": False}).body["active"] is False
        assert client.get(path).body["userName"] == "jane"
        assert client.delete(path).status == 204
        assert client.get("/Users?count=x").status == 400
    finally:
        client.close()
        assert server.stop() == 0
    assert any("Using worker: gthread" in message for message in server.messages)
