"""Scoping filters: which objects Entra provisions (define-conditional-rules-for-provisioning-user-accounts.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from scimsvc.mapping.functions import FunctionError
from scimsvc.mapping.functions.regular_expressions import compiled
from scimsvc.mapping.functions.values import as_number, as_text
from scimsvc.mapping.reading.warnings.patterns import doubt_about_clause
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean

_FILTER_KEYS = ("name", "clauses")
_CLAUSE_KEYS = ("attribute", "operator", "value")


@dataclass(frozen=True)
class Clause:
    """One condition on one source attribute; `value` is None for the operators that need none."""

    attribute: str
    operator: str
    value: str | None = None


@dataclass(frozen=True)
class ScopingFilter:
    """Lets an object through for which all clauses hold."""

    name: str
    clauses: tuple[Clause, ...]


def in_scope(filters: Sequence[ScopingFilter], attributes: Mapping[str, Any]) -> bool:
    """Whether any of the filters lets an object through, or there are none."""
    return not filters or any(all(_holds(clause, attributes) for clause in one.clauses) for one in filters)


def undecided(filters: Sequence[ScopingFilter], known: Mapping[str, Any]) -> list[str]:
    """The attributes that must be known, besides those that are, to say whether the filters let an object through."""
    possible = [
        {clause.attribute: None for clause in one.clauses if clause.attribute not in known}
        for one in filters
        if all(_holds(clause, known) for clause in one.clauses if clause.attribute in known)
    ]
    return list({name: None for names in possible for name in names}) if all(possible) else []


def _holds(clause: Clause, attributes: Mapping[str, Any]) -> bool:
    text = as_text(attributes.get(clause.attribute)) or ""
    if clause.operator in _WITHOUT_VALUE:
        return _WITHOUT_VALUE[clause.operator](text)
    try:
        # Of nothing only IS NULL holds, and of what takes too long to tell nothing does.
        return bool(text) and _WITH_VALUE[clause.operator](text, clause.value or "")
    except FunctionError:
        return False


def _matches(text: str, pattern: str) -> bool:
    # Of the whole value: the document says that ([1-9][0-9]) is any number between 10 and 99.
    return compiled(pattern).is_whole(text)


def _compare(text: str, value: str, holds: Callable[[float, float], bool]) -> bool:
    one, other = as_number(text), as_number(value)
    return one is not None and other is not None and holds(one, other)


_WITHOUT_VALUE: dict[str, Callable[[str], bool]] = {
    "IS TRUE": lambda text: text.lower() == "true",
    "IS FALSE": lambda text: text.lower() == "false",
    "IS NULL": lambda text: not text,
    "IS NOT NULL": bool,
}
_WITH_VALUE: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": lambda text, value: text == value,
    "NOT EQUALS": lambda text, value: text != value,
    "Includes": lambda text, value: value in text,
    "ENDS_WITH": lambda text, value: text.endswith(value),
    "&": lambda text, value: text in value,
    "!&": lambda text, value: text not in value,
    "REGEX MATCH": _matches,
    "NOT REGEX MATCH": lambda text, value: not _matches(text, value),
    "Greater_Than": lambda text, value: _compare(text, value, lambda one, other: one > other),
    "Greater_Than_OR_EQUALS": lambda text, value: _compare(text, value, lambda one, other: one >= other),
}
OPERATORS = (*_WITH_VALUE, *_WITHOUT_VALUE)


def read_scope(source: Source, node: yaml.Node | None, unknown: Callable[[str], str | None]) -> tuple[ScopingFilter, ...]:
    """The filters in a profile's `scope`; what is wrong is noted. `unknown` says what is wrong with an attribute's name."""
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
        source.warn(entries["attribute"], message)
    problem = problem_of(operator, value)
    if problem:
        source.complain(entries.get("value", entries["operator"]) if operator in OPERATORS else entries["operator"], problem)
    elif doubt := doubt_about_clause(operator, value):
        source.warn(entries["value"], doubt)
    return Clause(attribute, operator, value)


def problem_of(operator: str, value: str | None) -> str | None:
    """What is wrong with an operator and its value, or None."""
    if operator not in OPERATORS:
        return f"unknown operator {operator!r:.40}{did_you_mean(operator, OPERATORS)}; known are {', '.join(OPERATORS)}"
    if operator in _WITHOUT_VALUE:
        return f"{operator} takes no value" if value is not None else None
    if value is None or value == "":
        return f"{operator} needs a value"
    if operator.startswith("Greater") and (as_number(value) is None or as_number(value) != int(as_number(value) or 0)):
        return f"{operator} needs a whole number, not {value!r:.40}"
    if operator.endswith("REGEX MATCH"):
        try:
            compiled(value)
        except FunctionError as error:
            return str(error)
    return None
