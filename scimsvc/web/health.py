"""/healthz, /readyz and /metrics, for those who run the service."""

from __future__ import annotations

import peewee
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from scimsvc.store.database import DatabaseUnavailable
from scimsvc.store.migrations import pending
from scimsvc.web import app as application
from scimsvc.web import observability
from scimsvc.web.scim import respond_json

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process is alive."""
    return _json({"status": "ok"}, 200)


@blueprint.get("/readyz")
def readyz() -> Response:
    """The database is reachable and has all migrations; 503 says what is missing."""
    database = application.services().database
    try:
        with database.reading():
            missing = pending(database)
    except (DatabaseUnavailable, peewee.PeeweeException):
        return _json({"status": "unavailable", "reason": "the database can't be reached"}, 503)
    if missing:
        return _json({"status": "unavailable", "reason": "run: scimsvc db migrate", "migrations": missing}, 503)
    return _json({"status": "ok"}, 200)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The metrics of all workers in Prometheus' text format."""
    return Response(observability.exposition(), content_type=CONTENT_TYPE_LATEST)


def _json(document: object, status: int) -> Response:
    response = respond_json(document, status)
    response.mimetype = "application/json"
    return response
