"""Accounts as the application reads them: users by the record of their tenant's profile, and in the directory's own terms."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from scimsvc.mapping.functions.regular_expressions import budget
from scimsvc.protocol.errors import ScimError, invalid_value
from scimsvc.protocol.projection import ALL
from scimsvc.schema.types import instant
from scimsvc.service.catalog import Catalog
from scimsvc.service.resources import ResourceService
from scimsvc.store.database import Database

_POSITION = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})/(\d{1,18})", re.ASCII)


class Position(NamedTuple):
    """A place in the order of last changes: behind the user with this `seq` that changed at this moment."""

    at: str
    seq: int

    def cursor(self) -> str:
        """The place as a text for the client, to whom it means nothing."""
        return base64.urlsafe_b64encode(f"{self.at}/{self.seq}".encode()).decode().rstrip("=")


BEGINNING = Position("", 0)


def since(text: str) -> Position:
    """Behind everything that changed before an xsd:dateTime. Raises ScimError 400."""
    try:
        # The store keeps milliseconds, so what changed within this one counts.
        return Position(instant(text)[:23], 0)
    except ValueError:
        raise invalid_value("changedSince must be a date and time, such as 2026-01-31T08:00:00Z.") from None


def position_of(cursor: str) -> Position:
    """The place that a cursor is. Raises ScimError 400 (RFC 9865 §2.1)."""
    try:
        match = _POSITION.fullmatch(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii"))
    except ValueError:
        match = None
    if match is None:
        raise ScimError(400, "cursor must be the nextCursor of an answer.", "invalidCursor")
    return Position(match[1], int(match[2]))


class AccountService:
    """The users of one tenant as accounts. `base` is the absolute URL of the SCIM endpoint, `listed_members` as in
    ResourceService.
    """

    def __init__(self, database: Database, tenant_id: int, catalog: Catalog, base: str, listed_members: int) -> None:
        self._catalog = catalog
        self._users = ResourceService(database, tenant_id, catalog.types["users"], base, listed_members=listed_members)

    def get(self, id_: str) -> dict[str, Any]:
        """Return one account. Raises ScimError 404."""
        body = self._users.get(id_, ALL).body
        with budget():
            return self._account(body)

    def page(self, behind: Position, count: int) -> dict[str, Any]:
        """`accounts` in the order of their last changes, and where there may be more the `nextCursor`.

        An account that changes meanwhile moves to the end, so who follows the cursors sees each at least once. Raises ScimError
        tooMany for a page whose users have more groups than a list may have. A page ends early, with the cursor, if the regular
        expressions of the record take too long for more; that of one account alone has `problems` then.
        """
        found = self._users.changed(behind.at, behind.seq, count)
        accounts: list[dict[str, Any]] = []
        with budget() as time:
            for _, rendered in found:
                account = self._account(rendered.body)
                if time.is_spent and accounts:
                    break
                accounts.append(account)
        answer: dict[str, Any] = {"accounts": accounts}
        if accounts and (len(found) == count or len(accounts) < len(found)):
            last = found[len(accounts) - 1][0]
            answer["nextCursor"] = Position(last.last_modified, last.seq).cursor()
        return answer

    def _account(self, body: bytes) -> dict[str, Any]:
        user: Mapping[str, Any] = orjson.loads(body)
        account: dict[str, Any] = {"id": user["id"]}
        if self._catalog.profile.record:
            shaped = self._catalog.profile.record.of(user)
            account["record"] = shaped.record
            if shaped.problems:
                account["problems"] = shaped.problems
        account["directory"] = self._catalog.inverse_of_users.source(user)
        meta = user["meta"]
        return account | {"meta": {name: meta[name] for name in ("created", "lastModified", "version")}}
