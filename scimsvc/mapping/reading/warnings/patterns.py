"""Warnings about regular expressions that can take exponential time, in rows, records and scoping filters."""

from __future__ import annotations

import yaml

from scimsvc.mapping.expression import Expression
from scimsvc.mapping.expression.tree import Call, Text, nodes
from scimsvc.mapping.functions.regular_expressions.backtracking import can_explode
from scimsvc.mapping.reading.yaml_text import Source

_PATTERN = 2
"""The position of Replace's regexPattern."""
CAN_EXPLODE = (
    "the regular expression can take exponential time: a repetition in it matches the same text in several ways; "
    "leave one of them, as a+ for (a+)+, or use an atomic group, (?>a+)"
)


def advise_on_patterns(source: Source, node: yaml.Node, expression: Expression) -> None:
    """Warn of patterns of Replace in an expression that can take exponential time; `node` is its text."""
    for call in nodes(expression.tree):
        pattern = (
            call.arguments[_PATTERN] if isinstance(call, Call) and call.name == "Replace" and len(call.arguments) > 2 else None
        )
        if isinstance(pattern, Text) and can_explode(pattern.value):
            source.in_expression(node, CAN_EXPLODE, pattern.column, "exponential-pattern")


def doubt_about_clause(operator: str, value: str | None) -> str | None:
    """Return a warning if the regular expression of a valid clause can take exponential time, or None."""
    return CAN_EXPLODE if value and operator.endswith("REGEX MATCH") and can_explode(value) else None
