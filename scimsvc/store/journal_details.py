"""The details of a row of the journal: what a change did to a resource, in both directions. Pure functions on JSON.

    {"before": {"title": "Clerk"}, "after": {"title": "Boss"}}      title was replaced
    {"after": {"schemas": […], "id": "…", "userName": "mira"}}       the resource was created, or restored: it is whole
    {"before": {…}, "membersRemoved": ["…"]}                         the resource was deleted: it is whole

A complex attribute is compared inside, so only its changed sub-attributes are there. An attribute that one of the two lacks had,
or has, no value. Members are listed by id. A password is named in `changedSecrets` and never there itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from scimsvc.schema.model import ResourceType

Document = dict[str, Any]

NOTHING = "{}"
"""The details of a change that left no value different. Rows of older versions have None instead, which tells nothing."""


class State(NamedTuple):
    """A resource as it is after a change: its document, None if it is deleted, and the ids of its members."""

    document: Document | None
    members: frozenset[str] = frozenset()


class OutsideDocument:
    """What a change does outside of a resource's document: members, names that a group waits for, secrets that are replaced.

    The attributes hold what is different in the end: who is removed and added again is in neither.
    """

    def __init__(self) -> None:
        self.members_added: dict[str, None] = {}
        self.members_removed: dict[str, None] = {}
        self.pending_added: dict[str, None] = {}
        self.pending_removed: dict[str, None] = {}
        self.changed_secrets: dict[str, None] = {}

    def add_members(self, ids: Iterable[str]) -> None:
        """Note members that were added."""
        _move(ids, self.members_removed, self.members_added)

    def remove_members(self, ids: Iterable[str]) -> None:
        """Note members that were removed."""
        _move(ids, self.members_added, self.members_removed)

    def add_pending(self, names: Iterable[str]) -> None:
        """Note names that the group now waits for."""
        _move(names, self.pending_removed, self.pending_added)

    def remove_pending(self, names: Iterable[str]) -> None:
        """Note names that the group no longer waits for."""
        _move(names, self.pending_added, self.pending_removed)

    @property
    def waits_otherwise(self) -> bool:
        """Whether the group waits for other names than before."""
        return bool(self.pending_added or self.pending_removed)

    def parts(self) -> list[str]:
        """Return the members of the details' JSON object that say so."""
        named = (
            ("membersAdded", self.members_added),
            ("membersRemoved", self.members_removed),
            ("pendingAdded", self.pending_added),
            ("pendingRemoved", self.pending_removed),
            ("changedSecrets", self.changed_secrets),
        )
        return [f'"{name}":{_json(list(values))}' for name, values in named if values]


def _move(names: Iterable[str], source: dict[str, None], target: dict[str, None]) -> None:
    for name in names:
        if name in source:
            del source[name]
        else:
            target[name] = None


NOTHING_OUTSIDE = OutsideDocument()
"""For changes of a document alone. Nothing is ever noted in it."""


def whole(name: str, document: str, resource_type: ResourceType, outside: OutsideDocument = NOTHING_OUTSIDE) -> str:
    """Return the details of a create (`name` is `after`) or a delete (`before`) of a document, which is JSON."""
    return _object([f'"{name}":{_returned(document, resource_type)}', *outside.parts()])


def changed(
    before: Mapping[str, Any], after: Mapping[str, Any], resource_type: ResourceType, outside: OutsideDocument = NOTHING_OUTSIDE
) -> str:
    """Return the details of a change from one document, or part of one, to another."""
    former, new = _difference(before, after)
    parts = [
        f'"{name}":{_returned(_json(values), resource_type)}' for name, values in (("before", former), ("after", new)) if values
    ]
    return _object([*parts, *outside.parts()])


def outside_only(outside: OutsideDocument) -> str:
    """Return the details of a change that left the document as it was."""
    return _object(outside.parts())


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Document, Document]:
    """Return the values that differ, as they were and as they are. Objects are compared inside."""
    former: Document = {}
    new: Document = {}
    for name in before.keys() | after.keys():
        if name in before and name in after:
            old, value = before[name], after[name]
            if old == value and type(old) is type(value):
                continue
            if isinstance(old, dict) and isinstance(value, dict):
                inside = _difference(old, value)
                if inside != ({}, {}):
                    former[name], new[name] = inside
                continue
            former[name], new[name] = old, value
        elif name in before:
            former[name] = before[name]
        else:
            new[name] = after[name]
    return former, new


def before_change(state: State, details: Mapping[str, Any]) -> State:
    """Return the state before a change, from the state after it and the details of the change."""
    members = (state.members - set(details.get("membersAdded", ()))) | set(details.get("membersRemoved", ()))
    return State(_applied(state.document, details.get("after", {}), details.get("before", {})), members)


def after_change(state: State, details: Mapping[str, Any]) -> State:
    """Return the state after a change, from the state before it and the details of the change."""
    members = (state.members - set(details.get("membersRemoved", ()))) | set(details.get("membersAdded", ()))
    return State(_applied(state.document, details.get("before", {}), details.get("after", {})), members)


def _applied(document: Document | None, source: Mapping[str, Any], target: Mapping[str, Any]) -> Document | None:
    """Return a document in which the values `source` are replaced by `target`; None if nothing is left."""
    return _replaced(document or {}, source, target) or None


def _replaced(values: Mapping[str, Any], source: Mapping[str, Any], target: Mapping[str, Any]) -> Document:
    found = {name: value for name, value in values.items() if name not in source or name in target}
    for name, value in target.items():
        former = source.get(name)
        if isinstance(value, dict) and isinstance(former, dict):
            value = _replaced(found.get(name, {}), former, value)
        found[name] = value
    return found


def _returned(text: str, resource_type: ResourceType) -> str:
    """Return JSON without the values of attributes that are never returned, which a profile may have had returned before."""
    if not any(mark in text for mark in _marks(resource_type)):
        return text
    return _json(_without(orjson.loads(text), frozenset(resource_type.never_returned)))


@lru_cache(maxsize=256)
def _marks(resource_type: ResourceType) -> tuple[str, ...]:
    return tuple(f'"{name}":' for name in resource_type.never_returned)


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(below, names) for name, below in value.items() if name not in names}
    return [_without(one, names) for one in value] if isinstance(value, list) else value


def _object(parts: Iterable[str]) -> str:
    """Return a JSON object of its members, which are JSON already."""
    return f"{{{','.join(parts)}}}"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
