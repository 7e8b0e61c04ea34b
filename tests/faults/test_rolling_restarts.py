"""Instances behind nginx are restarted one after the other under load, and no request fails.

`make soak` does so for longer: 20 rolling restarts, and 10,000 requests at least.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.client import Client
from tests.support.nginx import PROGRAM, Nginx, free_ports
from tests.support.server import BASE_PATH, Server, new_token

SOAK = bool(os.environ.get("SOAK"))
RESTARTS = 20 if SOAK else 2
REQUESTS = 10_000 if SOAK else 300
CLIENTS = 6

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed (Debian package nginx)")


class Users:
    """Clients that create, read, change and delete users one after the other, until `stop`."""

    def __init__(self, tenant_url: str, token: str) -> None:
        self._tenant_url, self._token = tenant_url, token
        self.answers: Counter[object] = Counter()
        self._changed = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: sum(self.answers.values()) >= number, 600)

    def stop(self) -> None:
        self._stopping = True
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        client = Client(self._tenant_url, self._token, timeout=30)
        turn = 0
        while not self._stopping:
            turn += 1
            user = self._ask(client, 201, "POST", "/Users", {"userName": f"user-{number}-{turn}"})
            self._ask(client, 200, "GET", f"/Users/{user}")
            change = {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}
            self._ask(client, 200, "PATCH", f"/Users/{user}", change)
            self._ask(client, 200, "GET", "/Users?count=10")
            self._ask(client, 204, "DELETE", f"/Users/{user}")
        client.close()

    def _ask(self, client: Client, expected: int, method: str, path: str, body: object = None) -> str:
        result: object
        made = ""
        try:
            answer = client(method, path, body)
            result = "good" if answer.status == expected else f"{method} {answer.status} {answer.raw[:200]!r}"
            made = answer.body["id"] if answer.status == 201 else ""
        except OSError as error:
            result = f"{method} {error!r}"
        with self._changed:
            self.answers[result] += 1
            self._changed.notify_all()
        return made


def ready(server: Server) -> Server:
    probe = Client(server.origin, "", timeout=30)
    while True:
        with suppress(OSError):
            if probe.get("/readyz").status == 200:
                break
    probe.close()
    return server


def test_no_request_fails_while_instances_are_restarted(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    token = new_token(database, "tenant")
    database.close()
    *instances, port = free_ports(3)

    def start(place: int) -> Server:
        folder = tmp_path / str(place)
        folder.mkdir(exist_ok=True)
        return ready(Server(url, folder, PORT=str(instances[place]), SCIMSVC_SERVER_TRUSTED_PROXIES="1"))

    servers = [start(0), start(1)]
    (tmp_path / "nginx").mkdir()
    nginx = Nginx(tmp_path / "nginx", instances, port)
    users = Users(nginx.origin + BASE_PATH, token)
    try:
        for restart in range(RESTARTS):
            for place in range(2):
                assert servers[place].stop() == 0
                servers[place] = start(place)
                users.wait_for(REQUESTS * (restart * 2 + place + 1) // (RESTARTS * 2))
    finally:
        users.stop()
        nginx.stop()
        for server in servers:
            server.stop()
    assert users.answers == Counter({"good": users.answers["good"]}), f"{users.answers}\n{nginx.log.read_text()[-5000:]}"
    assert users.answers["good"] >= REQUESTS


def test_nginx_passes_on_what_the_client_sees_and_keeps_the_rest_inside(
    new_database_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    token = new_token(database, "tenant")
    database.close()
    *instances, port = free_ports(3)
    server = ready(Server(url, tmp_path, PORT=str(instances[0]), SCIMSVC_SERVER_TRUSTED_PROXIES="1"))
    nginx = Nginx(tmp_path, instances, port)
    client = Client(nginx.origin + BASE_PATH, token, timeout=30)
    outside = Client(nginx.origin, token, timeout=30)
    try:
        forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example.com", "X-Forwarded-For": "10.0.0.1"}
        made = client("POST", "/Users", {"userName": "a"}, forged)
        assert made.headers["Location"] == f"{nginx.origin}{BASE_PATH}/Users/{made.body['id']}"
        for path in ("/metrics", "/readyz", "/healthz", "/metrics/", "//metrics", "/%6detrics", "/./metrics", "/metrics?x"):
            assert (path, outside.get(path).status) == (path, 404)
        assert client("POST", "/Users", raw=b'{"userName": "b"}' + b" " * 1_900_000).status == 201
        refused = client("POST", "/Users", raw=b'{"userName": "c"}' + b" " * 3_000_000)
        assert (refused.status, refused.body["status"]) == (413, "413")
    finally:
        client.close()
        outside.close()
        nginx.stop()
        server.stop()
