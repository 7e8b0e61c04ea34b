"""`flowTypes:` of a table: the Create, Update and Delete boxes of the portal, by their names in Microsoft Graph."""

from __future__ import annotations

from typing import Any, Literal

import yaml

from scimsvc.mapping.source import Source, did_you_mean

FlowType = Literal["Add", "Update", "Delete"]
FLOW_TYPES: tuple[FlowType, ...] = ("Add", "Update", "Delete")
"""All that Entra can do with an object; what it does if neither profile nor schema says otherwise."""
_OTHER_NAMES = {"create": "Add"}


def read_flow_types(source: Source, node: yaml.Node | None) -> tuple[FlowType, ...] | None:
    """Return the list of a profile in Graph's order; None if there is none. Note what is wrong with it."""
    if node is None:
        return None
    found: set[str] = set()
    for entry in source.sequence(node, "flowTypes"):
        text = source.text_of(entry, "a flow type")
        if text is None:
            continue
        if text not in FLOW_TYPES:
            meant = _OTHER_NAMES.get(text.lower())
            hint = f", did you mean {meant!r}?" if meant else did_you_mean(text, FLOW_TYPES)
            source.complain(entry, f"unknown flow type {text!r:.40}{hint}; known are {', '.join(FLOW_TYPES)}")
        elif text in found:
            source.complain(entry, f"{text} stands here twice")
        found.add(text)
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return None
    if isinstance(node, yaml.SequenceNode) and not node.value:
        source.complain(
            node, "flowTypes is empty, so Entra would do nothing: list some of Add, Update, Delete, or leave out the table"
        )
    return tuple(flow for flow in FLOW_TYPES if flow in found)


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
