"""/healthz, /readyz and /metrics, for operators."""

from __future__ import annotations

import peewee
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST

from scimsvc.service.readiness import unprepared
from scimsvc.store.database import DatabaseUnavailable
from scimsvc.store.migrations import WrongDatabase
from scimsvc.store.reindex import ids_in_conflict
from scimsvc.web.http.response import respond_json
from scimsvc.web.observe.observability import Observed
from scimsvc.web.services import Services

BROKEN = "broken, the last valid versions stay in use; the log says what is wrong"
"""What `/readyz` says if the file of a profile is invalid."""


_MOST_CONFLICTS = 100
"""Ids that `/readyz` names at most; `scimsvc db migrate` lists all."""


class Health:
    """The endpoints that need no token and tell nothing about any tenant."""

    def __init__(self, services: Services, observed: Observed) -> None:
        self._services = services
        self._observed = observed

    def healthz(self) -> Response:
        """Return 200: the process is alive."""
        return _json({"status": "ok"}, 200)

    def readyz(self) -> Response:
        """Return 200 if the database answers and has all migrations and this version's index. Otherwise 503 says what is missing.

        It needs no token. So it says that profiles are broken and not how, as that may name tenants' profiles and paths. It names
        the ids of resources whose unique values another resource has.
        """
        database, catalogs = self._services.database, self._services.catalogs
        try:
            lacking = unprepared(database)
            with database.reading():
                conflicts = ids_in_conflict(database, _MOST_CONFLICTS + 1) if lacking is None else []
        except (DatabaseUnavailable, peewee.PeeweeException):
            return _json({"status": "unavailable", "reason": "the database can't be reached"}, 503)
        except WrongDatabase as error:
            return _json({"status": "unavailable", "reason": str(error)}, 503)
        if lacking:
            reason = "run: scimsvc db migrate"
            state = {"reindex": lacking.reindex._asdict()} if lacking.reindex else {"migrations": lacking.migrations}
            return _json({"status": "unavailable", "reason": reason} | state, 503)
        catalogs.look()
        broken = {"profiles": BROKEN} if catalogs.problem else {}
        return _json({"status": "ok"} | broken | _named(conflicts), 200)

    def metrics(self) -> Response:
        """Return the metrics of all workers in Prometheus' text format."""
        return Response(self._observed.exposition(), content_type=CONTENT_TYPE_LATEST)


def _named(conflicts: list[str]) -> dict[str, object]:
    ids = list(dict.fromkeys(conflicts[:_MOST_CONFLICTS]))
    more = {"more": True} if len(conflicts) > _MOST_CONFLICTS else {}
    return {"conflicts": {"reason": "unique values of others; run: scimsvc db migrate", "ids": ids} | more} if ids else {}


def _json(document: object, status: int) -> Response:
    return respond_json(document, status, media_type="application/json")
