"""`scope:` of a table: its scoping filters, with a finding for each mistake."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from scimsvc.mapping.functions import FunctionError
from scimsvc.mapping.functions.regular_expressions import compiled
from scimsvc.mapping.functions.values import as_number
from scimsvc.mapping.profile.scope import OPERATORS, WITHOUT_VALUE, Clause, ScopingFilter
from scimsvc.mapping.reading.warnings.patterns import doubt_about_clause
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean

_FILTER_KEYS = ("name", "clauses")
_CLAUSE_KEYS = ("attribute", "operator", "value")


def read_scope(source: Source, node: yaml.Node | None, unknown: Callable[[str], str | None]) -> tuple[ScopingFilter, ...]:
    """Return the scoping filters of a table. Note mistakes; `unknown` returns what is wrong with an attribute's name, or None."""
    found: list[ScopingFilter] = []
    for entry in source.sequence(node, "scope"):
        entries = source.mapping(entry, "a scoping filter", _FILTER_KEYS)
        if not isinstance(entry, yaml.MappingNode):
            continue
        listed = entries.get("clauses")
        clauses = [clause for one in source.sequence(listed, "clauses") if (clause := _clause(source, one, unknown)) is not None]
        if listed is None or listed.value == [] or listed.tag.endswith(":null"):
            source.complain(entry, "a scoping filter needs `clauses`, each with attribute, operator and value")
        name = source.text_of(entries.get("name"), "name") or f"Scoping filter {len(found) + 1}"
        found.append(ScopingFilter(name, tuple(clauses)))
    return tuple(found)


def _clause(source: Source, node: yaml.Node, unknown: Callable[[str], str | None]) -> Clause | None:
    entries = source.mapping(node, "a clause", _CLAUSE_KEYS)
    if not isinstance(node, yaml.MappingNode):
        return None
    attribute = source.text_of(entries.get("attribute"), "attribute")
    operator = source.text_of(entries.get("operator"), "operator")
    value = source.text_of(entries.get("value"), "value")
    if attribute is None or operator is None:
        source.complain(node, "a clause needs an attribute and an operator")
        return None
    message = unknown(attribute)
    if message:
        source.warn(entries["attribute"], "unknown-source-attribute", message)
    problem = _problem_of(operator, value)
    if problem:
        source.complain(entries.get("value", entries["operator"]) if operator in OPERATORS else entries["operator"], problem)
    elif doubt := doubt_about_clause(operator, value):
        source.warn(entries["value"], "exponential-pattern", doubt)
    return Clause(attribute, operator, value)


def _problem_of(operator: str, value: str | None) -> str | None:
    """Return what is wrong with an operator and its value, or None."""
    if operator not in OPERATORS:
        return f"unknown operator {operator!r:.40}{did_you_mean(operator, OPERATORS)}; known are {', '.join(OPERATORS)}"
    if operator in WITHOUT_VALUE:
        return f"{operator} takes no value" if value is not None else None
    if value is None or value == "":
        return f"{operator} needs a value"
    if operator.startswith("Greater") and (as_number(value) is None or as_number(value) != int(as_number(value) or 0)):
        return f"{operator} needs an integer, not {value!r:.40}"
    if operator.endswith("REGEX MATCH"):
        try:
            compiled(value)
        except FunctionError as error:
            return str(error)
    return None
