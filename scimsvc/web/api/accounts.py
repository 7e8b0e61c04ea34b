"""/api/accounts: what the application reads, with a token of its own that can do nothing else."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from scimsvc.protocol.errors import ScimError, invalid_value
from scimsvc.service.accounts import BEGINNING, AccountService, since
from scimsvc.store.tenants import ACCOUNTS
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.request import base_url, query_parameters
from scimsvc.web.http.response import respond_json
from scimsvc.web.services import Services

_PARAMETERS = ("changedSince", "count", "cursor")
_COUNT = re.compile("[0-9]{1,1000}")


def blueprint(services: Services) -> Blueprint:
    """The accounts of the tenant that the token speaks for."""
    routes = Blueprint("accounts", __name__)

    def begin() -> AccountService:
        caller = authenticate(services, request.environ, ACCOUNTS)
        base = base_url(services, request.environ)
        listed = services.settings.limits.listed_members
        return AccountService(services.database, caller.tenant.id, caller.catalog, base, services.cursors, listed)

    @routes.get("")
    def page() -> Response:
        """Accounts in the order of their last changes: `?changedSince=`, `?count=`, and `?cursor=` for the next page."""
        service = begin()
        asked = query_parameters(request.environ)
        unknown = [name for name in asked if name not in map(str.lower, _PARAMETERS)]
        if unknown:
            raise invalid_value(f"There is no parameter {unknown[0][:64]!r}; there are {', '.join(_PARAMETERS)}.")
        behind = since(asked["changedsince"]) if asked.get("changedsince") else BEGINNING
        if asked.get("cursor"):
            behind = service.position_of(asked["cursor"])
        count = _count(asked.get("count"), services.settings.scim.max_results)
        return respond_json(service.page(behind, count), media_type="application/json")

    @routes.get("/<id_>")
    def get(id_: str) -> Response:
        """One account."""
        return respond_json(begin().get(id_), media_type="application/json")

    return routes


def _count(text: str | None, most: int) -> int:
    if not text:
        return most
    if not _COUNT.fullmatch(text) or not int(text):
        raise ScimError(400, "count must be a whole number from 1 on.", "invalidCount")
    return min(int(text), most)
