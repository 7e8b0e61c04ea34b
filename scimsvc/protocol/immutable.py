"""Attributes that can be given a value once (RFC 7643 §7, mutability immutable)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from scimsvc.protocol.errors import ScimError, mutability
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath

Document = dict[str, Any]


def kept(resource_type: ResourceType, former: Mapping[str, Any], document: Document, carry: bool = False) -> Document:
    """The document of a changed resource, whose immutable attributes have the values that they had; with `carry` also those that
    the document leaves out, as a PUT may (RFC 7644 §3.5.1). What it leaves out as a whole keeps with them what it requires.
    Raises ScimError mutability.
    """
    for path in _immutable(resource_type):
        before = _at(former, path.steps)
        after = _at(document, path.steps)
        if before is None or before == after:
            continue
        if not carry or after is not None:
            raise _refused(path.name)
        document = _with(document, former, path.steps)
    return document


def contradicts(resource_type: ResourceType, former: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether a document has another value of an immutable attribute than the former one, where both have any."""
    values = ((_at(former, path.steps), _at(document, path.steps)) for path in _immutable(resource_type))
    return any(before is not None and after is not None and before != after for before, after in values)


def unchanged(former: Mapping[str, Any], document: Document, path: AttributePath) -> Document:
    """A document that has at a path what the former one has there, if anything; elements that it leads into stay as a whole."""
    inside = next((place for place, step in enumerate(path.steps, 1) if step.multi_valued), None)
    steps = path.steps[:inside]
    return document if _at(former, steps) is None else _with(document, former, steps)


def kept_in_element(attribute: Attribute, former: Mapping[str, Any], element: Document) -> Document:
    """An element of a multi-valued attribute that was changed, with the immutable sub-attributes that it had. Elements come and
    go as a whole, but as long as one stays, these do. Raises ScimError mutability.
    """
    own = {sub.name: former[sub.name] for sub in attribute.sub_attributes if sub.mutability == "immutable" and sub.name in former}
    for name, value in own.items():
        if element.get(name, value) != value:
            raise _refused(f"{attribute.name}.{name}")
    return {**element, **own} if own else element


def require_mutable(attribute: Attribute, sub: Attribute, element: Mapping[str, Any]) -> None:
    """Refuse to take from an element what is immutable. Raises ScimError mutability."""
    if sub.mutability == "immutable" and sub.name in element:
        raise _refused(f"{attribute.name}.{sub.name}")


def _refused(name: str) -> ScimError:
    return mutability(f"{name} can't be changed once it has a value.", name)


@lru_cache(maxsize=256)
def _immutable(resource_type: ResourceType) -> tuple[AttributePath, ...]:
    """The immutable attributes with one place in a resource: not those of elements."""
    return tuple(_immutable_below(AttributePath(()), resource_type.root))


def _immutable_below(path: AttributePath, parent: Attribute) -> Iterator[AttributePath]:
    for attribute in parent.sub_attributes:
        if attribute.mutability == "immutable":
            yield path.child(attribute)
        elif not attribute.multi_valued:
            yield from _immutable_below(path.child(attribute), attribute)


def _at(document: Mapping[str, Any], steps: tuple[Attribute, ...]) -> Any:
    value: Any = document
    for step in steps:
        value = value.get(step.name) if isinstance(value, dict) else None
    return value


def _with(document: Document, former: Mapping[str, Any], steps: tuple[Attribute, ...]) -> Document:
    """A document with the former value at the end of some steps."""
    first, *rest = steps
    before = former[first.name]
    if not rest:
        return document | {first.name: before}
    required = {sub.name: before[sub.name] for sub in first.sub_attributes if sub.required and sub.name in before}
    return document | {first.name: _with(document.get(first.name) or required, before, tuple(rest))}
