"""`flowTypes:` of a table: the Create, Update and Delete boxes of the portal, by their names in Microsoft Graph."""

from __future__ import annotations

from typing import Any, Literal

FlowType = Literal["Add", "Update", "Delete"]
FLOW_TYPES: tuple[FlowType, ...] = ("Add", "Update", "Delete")
"""All that Entra can do with an object; what it does if neither profile nor schema says otherwise."""


def flow_types_of(value: Any) -> tuple[FlowType, ...] | None:
    """Return what Graph's text `Add, Update, Delete` lists; None if it is all of them, missing, or no such text."""
    if not isinstance(value, str) or not value.strip():
        return None
    listed = {flow.strip().lower() for flow in value.split(",")}
    flows = tuple(flow for flow in FLOW_TYPES if flow.lower() in listed)
    return None if len(flows) == len(FLOW_TYPES) or not flows else flows


def unknown_flow_types(value: Any) -> list[str]:
    """Return what Graph's `flowTypes` lists besides Add, Update and Delete, such as `None`; nothing if it is missing."""
    if value is None or value == "":
        return []
    known = {flow.lower() for flow in FLOW_TYPES}
    listed = value.split(",") if isinstance(value, str) and value.strip() else [repr(value)]
    return [flow.strip()[:40] for flow in listed if flow.strip().lower() not in known]
