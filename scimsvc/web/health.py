"""/healthz, /readyz and /metrics, for those who run the service."""

from __future__ import annotations

import peewee
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from scimsvc.store.database import DatabaseUnavailable
from scimsvc.store.migrations import WrongDatabase, pending
from scimsvc.web.observability import Observed
from scimsvc.web.ops import liveness
from scimsvc.web.scim import respond, respond_json
from scimsvc.web.services import Services

BROKEN = "broken, the last valid versions stay in use; the log says what is wrong"
"""What `/readyz` says of profiles that can't be used as they are."""


def blueprint(services: Services, observed: Observed) -> Blueprint:
    """The endpoints that need no token, and tell nothing of any tenant."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        """The process is alive."""
        return respond(liveness.BODY, media_type=liveness.MEDIA_TYPE)

    @routes.get("/readyz")
    def readyz() -> Response:
        """The database is reachable and has all migrations; 503 says what is missing.

        It needs no token, so it says that profiles are broken and not how: that may have names of tenants' profiles and paths.
        """
        try:
            with services.database.reading():
                missing = pending(services.database)
        except (DatabaseUnavailable, peewee.PeeweeException):
            return _json({"status": "unavailable", "reason": "the database can't be reached"}, 503)
        except WrongDatabase as error:
            return _json({"status": "unavailable", "reason": str(error)}, 503)
        if missing:
            return _json({"status": "unavailable", "reason": "run: scimsvc db migrate", "migrations": missing}, 503)
        services.catalogs.look()
        broken = {"profiles": BROKEN} if services.catalogs.problem else {}
        return _json({"status": "ok"} | broken, 200)

    @routes.get("/metrics")
    def metrics() -> Response:
        """The metrics of all workers in Prometheus' text format."""
        return Response(observed.exposition(), content_type=CONTENT_TYPE_LATEST)

    return routes


def _json(document: object, status: int) -> Response:
    return respond_json(document, status, media_type="application/json")
