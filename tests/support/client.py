"""A plain HTTP client that speaks to one Tenant URL."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


@dataclass
class Client:
    """`tenant_url` is absolute; headers are sent with every request. One connection, opened at need."""

    tenant_url: str
    token: str
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 60
    _connection: http.client.HTTPConnection | None = None

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, raw: bytes | None = None
    ) -> Answer:
        url = urlsplit(self.tenant_url)
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/scim+json",
            **self.headers,
            **(headers or {}),
        }
        if self._connection is None:
            self._connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=self.timeout)
        try:
            self._connection.request(
                method, url.path + path, data, {name: value for name, value in sent.items() if value is not None}
            )
            response = self._connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, headers=headers)

    def filter(self, endpoint: str, text: str, more: str = "") -> Answer:
        return self("GET", f"{endpoint}?filter={quote(text)}{more}")

    def post(self, path: str, body: Any) -> Answer:
        return self("POST", path, body)

    def patch(self, path: str, *operations: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        return self("PATCH", path, {"schemas": [PATCH_URN], "Operations": list(operations)}, headers)

    def delete(self, path: str) -> Answer:
        return self("DELETE", path)
