"""Scoping filters: which objects Entra provisions (define-conditional-rules-for-provisioning-user-accounts.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scimsvc.mapping.functions import FunctionError
from scimsvc.mapping.functions.regular_expressions import compiled
from scimsvc.mapping.functions.values import as_number, as_text


@dataclass(frozen=True)
class Clause:
    """One condition on one source attribute; `value` is None for the operators that need none."""

    attribute: str
    operator: str
    value: str | None = None


@dataclass(frozen=True)
class ScopingFilter:
    """A scoping filter: it lets an object through if all clauses hold."""

    name: str
    clauses: tuple[Clause, ...]


def in_scope(filters: Sequence[ScopingFilter], attributes: Mapping[str, Any]) -> bool:
    """Return whether any of the filters lets an object through, or there are no filters."""
    return not filters or any(all(_holds(clause, attributes) for clause in one.clauses) for one in filters)


def undecided(filters: Sequence[ScopingFilter], known: Mapping[str, Any]) -> list[str]:
    """Return the attributes besides the known ones that are needed to tell whether the filters let an object through."""
    possible = [
        {clause.attribute: None for clause in one.clauses if clause.attribute not in known}
        for one in filters
        if all(_holds(clause, known) for clause in one.clauses if clause.attribute in known)
    ]
    return list({name: None for names in possible for name in names}) if all(possible) else []


def _holds(clause: Clause, attributes: Mapping[str, Any]) -> bool:
    text = as_text(attributes.get(clause.attribute)) or ""
    if clause.operator in WITHOUT_VALUE:
        return WITHOUT_VALUE[clause.operator](text)
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


WITHOUT_VALUE: dict[str, Callable[[str], bool]] = {
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
OPERATORS = (*_WITH_VALUE, *WITHOUT_VALUE)
