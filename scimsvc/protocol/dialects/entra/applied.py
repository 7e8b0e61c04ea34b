"""Which rules have changed the request that a thread reads, for its log line. Names of rules alone, so no client adds to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Applied(threading.local):
    """The names, in the order in which the rules came. A parameter in their place would go through every rule."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}


_applied = _Applied()


def forget() -> None:
    """Begin a request."""
    if _applied.names:
        _applied.names = {}


def names() -> tuple[str, ...]:
    """Return the names of the rules that were noted since the request began."""
    return tuple(_applied.names)


def note(rule: Callable[..., Any]) -> None:
    """Note that a rule has changed something."""
    _applied.names[rule.__name__] = None


def note_names(rules: Iterable[str]) -> None:
    """Note rules by their names."""
    _applied.names.update(dict.fromkeys(rules))


def noted_by(call: Callable[[], _T]) -> tuple[_T, tuple[str, ...]]:
    """Return what a call returns, and the names of the rules that it notes, which are not noted yet."""
    before, _applied.names = _applied.names, {}
    try:
        return call(), names()
    finally:
        _applied.names = before


def by_rules(rules: Iterable[Callable[[Any, Any], Any]], subject: Any, value: Any) -> Any:
    """Return a value after rules, each of which takes what the value is of and the value. Note those that change it."""
    for rule in rules:
        changed = rule(subject, value)
        if changed is not value:
            # Roles are always made anew.
            if type(changed) is not type(value) or changed != value:
                note(rule)
            value = changed
    return value
