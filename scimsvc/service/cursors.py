"""Cursors as clients get them: encrypted and authenticated, so they tell nothing and can't be made up.

A place in a result has the number of a row, which counts the resources of all tenants. AES-SIV (RFC 5297) gives the same cursor
for the same place and needs no random number. The tenant and the use of a cursor are authenticated with it.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from scimsvc.store.database import Database
from scimsvc.store.secret import installation_key

_NAME = "cursors"
_LONGEST = 4096
"""Characters of a cursor; the value that a page ends with has 1,024 at most."""


class Cursors:
    """The cursors of one installation, whose key is read when it is first needed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cipher: AESSIV | None = None

    def seal(self, tenant_id: int, use: str, content: list[Any]) -> str:
        """Return the cursor for a place; `use` is what it is good for. Raises DatabaseUnavailable."""
        sealed = self._ready().encrypt(orjson.dumps(content), _bound(tenant_id, use))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, tenant_id: int, use: str, cursor: str) -> list[Any] | None:
        """Return the place of a cursor, or None if it was not made for this tenant and use. Raises DatabaseUnavailable."""
        if len(cursor) > _LONGEST:
            return None
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            content: list[Any] = orjson.loads(self._ready().decrypt(sealed, _bound(tenant_id, use)))
        except (ValueError, InvalidTag):
            return None
        return content

    def _ready(self) -> AESSIV:
        if self._cipher is None:
            self._cipher = AESSIV(installation_key(self._database, _NAME))
        return self._cipher


def _bound(tenant_id: int, use: str) -> list[bytes | bytearray | memoryview]:
    return [b"%d" % tenant_id, use.encode()]
