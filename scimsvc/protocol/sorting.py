"""`sortBy` and `sortOrder` (RFC 7644 §3.4.2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scimsvc.protocol.errors import invalid_value
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath, resolve

ASCENDING, DESCENDING = "ascending", "descending"
COLUMNS = frozenset({"id", "meta.created", "meta.lastModified"})
"""What only the service provider sets, and can be sorted by."""


@dataclass(frozen=True)
class Sort:
    """The order of a query: by the values of `path`, which is None where the resource type has no such attribute."""

    path: AttributePath | None
    descending: bool


def parse_sort(resource_types: Sequence[ResourceType], parameters: Mapping[str, str]) -> list[Sort] | None:
    """The order as each resource type has it; None where no order is asked for. Raises ScimError invalidValue."""
    name = parameters.get("sortby", "").strip()
    order = (parameters.get("sortorder", "").strip() or ASCENDING).lower()
    if order not in (ASCENDING, DESCENDING):
        raise invalid_value(f"sortOrder must be {ASCENDING} or {DESCENDING}, not {order[:32]!r}.")
    if not name:
        return None
    paths = [resolve(resource_type, name) for resource_type in resource_types]
    if not any(paths):
        raise invalid_value(f"sortBy: unknown attribute {name[:128]!r}.")
    return [Sort(path and _sortable(path), order == DESCENDING) for path in paths]


def _sortable(path: AttributePath) -> AttributePath:
    value = path.value()
    leaf = value.leaf
    if leaf.type == "complex":
        raise invalid_value(
            f"sortBy: {path.name} is complex; sort by one of {', '.join(one.name for one in leaf.sub_attributes)}."
        )
    stored = value.steps[0].name not in ("members", "groups") and leaf.mutability != "readOnly" and leaf.returned != "never"
    if not stored and value.name not in COLUMNS:
        raise invalid_value(f"sortBy: {path.name} can't be sorted by.")
    return value
