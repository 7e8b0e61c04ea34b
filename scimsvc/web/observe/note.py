"""What is noted of a request while it is answered, for its log line and the metrics. It never has an attribute's value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scimsvc.protocol.errors import ScimError
from scimsvc.service.bulk import OperationResult
from scimsvc.service.rendering import Effect
from scimsvc.store.tenants import Credential


@dataclass(slots=True)
class Note:
    """The ids of a request, whose token it has and what came of it. `location` is that of a resource which it has created;
    `operations` are those of a bulk request.

    `dialect` are the names of the dialect's rules that changed the request; `ignored` are the names in a resource that no schema
    has, as the client sent them, so they must not be logged without a look at them.

    `client_request_id` is the client's own X-Request-Id, if it is a plain token and no trusted proxy sent it.
    """

    request_id: str
    client_request_id: str | None
    address: str
    credential: Credential | None = None
    error: ScimError | None = None
    effect: Effect | None = None
    location: str = ""
    operations: Sequence[OperationResult] = ()
    dialect: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
