"""/healthz, /readyz and /metrics, for those who run the service."""

from __future__ import annotations

import peewee
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from scimsvc.store.database import DatabaseUnavailable
from scimsvc.store.migrations import WrongDatabase, pending
from scimsvc.web.observability import Observed
from scimsvc.web.scim import respond_json
from scimsvc.web.services import Services


def blueprint(services: Services, observed: Observed) -> Blueprint:
    """The endpoints that need no token, and tell nothing of any tenant."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        """The process is alive."""
        return _json({"status": "ok"}, 200)

    @routes.get("/readyz")
    def readyz() -> Response:
        """The database is reachable and has all migrations; 503 says what is missing. Broken profiles are told of, too."""
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
        problem = services.catalogs.problem
        broken = {"profiles": f"broken, those that were good stay in use: {problem}"} if problem else {}
        return _json({"status": "ok"} | broken, 200)

    @routes.get("/metrics")
    def metrics() -> Response:
        """The metrics of all workers in Prometheus' text format."""
        return Response(observed.exposition(), content_type=CONTENT_TYPE_LATEST)

    return routes


def _json(document: object, status: int) -> Response:
    return respond_json(document, status, media_type="application/json")
