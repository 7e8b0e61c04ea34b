"""/healthz, /readyz and /metrics, for those who run the service."""

from __future__ import annotations

import peewee
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from scimsvc.service.readiness import unprepared
from scimsvc.store.database import DatabaseUnavailable
from scimsvc.store.migrations import WrongDatabase
from scimsvc.store.reindex import ids_in_conflict
from scimsvc.web.http.response import respond_json
from scimsvc.web.observe.observability import Observed
from scimsvc.web.services import Services

BROKEN = "broken, the last valid versions stay in use; the log says what is wrong"
"""What `/readyz` says of profiles that can't be used as they are."""


def blueprint(services: Services, observed: Observed) -> Blueprint:
    """The endpoints that need no token, and tell nothing of any tenant."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        """The process is alive."""
        return _json({"status": "ok"}, 200)

    @routes.get("/readyz")
    def readyz() -> Response:
        """The database is reachable, has all migrations and an index in this version's form; 503 says what is missing.

        It needs no token, so it says that profiles are broken and not how: that may have names of tenants' profiles and paths. It
        names the ids of resources whose unique values another resource has.
        """
        try:
            lacking = unprepared(services.database)
            with services.database.reading():
                conflicts = ids_in_conflict(services.database, _MOST_CONFLICTS + 1) if lacking is None else []
        except (DatabaseUnavailable, peewee.PeeweeException):
            return _json({"status": "unavailable", "reason": "the database can't be reached"}, 503)
        except WrongDatabase as error:
            return _json({"status": "unavailable", "reason": str(error)}, 503)
        if lacking:
            reason = "run: scimsvc db migrate"
            state = {"reindex": lacking.reindex._asdict()} if lacking.reindex else {"migrations": lacking.migrations}
            return _json({"status": "unavailable", "reason": reason} | state, 503)
        services.catalogs.look()
        broken = {"profiles": BROKEN} if services.catalogs.problem else {}
        return _json({"status": "ok"} | broken | _named(conflicts), 200)

    @routes.get("/metrics")
    def metrics() -> Response:
        """The metrics of all workers in Prometheus' text format."""
        return Response(observed.exposition(), content_type=CONTENT_TYPE_LATEST)

    return routes


_MOST_CONFLICTS = 100
"""Ids that are named; `scimsvc db migrate` lists all."""


def _named(conflicts: list[str]) -> dict[str, object]:
    ids = list(dict.fromkeys(conflicts[:_MOST_CONFLICTS]))
    more = {"more": True} if len(conflicts) > _MOST_CONFLICTS else {}
    return {"conflicts": {"reason": "unique values of others; run: scimsvc db migrate", "ids": ids} | more} if ids else {}


def _json(document: object, status: int) -> Response:
    return respond_json(document, status, media_type="application/json")
