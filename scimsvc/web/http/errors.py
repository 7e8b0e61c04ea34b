"""Turn every failure into a SCIM error (RFC 7644 §3.12), on every path. No other module of web answers an exception."""

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
    """Register the handlers."""
    handlers = _Handlers(services)
    app.register_error_handler(ScimError, handlers.scim_error)
    app.register_error_handler(HTTPException, handlers.http_error)
    app.register_error_handler(DatabaseUnavailable, handlers.database_unavailable)
    app.register_error_handler(Exception, handlers.unexpected)


class _Handlers:
    """One method for each kind of exception. Below the base path a client without a good token learns only that."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._base_path = services.settings.scim.base_path

    def scim_error(self, error: ScimError) -> Response:
        """Return the error as it is, and note it for the log and the metrics."""
        note_of(request.environ).error = error
        return respond_json(error.document(), error.status, error.headers.items())

    def http_error(self, error: HTTPException) -> Response:
        """Return 404 or 405 of the router, with what is possible instead."""
        below = request.path == self._base_path or request.path.startswith(f"{self._base_path}/")
        endpoints: list[str] = []
        if below:
            try:
                endpoints = authenticate(self._services, request.environ, SCIM, ME).catalog.endpoints()
            except ScimError as refused:
                return self.scim_error(refused)
            except DatabaseUnavailable as unavailable:
                return self.database_unavailable(unavailable)
            if isinstance(error, MethodNotAllowed) and not _is_among(endpoints, request.path.removeprefix(self._base_path)):
                # The route exists for another tenant's resource type.
                error = NotFound()
        headers = {"Allow": ", ".join(_methods(error))} if isinstance(error, MethodNotAllowed) else {}
        if headers and request.method == "OPTIONS":
            return respond(None, 204, headers.items())
        hint = "" if below else f" The Tenant URL of this server ends in {self._base_path}/."
        return self.scim_error(ScimError(error.code or 500, _detail(error, endpoints, hint), headers=headers))

    def database_unavailable(self, error: DatabaseUnavailable) -> Response:
        """Return 400 tooMany if a query took too long, else 503, and log why."""
        if isinstance(error, TookTooLong):
            seconds = self._services.settings.database.statement_timeout
            detail = f"This query takes longer than {seconds} s; make its filter more selective."
            return self.scim_error(too_many(detail, "database.statement_timeout"))
        code = {"sqlstate": error.sqlstate} if error.sqlstate else {}
        log.error("database unavailable", request_id=request.environ.get(REQUEST_ID), reason=error.reason, **code)
        return self.scim_error(ScimError(503, error.in_words(), headers={"Retry-After": "5"}, rule=f"database {error.reason}"))

    def unexpected(self, error: Exception) -> Response:
        """Return 500, and log the type and the place of the exception. Its message may hold attribute values."""
        trace, place = error.__traceback__, ""
        while trace is not None:
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        request_id = request.environ.get(REQUEST_ID)
        log.error("unexpected error", request_id=request_id, error=type(error).__name__, place=place)
        detail = "Internal server error; nothing was saved. Include the X-Request-Id header when reporting this."
        return self.scim_error(ScimError(500, detail))


def _is_among(endpoints: list[str], path: str) -> bool:
    """Return whether a path below the base path is the root or that of one of the endpoints."""
    first = path.split("/")[1:2]
    return first in ([], [""], [".search"]) or first[0] in (endpoint.strip("/").lower() for endpoint in endpoints)


def _methods(error: MethodNotAllowed) -> list[str]:
    """Return the methods that are possible. OPTIONS, which asks for just this, always is."""
    return sorted({*(error.valid_methods or ()), "OPTIONS"})


def _detail(error: HTTPException, endpoints: list[str], hint: str) -> str:
    match error:
        case NotFound():
            there = f" The endpoints are {', '.join(endpoints)}." if endpoints else hint
            return f"There is nothing at {request.path[:128]}.{there}"
        case MethodNotAllowed():
            return f"{request.method[:16]} is not possible here. Use {', '.join(_methods(error))}."
    return error.description or error.name
