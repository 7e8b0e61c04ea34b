"""What is noted about a request while it is answered, for its log line and the metrics. It contains no attribute's value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scimsvc.protocol.errors import ScimError
from scimsvc.service.bulk import OperationResult
from scimsvc.service.rendering import Effect
from scimsvc.store.tenants import Credential


@dataclass(slots=True)
class Note:
    """The ids of a request, its credential, and its outcome.

    `client_request_id` is the client's X-Request-Id, if it is a plain token and no trusted proxy sent it. `location` is the URL
    of a created resource; `operations` are those of a bulk request. `dialect` are the names of the dialect's rules that changed
    the request. `ignored` are names that no schema has. The client chose them, so check them before logging.
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
