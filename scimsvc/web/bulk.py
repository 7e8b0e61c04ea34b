"""/Bulk (RFC 7644 §3.7)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from scimsvc.protocol.bulk import parse_bulk
from scimsvc.protocol.limits import check_amounts, check_passwords
from scimsvc.service.bulk import BulkService
from scimsvc.web import scim
from scimsvc.web.services import Services


def blueprint(services: Services) -> Blueprint:
    """Many operations in one request."""
    routes = Blueprint("bulk", __name__)

    @routes.post("/bulk")
    def bulk() -> Response:
        """Carry them out; the answer is 200 whatever has become of each."""
        scim.negotiate(request.environ)
        caller = scim.authenticate(services, request.environ)
        asked = parse_bulk(scim.json_body(services, request.environ), services.settings.limits.bulk_operations)
        check_amounts(one.data for one in asked.operations)
        if caller.catalog.profile.policies.passwords == "argon2":
            check_passwords(one.data for one in asked.operations)
        base = scim.base_url(services, request.environ)
        service = BulkService(services.database, caller.tenant.id, caller.catalog, base, services.limits, caller.actor)
        run = service.run(asked)
        scim.note_of(request.environ).operations = run.results
        return scim.respond_json(run.response)

    return routes
