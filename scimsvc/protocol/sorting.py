"""`sortBy` and `sortOrder` (RFC 7644 §3.4.2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scimsvc.protocol.errors import ScimError, invalid_value
from scimsvc.schema.core import RELATED
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath, resolve

ASCENDING, DESCENDING = "ascending", "descending"
COLUMNS = frozenset({"id", "meta.created", "meta.lastModified"})
"""What only the service provider sets, and can be sorted by."""


@dataclass(frozen=True)
class Sort:
    """The order of a query: by the values of `path`, which is None where the resource type has no such attribute, or none that
    has an order.
    """

    path: AttributePath | None
    descending: bool


def parse_sort(asked: Sequence[tuple[ResourceType, Mapping[str, str]]]) -> list[Sort] | None:
    """Return the order as each resource type has it, from the parameters of each; None if no order is asked for.

    Raises ScimError invalidValue if no type can be sorted so.
    """
    parameters = asked[0][1]
    name = parameters.get("sortby", "").strip()
    order = (parameters.get("sortorder", "").strip() or ASCENDING).lower()
    if order not in (ASCENDING, DESCENDING):
        raise invalid_value(f"sortOrder must be {ASCENDING} or {DESCENDING}, not {order[:32]!r}.")
    if not name:
        return None
    named = [resolve(resource_type, own.get("sortby", "").strip()) for resource_type, own in asked]
    paths = [path and _sortable(path) for path in named]
    if not any(paths):
        known = next((path for path in named if path), None)
        raise _unsortable(known) if known else invalid_value(f"sortBy: unknown attribute {name[:128]!r}.")
    return [Sort(path, order == DESCENDING) for path in paths]


def _sortable(path: AttributePath) -> AttributePath | None:
    value = path.value()
    return value if value.leaf.type != "complex" and (_is_stored(value) or value.name in COLUMNS) else None


def _is_stored(path: AttributePath) -> bool:
    return path.steps[0] not in RELATED and not path.is_read_only and not path.is_secret


def _unsortable(path: AttributePath) -> ScimError:
    leaf = path.value().leaf
    if leaf.type == "complex" and _is_stored(path):
        names = ", ".join(one.name for one in leaf.sub_attributes)
        return invalid_value(f"sortBy: {path.name} is complex; sort by one of {names}.")
    return invalid_value(f"sortBy: {path.name} can't be sorted by.")
