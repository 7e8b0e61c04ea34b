"""/Bulk (RFC 7644 §3.7)."""

from __future__ import annotations

from flask import Response, request

from scimsvc.protocol.bulk import parse_bulk
from scimsvc.protocol.limits import check_amounts, check_passwords
from scimsvc.service.bulk import BulkService
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.negotiation import negotiate
from scimsvc.web.http.request import base_url, json_body, note_of
from scimsvc.web.http.response import respond_json
from scimsvc.web.services import Services


class Bulk:
    """Many operations in one request."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def run(self) -> Response:
        """Run the operations. The answer is 200 even if some of them fail; each has a status of its own."""
        services, environ = self._services, request.environ
        negotiate(environ)
        caller = authenticate(services, environ)
        bulk_request = parse_bulk(json_body(services, environ), services.settings.limits.bulk_operations)
        check_amounts(operation.data for operation in bulk_request.operations)
        if caller.catalog.profile.policies.passwords == "argon2":
            check_passwords(operation.data for operation in bulk_request.operations)
        base = base_url(services, environ)
        service = BulkService(services.database, caller.tenant.id, caller.catalog, base, services.limits, caller.actor)
        run = service.run(bulk_request)
        note_of(environ).operations = run.results
        return respond_json(run.response)
