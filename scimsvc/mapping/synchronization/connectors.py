"""Schemas of connectors that do not speak SCIM: their targets are the attributes of another system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scimsvc.mapping.findings import Finding

_UNKNOWN_TARGET = "no such target attribute"


def other_connector(schema: Any, findings: Sequence[Finding], tables: Mapping[str, Any]) -> list[str]:
    """Return one line that says so if most targets of the tables are not SCIM's, by the findings in them; else nothing."""
    rows = sum(len(table["mappings"]) for table in tables.values())
    unknown = sum(finding.message.startswith(_UNKNOWN_TARGET) for finding in findings)
    if unknown * 2 <= rows:
        return []
    names = " and ".join(sorted(set(_target_directories(schema)))) or "another connector"
    return [
        f"{unknown} of {rows} targets are attributes of {names} and not of SCIM: this connector is not a SCIM application, "
        "so its schema can't be a profile"
    ]


def _target_directories(schema: Any) -> Iterator[str]:
    rules = schema.get("synchronizationRules") if isinstance(schema, Mapping) else None
    for rule in rules if isinstance(rules, list) else []:
        name = rule.get("targetDirectoryName") if isinstance(rule, Mapping) else None
        if isinstance(name, str) and name:
            yield repr(name[:60])
