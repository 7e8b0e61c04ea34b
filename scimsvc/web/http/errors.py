"""Every failure as an answer that a person can act on: SCIM errors (RFC 7644 §3.12), for every path."""

from __future__ import annotations

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from scimsvc.protocol.errors import ScimError, too_many
from scimsvc.store.database import DatabaseUnavailable, TookTooLong
from scimsvc.store.tenants import ME, SCIM
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.environ import REQUEST_ID
from scimsvc.web.http.request import note_of
from scimsvc.web.http.response import respond, respond_json
from scimsvc.web.services import Services

log = structlog.get_logger()


def install(app: Flask, services: Services) -> None:
    """Register the handlers. Under the base path an unauthenticated caller learns nothing but that."""

    base_path = services.settings.scim.base_path

    def below_base_path() -> bool:
        return request.path == base_path or request.path.startswith(f"{base_path}/")

    @app.errorhandler(ScimError)
    def scim_error(error: ScimError) -> Response:
        note_of(request.environ).error = error
        return respond_json(error.document(), error.status, error.headers.items())

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        endpoints: list[str] = []
        if below_base_path():
            try:
                endpoints = authenticate(services, request.environ, SCIM, ME).catalog.endpoints()
            except ScimError as refused:
                return scim_error(refused)
            except DatabaseUnavailable as unavailable:
                return database_unavailable(unavailable)
            if isinstance(error, MethodNotAllowed) and not _is_among(endpoints, request.path.removeprefix(base_path)):
                # The route is there for another tenant's resource type.
                error = NotFound()
        headers = {"Allow": ", ".join(_methods(error))} if isinstance(error, MethodNotAllowed) else {}
        if headers and request.method == "OPTIONS":
            return respond(None, 204, headers.items())
        hint = "" if below_base_path() else f" The Tenant URL of this server ends in {base_path}/."
        return scim_error(ScimError(error.code or 500, _detail(error, endpoints, hint), headers=headers))

    @app.errorhandler(DatabaseUnavailable)
    def database_unavailable(error: DatabaseUnavailable) -> Response:
        if isinstance(error, TookTooLong):
            seconds = services.settings.database.statement_timeout
            return scim_error(
                too_many(
                    f"This query takes longer than {seconds} s; make its filter more selective.", "database.statement_timeout"
                )
            )
        code = {"sqlstate": error.sqlstate} if error.sqlstate else {}
        log.error("database unavailable", request_id=request.environ.get(REQUEST_ID), reason=error.reason, **code)
        return scim_error(ScimError(503, error.in_words(), headers={"Retry-After": "5"}, rule=f"database {error.reason}"))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        # The message of an exception may hold attribute values, so only its kind and place are logged.
        trace, place = error.__traceback__, ""
        while trace is not None:
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        log.error("unexpected error", request_id=request.environ.get(REQUEST_ID), error=type(error).__name__, place=place)
        return scim_error(
            ScimError(500, "Something went wrong here, and nothing was stored. The request id leads to the log line.")
        )


def _is_among(endpoints: list[str], path: str) -> bool:
    """Whether a path below the base path is that of one of the endpoints, or of the root."""
    first = path.split("/")[1:2]
    return first in ([], [""], [".search"]) or first[0] in (endpoint.strip("/").lower() for endpoint in endpoints)


def _methods(error: MethodNotAllowed) -> list[str]:
    """What is possible instead; OPTIONS, which asks for just this, always is."""
    return sorted({*(error.valid_methods or ()), "OPTIONS"})


def _detail(error: HTTPException, endpoints: list[str], hint: str) -> str:
    match error:
        case NotFound():
            there = f" The endpoints are {', '.join(endpoints)}." if endpoints else hint
            return f"There is nothing at {request.path[:128]}.{there}"
        case MethodNotAllowed():
            return f"{request.method[:16]} is not possible here; {', '.join(_methods(error))} are."
    return error.description or error.name
