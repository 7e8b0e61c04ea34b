"""One attribute by several of its spellings in one object: their values must agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from marshmallow import ValidationError

from scimsvc.protocol.dialects.entra.filters import respelled_path
from scimsvc.protocol.dialects.entra.values import standard_value
from scimsvc.protocol.errors import invalid_value
from scimsvc.protocol.filter import meaning
from scimsvc.schema.classes import load_value
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import MAX_LENGTH

_LENGTH = 128
"""Characters of a client's name that a message repeats."""

Place = tuple[str, ...]
"""The steps to a value as the schema spells them; a value filter is one of them: `("emails", "[…]", "value")`."""


def require_agreement(resource_type: ResourceType, named: Mapping[str, Any], nulls: bool = False) -> None:
    """Refuse names of one attribute, or of an attribute and a part of it, whose values differ: one of them would be lost.

    `named` has values by names and paths, as in a resource or in a PATCH operation without path. A null says nothing, unless
    `nulls` is set, as for a `replace`, where it unassigns. Names that are unknown are left to the code that reads them.

    Raises ScimError invalidValue (RFC 7644 §3.12), which repeats both names.
    """
    if named.keys() <= resource_type.root.names:
        return
    by_attribute: dict[str, list[tuple[str, Place, Attribute]]] = {}
    for name in named:
        found = _known_place(resource_type, name) if len(name) <= MAX_LENGTH else _place(resource_type, name)
        if found:
            by_attribute.setdefault(found[0][0], []).append((name, *found))
    for names in by_attribute.values():
        if len(names) > 1:
            _agree((name, below) for name, place, leaf in names for below in _assigned(place, leaf, named[name], nulls))


@lru_cache(maxsize=4096)
def _known_place(resource_type: ResourceType, name: str) -> tuple[Place, Attribute] | None:
    return _place(resource_type, name)


def _place(resource_type: ResourceType, name: str) -> tuple[Place, Attribute] | None:
    """Return where the value of a name goes, and which attribute that is; None for what is no name."""
    known = resource_type.root.sub_attribute(name)
    if known:
        return (known.name,), known
    path = respelled_path(resource_type, name)[0].path
    if path is None:
        return None
    if path.value_filter is None:
        return tuple(step.name for step in path.target.steps), path.target.leaf
    place = (*(step.name for step in path.attribute.steps), f"[{meaning(path.value_filter)}]")
    return ((*place, path.sub_attribute.leaf.name), path.sub_attribute.leaf) if path.sub_attribute else (place, path.target.leaf)


def _assigned(place: Place, attribute: Attribute, value: Any, nulls: bool) -> Iterator[tuple[Place, Any]]:
    """Yield the values that one assigns, an object's one by one, in canonical form and by where they go."""
    if value is None and not nulls:
        return
    of_element = place[-1].startswith("[")
    if of_element:
        value = value if isinstance(value, dict) or value is None else {"value": value}
    else:
        value = standard_value(attribute, value)
    if isinstance(value, dict) and (of_element or not attribute.multi_valued):
        for name, one in value.items():
            below = attribute.sub_attribute(name)
            if below:
                yield from _assigned((*place, below.name), below, one, nulls)
    else:
        yield place, _elements(attribute, value) if attribute.multi_valued else value


def _elements(attribute: Attribute, value: Any) -> Any:
    """Return a list of elements as the schema spells them; what it refuses stays as it is."""
    try:
        return load_value(attribute, value)
    except ValidationError:
        return value


def _agree(values: Iterable[tuple[str, tuple[Place, Any]]]) -> None:
    """Raise ScimError if two names give one place different values, or one gives a part of what another gives as a whole."""
    ends: dict[Place, tuple[str, Any]] = {}
    inner: dict[Place, str] = {}
    for name, (place, value) in values:
        first, have = ends.setdefault(place, (name, value))
        other = first if have != value else inner.get(place)
        for length in range(1, len(place)):
            inner.setdefault(place[:length], name)
            if place[:length] in ends:
                other = ends[place[:length]][0]
        # Two keys of one object in different case are for the code that reads it.
        if other is not None and other != name:
            raise invalid_value(
                f"{other[:_LENGTH]} and {name[:_LENGTH]} are the same attribute, or one is part of the other; send one of them.",
                place[0],
            )
