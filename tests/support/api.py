"""One client for web tests: the application in this process, a token of one tenant, JSON in both directions.

    def test_a_deleted_user_is_gone(api: Api) -> None:
        id_ = api.create("/Users", userName="jane")
        assert api.delete(f"/Users/{id_}").status == 204
        assert_scim_error(api.get(f"/Users/{id_}"), 404)

The fixture `api` (tests/conftest.py) has the profile `entra`. For a profile of the test's own there is the fixture `start_api`:

    def test_a_unique_badge(start_api: StartApi) -> None:
        api = start_api(entra=ENTRA.replace("attributes: []", "attributes: [{name: badge, unique: true}]", 1))
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flask import Flask

from scimsvc.store.database import Database
from scimsvc.store.tenants import SCIM, Scope
from scimsvc.web.routes import BESIDE_SCIM
from tests.support.client import PATCH_URN, Answer
from tests.support.server import BASE_PATH, ROOT, new_token
from tests.support.wsgi import call

BULK_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ENTRA = (ROOT / "mappings" / "entra.yaml").read_text()


@dataclass(frozen=True)
class Api:
    """A client of one tenant. `headers` are sent with every request."""

    app: Flask
    token: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request. `path` is below the base path unless it is one of the routes beside SCIM.

        `body` is sent as JSON, bytes as they are. Headers are named as arguments: `If_Match='W/"1"'`.
        """
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        target = path if path.startswith(BESIDE_SCIM) else BASE_PATH + path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return call(self.app, method, target.encode(), {"Authorization": f"Bearer {self.token}", **self.headers, **named}, data)

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self("PUT", path, body, **headers)

    def patch(self, path: str, *operations: tuple[Any, ...], **headers: str) -> Answer:
        """Send operations, each as `(op, path, value)` or `(op, path)`; a path of None is left out."""
        sent = [dict(zip(("op", "path", "value"), one, strict=False)) for one in operations]
        for operation in sent:
            if operation["path"] is None:
                del operation["path"]
        return self("PATCH", path, {"schemas": [PATCH_URN], "Operations": sent}, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self("DELETE", path, **headers)

    def create(self, endpoint: str, **attributes: Any) -> str:
        """Create a resource. Return its id."""
        answer = self.post(endpoint, attributes)
        assert answer.status == 201, answer.raw
        return str(answer.body["id"])

    def find(self, endpoint: str, filter_: str) -> list[dict[str, Any]]:
        """Return the resources that a filter finds."""
        answer = self.get(f"{endpoint}?filter={quote(filter_)}")
        assert answer.status == 200, answer.raw
        return list(answer.body.get("Resources", []))

    def bulk(self, *operations: dict[str, Any]) -> list[dict[str, Any]]:
        """Send a bulk request. Return what came of each operation."""
        answer = self.post("/Bulk", {"schemas": [BULK_URN], "Operations": list(operations)})
        assert answer.status == 200, answer.raw
        return list(answer.body["Operations"])

    def of_tenant(self, tenant: str, profile: str = "entra", scope: Scope = SCIM) -> "Api":
        """Return a client of the same application with a new token. A tenant that does not exist is created."""
        return Api(self.app, new_token(self.database, tenant, profile, scope), self.headers)

    @property
    def database(self) -> Database:
        """The application's own."""
        database: Database = self.app.extensions["scimsvc"].database
        return database


StartApi = Callable[..., Api]
"""What the fixture `start_api` is: called with the text of each profile by its name, and `documents` by the name of the file."""
