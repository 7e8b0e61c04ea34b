"""/Bulk (RFC 7644 §3.7)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from scimsvc.protocol.bulk import parse_bulk
from scimsvc.protocol.limits import check_amounts, check_passwords
from scimsvc.service.bulk import BulkService
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.negotiation import negotiate
from scimsvc.web.http.request import base_url, json_body, note_of
from scimsvc.web.http.response import respond_json
from scimsvc.web.services import Services


def blueprint(services: Services) -> Blueprint:
    """Many operations in one request."""
    routes = Blueprint("bulk", __name__)

    @routes.post("/bulk")
    def bulk() -> Response:
        """Carry them out; the answer is 200 whatever has become of each."""
        negotiate(request.environ)
        caller = authenticate(services, request.environ)
        asked = parse_bulk(json_body(services, request.environ), services.settings.limits.bulk_operations)
        check_amounts(one.data for one in asked.operations)
        if caller.catalog.profile.policies.passwords == "argon2":
            check_passwords(one.data for one in asked.operations)
        base = base_url(services, request.environ)
        run = BulkService(services.database, caller.tenant.id, caller.catalog, base, services.limits).run(asked)
        note_of(request.environ).operations = run.results
        return respond_json(run.response)

    return routes
