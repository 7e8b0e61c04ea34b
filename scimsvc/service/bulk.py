"""Bulk (RFC 7644 §3.7): each operation a transaction of its own, in an order in which what it refers to is there already.

Operations that refer to each other in a circle begin with a create without the references that can't be resolved yet;
it is completed as soon as they can. Where they never can, what was created for it is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimsvc.protocol.bulk import BULK_RESPONSE_URN, BulkOperation, BulkRequest
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.etag import etag
from scimsvc.protocol.limits import Limits
from scimsvc.protocol.projection import Projection
from scimsvc.service.catalog import Catalog
from scimsvc.service.rendering import Rendered
from scimsvc.service.resources import ResourceService
from scimsvc.store.database import Database, DatabaseUnavailable, OutcomeUnknown
from scimsvc.store.filters import MEMBERS

_LITTLE = Projection(excluded=frozenset({MEMBERS}))
"""What is rendered of a resource: its location and version are wanted, so nothing is looked up or left out for its attributes."""


class BulkService:
    """Bulk requests of one tenant. `base` is the absolute URL of the SCIM endpoint."""

    def __init__(self, database: Database, tenant_id: int, catalog: Catalog, base: str, limits: Limits) -> None:
        self._catalog = catalog
        self._services = {
            endpoint: ResourceService(database, tenant_id, served, base) for endpoint, served in catalog.types.items()
        }
        self._base = base
        self._limits = limits

    def run(self, request: BulkRequest) -> dict[str, Any]:
        """Carry the operations out; answers the BulkResponse, with their outcomes in the order of the request."""
        run = _Run(self, request)
        run.all()
        outcomes = [run.outcomes[place] for place in sorted(run.outcomes)]
        return {"schemas": [BULK_RESPONSE_URN], "Operations": outcomes}

    def carry_out(self, operation: BulkOperation) -> tuple[int, Rendered | None]:
        """One operation whose references are resolved: its status and, unless it is a delete, the resource. Raises ScimError."""
        service = self._services.get(operation.endpoint)
        if service is None:
            raise ScimError(404, f"There is no endpoint /{operation.endpoint[:64]}; there are {', '.join(self._services)}.")
        id_ = operation.id or ""
        if operation.method == "DELETE":
            service.delete(id_, operation.version)
            return 204, None
        self._limits.check_body(operation.data)
        type_ = self._catalog.types[operation.endpoint].resource_type
        standard = standardise(Request(operation.method, type_, {}, operation.data))
        if operation.method == "POST":
            return 201, service.create(standard.body, _LITTLE)
        if operation.method == "PUT":
            return 200, service.replace(id_, standard.body, operation.version, _LITTLE)
        return 200, service.patch(id_, standard.body, standard.policy, operation.version, _LITTLE)

    def location(self, operation: BulkOperation) -> str | None:
        """The URI of the resource that an operation is on; None for a create."""
        served = self._catalog.types.get(operation.endpoint)
        return f"{self._base}{served.resource_type.endpoint}/{operation.id}" if served and operation.id else None


class _Run:
    """The state of one bulk request: which bulkIds have become ids, what is still to do, and what has come of the rest."""

    def __init__(self, service: BulkService, request: BulkRequest) -> None:
        self._service = service
        self._limit = request.fail_on_errors
        self._pending = dict(enumerate(request.operations))
        self._references = [set() if one.problem else one.references() for one in request.operations]
        self._unfinished: dict[int, BulkOperation] = {}
        self._ids: dict[str, str] = {}
        self._errors = 0
        self.outcomes: dict[int, dict[str, Any]] = {}

    def all(self) -> None:
        while self._pending and not self._stopped():
            before = len(self._pending)
            promised = self._promised()
            for place, operation in list(self._pending.items()):
                if self._stopped():
                    break
                missing = self._references[place] - self._ids.keys()
                if not missing:
                    del self._pending[place]
                    self._attempt(place, operation)
                elif missing - promised:
                    del self._pending[place]
                    self._fail(place, operation, _unresolvable(missing - promised))
            if len(self._pending) == before and not self._stopped():
                self._break_circle()
        self._finish()

    def _stopped(self) -> bool:
        return 0 < self._limit <= self._errors

    def _promised(self) -> set[str]:
        """The bulkIds that are ids already or may still become some."""
        pending = (one for one in self._pending.values() if one.method == "POST" and one.problem is None)
        return self._ids.keys() | {one.bulk_id for one in pending if one.bulk_id}

    def _break_circle(self) -> None:
        """Everything waits for something else that waits: begin with a create that waits for itself in the end."""
        creates = {one.bulk_id: place for place, one in self._pending.items() if one.method == "POST"}
        place, passed = next(iter(self._pending)), set[int]()
        while place not in passed:
            passed.add(place)
            place = creates[min(self._references[place] - self._ids.keys())]
        operation = self._pending.pop(place)
        if self._attempt(place, operation):
            self._unfinished[place] = operation

    def _finish(self) -> None:
        """Complete what was begun without all of its references."""
        for place, operation in self._unfinished.items():
            id_ = self._ids[operation.bulk_id or ""]
            missing = self._references[place] - self._ids.keys()
            whole = BulkOperation("PUT", operation.endpoint, id_, operation.bulk_id, data=operation.resolved(self._ids).data)
            try:
                if missing:
                    raise _unresolvable(missing)
                _, rendered = self._service.carry_out(whole)
                if rendered:
                    self.outcomes[place]["version"] = etag(rendered.version)
            except (ScimError, DatabaseUnavailable) as error:
                self._take_back(operation, id_)
                self._fail(place, operation, error)

    def _take_back(self, operation: BulkOperation, id_: str) -> None:
        try:
            self._service.carry_out(BulkOperation("DELETE", operation.endpoint, id_))
        except (ScimError, DatabaseUnavailable):
            # Gone already, or the database is; then the outcome says that it failed, and the next look what is there.
            return

    def _attempt(self, place: int, operation: BulkOperation) -> bool:
        ready = operation.resolved(self._ids)
        try:
            if operation.problem:
                raise operation.problem
            status, rendered = self._service.carry_out(ready)
        except (ScimError, DatabaseUnavailable) as error:
            self._fail(place, ready, error)
            return False
        outcome = self._outcome(ready, status)
        if rendered:
            outcome |= {"location": rendered.location, "version": etag(rendered.version)}
            if operation.method == "POST" and operation.bulk_id:
                self._ids[operation.bulk_id] = rendered.location.rpartition("/")[2]
        self.outcomes[place] = outcome
        return True

    def _fail(self, place: int, operation: BulkOperation, error: ScimError | DatabaseUnavailable) -> None:
        self._errors += 1
        if isinstance(error, DatabaseUnavailable):
            lost = isinstance(error, OutcomeUnknown)
            happened = "was lost meanwhile, so look before you try again" if lost else "can't be reached; nothing was stored"
            error = ScimError(503, f"The database {happened}.")
        self.outcomes[place] = self._outcome(operation, error.status) | {"response": error.document()}

    def _outcome(self, operation: BulkOperation, status: int) -> dict[str, Any]:
        found: Mapping[str, Any] = {
            "method": operation.method,
            "bulkId": operation.bulk_id,
            "location": self._service.location(operation),
            "status": str(status),
        }
        return {name: value for name, value in found.items() if value}


def _unresolvable(names: set[str]) -> ScimError:
    shown = ", ".join(sorted(name[:64] for name in names)[:5])
    return ScimError(409, f"bulkId {shown}: no operation of this request has created a resource with it.", "invalidValue")
