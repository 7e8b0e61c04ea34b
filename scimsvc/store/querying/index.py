"""From a document to the `attribute_value` rows by which its resource is found."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from scimsvc.protocol.errors import invalid_value
from scimsvc.protocol.filter import Filter, matches
from scimsvc.schema.model import MAX_VALUES_INSIDE, Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.schema.types import normaliser

MAX_KEY_LENGTH = 512
PREFIX_LENGTH = 448
"""Of a long value's key; with the digest it is longer than any value that is its own key, so the two never meet."""

Key = tuple[int, int]
"""Attribute number and place of the element (see `width`); 0 where there is only one."""


class Row(NamedTuple):
    """What is indexed of one value."""

    value: str
    overflow: str | None
    is_unique: int


@cache
def number(resource_type: str, attribute: str) -> int:
    """What an attribute is called in the index: 31 bits of a digest of its name.

    A number takes a third of the room of the names, in a table that has each of them ten times for each account.
    """
    return zlib.crc32(f"{resource_type}:{attribute}".encode()) >> 1


@cache
def width(attribute: Attribute) -> int:
    """How far apart the places of a multi-valued attribute's elements are: further than one, where a sub-attribute has several
    values, whose places are then those from the element's on.
    """
    return MAX_VALUES_INSIDE if any(sub.multi_valued for sub in attribute.sub_attributes) else 1


@dataclass(frozen=True)
class UniqueRule:
    """Values of `path` are unique among a tenant's resources of a type, with a filter only those of its elements."""

    path: AttributePath
    value_filter: Filter | None = None


def key(value: str) -> str:
    """The indexed form of a normalised value: itself, or for a long one its beginning and a digest of all of it."""
    if len(value) <= MAX_KEY_LENGTH:
        return value
    return value[:PREFIX_LENGTH] + "\N{HORIZONTAL ELLIPSIS}" + hashlib.sha256(value.encode()).hexdigest()


class Indexer:
    """Makes the rows of a resource type's documents; `unique` are the rules of the tenant's profile.

    Raises ValueError where two attributes have the same number, which renaming one of them mends.
    """

    def __init__(self, resource_type: ResourceType, unique: Iterable[UniqueRule]) -> None:
        self._unique: dict[int, list[UniqueRule]] = {}
        for rule in unique:
            self._unique.setdefault(number(resource_type.name, rule.path.name), []).append(rule)
        self._may_repeat = any(step.multi_valued for rules in self._unique.values() for step in rules[0].path.steps)
        self._names: dict[int, str] = {}
        self._plans = self._plans_below(AttributePath(()), resource_type.root, resource_type.name)

    def name(self, key: Key) -> str:
        """The name of the attribute that a row is of."""
        return self._names[key[0]]

    def rows(self, document: Mapping[str, Any]) -> dict[Key, Row]:
        """One row for each simple value in the document that a filter could look for.

        Raises ScimError invalidValue for more values inside of an element than it has places for.
        """
        found: dict[Key, Row] = {}
        for name, value in document.items():
            plan = self._plans.get(name)
            if plan is not None:
                self._collect(plan, value, 0, None, found)
        if self._may_repeat:
            _claim_once(found)
        return found

    def claims(self, document: Mapping[str, Any]) -> dict[str, frozenset[str]]:
        """The unique values of a document by the names of their attributes, normalised."""
        found: dict[str, frozenset[str]] = {}
        for place, row in self.rows(document).items():
            if row.is_unique:
                found[self.name(place)] = found.get(self.name(place), frozenset()) | {row.value}
        return found

    def numbers(self) -> Mapping[int, str]:
        """The names of all attributes by their numbers."""
        return self._names

    def _collect(self, plan: _Plan, value: Any, element: int, owner: Any, found: dict[Key, Row]) -> None:
        if plan.multi_valued and isinstance(value, list):
            if owner is not None and len(value) > MAX_VALUES_INSIDE:
                name = self._names[plan.number]
                raise invalid_value(f"{name} may have {MAX_VALUES_INSIDE} values in one element; here it has {len(value)}.")
            for position, one in enumerate(value):
                if owner is None:
                    self._collect_one(plan, one, position * plan.width, one, found)
                else:
                    self._collect_one(plan, one, element + position, owner, found)
        else:
            self._collect_one(plan, value, element, owner, found)

    def _collect_one(self, plan: _Plan, value: Any, element: int, owner: Any, found: dict[Key, Row]) -> None:
        if plan.normalise is None:
            for name, below in value.items() if isinstance(value, dict) else ():
                sub_plan = plan.sub_plans.get(name)
                if sub_plan is not None:
                    self._collect(sub_plan, below, element, owner, found)
            return
        try:
            normalised = plan.normalise(value)
        except (ArithmeticError, AttributeError, TypeError, ValueError):
            # A profile gave the attribute another type since; no filter of that type could look for the value.
            return
        indexed = key(normalised)
        rules = self._unique.get(plan.number, ())
        is_unique = any(rule.value_filter is None or matches(rule.value_filter, owner) for rule in rules)
        found[plan.number, element] = Row(indexed, normalised if indexed is not normalised else None, int(is_unique))

    def _plans_below(self, path: AttributePath, parent: Attribute, type_: str) -> dict[str, _Plan]:
        return {attribute.name: self._plan(path.child(attribute), type_) for attribute in _indexed(parent)}

    def _plan(self, path: AttributePath, type_: str) -> _Plan:
        attribute, own = path.leaf, number(type_, path.name)
        if self._names.setdefault(own, path.name) != path.name:
            raise ValueError(f"the attributes {self._names[own]} and {path.name} can't be told apart in the index; rename one")
        if attribute.type == "complex":
            return _Plan(own, attribute.multi_valued, width(attribute), None, self._plans_below(path, attribute, type_))
        return _Plan(own, attribute.multi_valued, 1, normaliser(attribute), {})


@dataclass(frozen=True)
class _Plan:
    """How one attribute is indexed: `normalise` where it is simple, `sub_plans` where it is complex."""

    number: int
    multi_valued: bool
    width: int
    normalise: Callable[[Any], str] | None
    sub_plans: Mapping[str, _Plan]


def agree(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> bool:
    """Whether what two documents claim is one account's: something in common, and nothing in contradiction."""
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[name] == other[name] for name in shared)


def _claim_once(rows: dict[Key, Row]) -> None:
    """A value that a resource has twice is claimed by its first element, or the resource would clash with itself."""
    claimed = set()
    for place, row in rows.items():
        if row.is_unique:
            claim = place[0], row.value
            if claim in claimed:
                rows[place] = row._replace(is_unique=0)
            claimed.add(claim)


def _indexed(parent: Attribute) -> Iterator[Attribute]:
    # What only the server writes has columns of its own or follows from the rest; what is never returned must not be found.
    return (
        attribute for attribute in parent.sub_attributes if attribute.returned != "never" and attribute.mutability != "readOnly"
    )
