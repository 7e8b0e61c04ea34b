"""`flowTypes:` of a table: the Create, Update and Delete boxes of the portal, by their names in Microsoft Graph."""

from __future__ import annotations

import yaml

from scimsvc.mapping.profile.flow_types import FLOW_TYPES, FlowType
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean

_OTHER_NAMES = {"create": "Add"}


def read_flow_types(source: Source, node: yaml.Node | None) -> tuple[FlowType, ...] | None:
    """Return the flow types of a table in Graph's order, or None if the table does not list them. Note mistakes."""
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
            source.complain(entry, f"{text} is here twice")
        found.add(text)
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return None
    if isinstance(node, yaml.SequenceNode) and not node.value:
        source.complain(
            node, "flowTypes is empty, so Entra would do nothing: list some of Add, Update, Delete, or leave out the table"
        )
    return tuple(flow for flow in FLOW_TYPES if flow in found)
