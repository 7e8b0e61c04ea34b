"""/api/accounts: the accounts of a tenant, for its application. The token has a scope of its own that allows nothing else."""

from __future__ import annotations

import re

from flask import Response, request

from scimsvc.protocol.errors import ScimError, invalid_value
from scimsvc.service.accounts import BEGINNING, AccountService, since
from scimsvc.store.tenants import ACCOUNTS
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.request import base_url, query_parameters
from scimsvc.web.http.response import respond_json
from scimsvc.web.services import Services

_PARAMETERS = ("changedSince", "count", "cursor")
_COUNT = re.compile("[0-9]{1,1000}")


class Accounts:
    """The accounts of the token's tenant."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def page(self) -> Response:
        """List accounts in the order of their last changes: `?changedSince=`, `?count=`, and `?cursor=` for the next page."""
        service = self._service()
        parameters = query_parameters(request.environ)
        unknown = [name for name in parameters if name not in map(str.lower, _PARAMETERS)]
        if unknown:
            raise invalid_value(f"There is no parameter {unknown[0][:64]!r}; known are {', '.join(_PARAMETERS)}.")
        start = since(parameters["changedsince"]) if parameters.get("changedsince") else BEGINNING
        if parameters.get("cursor"):
            start = service.position_of(parameters["cursor"])
        count = _count(parameters.get("count"), self._services.settings.scim.max_results)
        return respond_json(service.page(start, count), media_type="application/json")

    def get(self, id_: str) -> Response:
        """Return one account."""
        return respond_json(self._service().get(id_), media_type="application/json")

    def _service(self) -> AccountService:
        """Authenticate the request and return the accounts of its tenant."""
        services = self._services
        caller = authenticate(services, request.environ, ACCOUNTS)
        base = base_url(services, request.environ)
        listed = services.settings.limits.listed_members
        return AccountService(services.database, caller.tenant.id, caller.catalog, base, services.cursors, listed)


def _count(text: str | None, most: int) -> int:
    if not text:
        return most
    if not _COUNT.fullmatch(text) or not int(text):
        raise ScimError(400, f"count must be an integer of at least 1, not {text[:32]!r}.", "invalidCount")
    return min(int(text), most)
