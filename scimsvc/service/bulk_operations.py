"""Single operations of bulk requests (RFC 7644 §3.7): what each refers to, and what it does once that has ids."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from scimsvc.protocol.bulk import BulkOperation
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.limits import Limits
from scimsvc.protocol.members import MAX_ID_LENGTH
from scimsvc.protocol.projection import Projection
from scimsvc.protocol.references import names_in, parted, resolved
from scimsvc.schema.core import MEMBERS
from scimsvc.service.actor import SERVER, Actor
from scimsvc.service.catalog import Catalog
from scimsvc.service.rendering import Rendered
from scimsvc.service.resources import ResourceService
from scimsvc.store.database import Database

_LITTLE = Projection(excluded=frozenset({MEMBERS.name}))
"""What is rendered of a resource: its location and version are wanted, so nothing is looked up or left out for its attributes."""


@dataclass(frozen=True)
class Prepared:
    """An operation that needs nothing any more but ids for the bulkIds in `references`."""

    operation: BulkOperation
    request: Request
    references: tuple[str, ...] = ()


class BulkOperations:
    """The operations of one tenant. `base` is the absolute URL of the SCIM endpoint."""

    def __init__(
        self, database: Database, tenant_id: int, catalog: Catalog, base: str, limits: Limits, actor: Actor = SERVER
    ) -> None:
        self._types = {endpoint: served.resource_type for endpoint, served in catalog.types.items()}
        self._services = {
            endpoint: ResourceService(database, tenant_id, served, base, actor=actor)
            for endpoint, served in catalog.types.items()
        }
        self._base = base
        self._limits = limits

    def prepare(self, operation: BulkOperation, made: Container[str]) -> Prepared:
        """The operation as the standard has it, with what it refers to; `made` are the bulkIds of creates. Raises ScimError."""
        if operation.problem:
            raise operation.problem
        type_ = self._types.get(operation.endpoint)
        if type_ is None:
            served = ", ".join(one.endpoint for one in self._types.values())
            raise ScimError(404, f"There is no endpoint /{operation.endpoint[:64]}; there are {served}.")
        request = Request(operation.method, type_, {})
        names = [operation.reference] if operation.reference else []
        if operation.method != "DELETE":
            self._limits.check_body(operation.data)
            request = standardise(request._replace(body=operation.data))
            names += names_in(type_, operation.method, request.body, made)
        return Prepared(operation, request, tuple(dict.fromkeys(names)))

    def part(self, create: Prepared, missing: Collection[str]) -> tuple[Prepared, Prepared] | None:
        """A create without its references to `missing`, and what adds them; None where it can't be without, or may restore an
        account, which couldn't be taken back.
        """
        request, operation = create.request, create.operation
        parts = parted(request.resource_type, request.body, missing)
        if parts is None or self._may_restore(operation, parts.create):
            return None
        completing = Request("PATCH", request.resource_type, {}, parts.completion)
        own = replace(operation, method="PATCH", id=f"bulkId:{operation.bulk_id}")
        return replace(create, request=request._replace(body=parts.create)), Prepared(own, completing, create.references)

    def _may_restore(self, create: BulkOperation, body: Any) -> bool:
        try:
            return self._services[create.endpoint].may_restore(body)
        except ScimError:
            # What is wrong with it is said where it is carried out.
            return False

    def carry_out(self, prepared: Prepared, ids: Mapping[str, str]) -> tuple[int, Rendered | None]:
        """Carry it out; answers its status and, unless it is a delete, the resource. Raises ScimError or DatabaseUnavailable."""
        operation, request = prepared.operation, prepared.request
        service = self._services[operation.endpoint]
        id_ = _id(operation, ids) or ""
        if request.method == "DELETE":
            service.delete(id_, operation.version)
            return 204, None
        body = resolved(request.resource_type, request.method, request.body, ids)
        if request.method == "POST":
            return 201, service.create(body, _LITTLE)
        if request.method == "PUT":
            return 200, service.replace(id_, body, operation.version, _LITTLE)
        return 200, service.patch(id_, body, request.policy, operation.version, _LITTLE)

    def take_back(self, create: BulkOperation, id_: str) -> None:
        """Delete what a create has made. Raises ScimError or DatabaseUnavailable."""
        self._services[create.endpoint].delete(id_, None)

    def location(self, operation: BulkOperation, ids: Mapping[str, str]) -> str | None:
        """The URI of the resource that an operation is on, be it there or not; None for a create, for a bulkId that hasn't become
        an id, and for what is too long to be an id.
        """
        type_, id_ = self._types.get(operation.endpoint), _id(operation, ids)
        if type_ is None or not id_ or len(id_) > MAX_ID_LENGTH:
            return None
        return f"{self._base}{type_.endpoint}/{quote(id_, safe='')}"


def _id(operation: BulkOperation, ids: Mapping[str, str]) -> str | None:
    return ids.get(operation.reference) if operation.reference else operation.id
