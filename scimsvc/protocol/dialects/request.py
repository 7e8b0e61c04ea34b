"""What a dialect works on: the parts of a request that a client may bend, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scimsvc.protocol.patch import STRICT, Policy
from scimsvc.schema.model import ResourceType


class Request(NamedTuple):
    """A request on a resource type: its query parameters (names in lower case) and its JSON body.

    `policy` is how PATCH is to act where the dialect means something else than the standard. `rules` are the names of the
    dialect's rules that changed the request; `ignored` are the names in a resource that no schema has, as the client sent them;
    a name that is also a value is empty.
    """

    method: str
    resource_type: ResourceType
    parameters: Mapping[str, str]
    body: Any = None
    policy: Policy = STRICT
    rules: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
