"""References between the operations of a bulk request (RFC 7644 §3.7.2): where `bulkId:…` stands for an id, and the id instead.

Where one can stand is the schema's matter: attributes of type reference and the `value` of complex attributes, in resources, in
PATCH operations and in the filters of their paths. A place that refers to resources has no other meaning for it; in others, as
the `value` of an e-mail address, it is a reference only where the request creates what it names. Anywhere else it is a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import And, Comparison, Filter, Not, Or, PathText, parse_path
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.schema.types import normaliser

_ID = re.compile(r"(?P<before>)bulkId:(?P<name>.+)", re.DOTALL)
_URI = re.compile(r"(?P<before>(?:.*?/)??)bulkId:(?P<name>.+)", re.DOTALL)
_NO_RESOURCE = frozenset({"external", "uri"})
"""The reference types of RFC 7643 §7 that are no resource types."""

Document = dict[str, Any]


class _Place(NamedTuple):
    """Where a reference may stand: its form there, and whether nothing else can be meant."""

    form: re.Pattern[str]
    certain: bool


_Change = Callable[[str, _Place], str]


@dataclass(frozen=True)
class Parted:
    """A create without references that can't be resolved yet, and the body of the PATCH that adds them to what it makes."""

    create: Document
    completion: Document


def bulk_id_of(id_: str) -> str | None:
    """The bulkId that stands in the place of an id, None where it is an id."""
    match = _ID.fullmatch(id_)
    return match["name"] if match else None


def names_in(resource_type: ResourceType, method: str, body: Any, made: Container[str]) -> list[str]:
    """The bulkIds that the body of an operation refers to, each once; `made` are those of the request's creates."""
    found: dict[str, None] = {}

    def note(text: str, place: _Place) -> str:
        match = place.form.fullmatch(text)
        if match and (place.certain or match["name"] in made):
            found[match["name"]] = None
        return text

    _with_changes(resource_type, method, body, note)
    return list(found)


def resolved(resource_type: ResourceType, method: str, body: Any, ids: Mapping[str, str]) -> Any:
    """The body of an operation with ids in the place of the bulkIds that have become some."""

    def change(text: str, place: _Place) -> str:
        match = place.form.fullmatch(text)
        return match["before"] + ids[match["name"]] if match and match["name"] in ids else text

    return _with_changes(resource_type, method, body, change)


def parted(resource_type: ResourceType, body: Document, missing: Collection[str]) -> Parted | None:
    """A create in two parts, the first without the values that refer to one of `missing`: elements of multi-valued attributes,
    and other attributes as a whole. None where one of these is required.
    """
    found = _parted(resource_type, resource_type.root, (), body, missing)
    if found is None:
        return None
    create, added = found
    return Parted(create, {"Operations": added})


def _parted(
    resource_type: ResourceType, holder: Attribute, steps: tuple[Attribute, ...], body: Document, missing: Collection[str]
) -> tuple[Document, list[Document]] | None:
    kept: Document = {}
    added: list[Document] = []
    for name, value in body.items():
        attribute = holder.sub_attribute(name)
        if attribute is None or not _refers(holder, attribute, value, missing):
            kept[name] = value
            continue
        below = (*steps, attribute)
        inner = None
        if attribute.name in resource_type.schema_ids and isinstance(value, dict):
            inner = _parted(resource_type, attribute, below, value, missing)
        stays: Any
        if inner is not None:
            stays, more = inner
            added += more
        else:
            stays, left_out = _split(holder, attribute, value, missing)
            added.append({"op": "add", "path": AttributePath(below).name, "value": left_out})
        if stays:
            kept[name] = stays
        elif attribute.required:
            return None
    return kept, added


def _split(holder: Attribute, attribute: Attribute, value: Any, missing: Collection[str]) -> tuple[list[Any], Any]:
    """The elements that don't refer to one of `missing`, and those that do, or the whole value where it can't be parted."""
    if not attribute.multi_valued or not isinstance(value, list) or attribute.mutability == "immutable":
        return [], value
    stay: list[Any] = []
    left_out: list[Any] = []
    for one in value:
        (left_out if _refers(holder, attribute, one, missing) else stay).append(one)
    return stay, left_out


def _refers(holder: Attribute, attribute: Attribute, value: Any, names: Collection[str]) -> bool:
    found = False

    def note(text: str, place: _Place) -> str:
        nonlocal found
        match = place.form.fullmatch(text)
        found |= match is not None and match["name"] in names
        return text

    _changed(holder, attribute, value, note)
    return found


def _with_changes(resource_type: ResourceType, method: str, body: Any, change: _Change) -> Any:
    # Nearly no operation refers to anything, and a search for bytes costs next to nothing.
    if not isinstance(body, dict) or b"bulkId:" not in orjson.dumps(body, _texts_of, orjson.OPT_PASSTHROUGH_SUBCLASS):
        return body
    root = resource_type.root
    if method != "PATCH":
        return _members_changed(root, body, change)
    return {
        name: [_operation_changed(resource_type, one, change) for one in value]
        if name.lower() == "operations" and isinstance(value, list)
        else value
        for name, value in body.items()
    }


def _changed(holder: Attribute, attribute: Attribute, value: Any, change: _Change) -> Any:
    """A value of an attribute with every text changed that stands where a reference may."""
    if attribute.mutability == "readOnly":
        return value
    if isinstance(value, list):
        return [_changed(holder, attribute, one, change) for one in value]
    if isinstance(value, dict):
        return _members_changed(attribute, value, change)
    place = _place(holder, attribute) if isinstance(value, str) else None
    return change(value, place) if place else value


def _members_changed(attribute: Attribute, value: Document, change: _Change) -> Document:
    return {
        name: _changed(attribute, below, one, change) if (below := attribute.sub_attribute(name)) else one
        for name, one in value.items()
    }


def _operation_changed(resource_type: ResourceType, operation: Any, change: _Change) -> Any:
    """An operation of a PATCH; what is wrong with it stays, for the one who carries it out to say."""
    if not isinstance(operation, dict):
        return operation
    members = {name.lower(): value for name, value in operation.items()}
    text, value = members.get("path"), members.get("value")
    if not text:
        return members | {"value": _members_changed(resource_type.root, value, change)} if isinstance(value, dict) else members
    try:
        path = parse_path(text, resource_type) if isinstance(text, str) else None
    except ScimError:
        path = None
    if path is None:
        return members
    if path.value_filter:
        members["path"] = PathText.of(text, replace(path, value_filter=_filter_changed(path.value_filter, change)))
    if value is not None and members.get("op") != "remove":
        holder, attribute = _last_two(resource_type, path.target)
        members["value"] = _changed(holder, attribute, value, change)
    return members


def _texts_of(path: PathText) -> list[Any]:
    """Return the texts in a path that a dialect has read."""
    value_filter = path.path and path.path.value_filter
    return [str(path), *(one.literal for one in _comparisons(value_filter))] if value_filter else [str(path)]


def _filter_changed(node: Filter, change: _Change) -> Filter:
    """Return a value filter with every text changed that stands where a reference may."""
    match node:
        case Comparison(path, operator, _, literal) if isinstance(literal, str) and len(path.steps) > 1:
            place = _place(path.steps[-2], path.leaf)
            new = change(literal, place) if place else literal
            return node if new == literal else Comparison(path, operator, normaliser(path.leaf)(new), new)
        case And(operands):
            return And(tuple(_filter_changed(operand, change) for operand in operands))
        case Or(operands):
            return Or(tuple(_filter_changed(operand, change) for operand in operands))
        case Not(operand):
            return Not(_filter_changed(operand, change))
    return node


def _comparisons(node: Filter) -> Iterator[Comparison]:
    match node:
        case Comparison():
            yield node
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _comparisons(operand)
        case Not(operand):
            yield from _comparisons(operand)


def _last_two(resource_type: ResourceType, path: AttributePath) -> tuple[Attribute, Attribute]:
    return (path.steps[-2] if len(path.steps) > 1 else resource_type.root), path.leaf


@lru_cache(maxsize=4096)
def _place(holder: Attribute, attribute: Attribute) -> _Place | None:
    """What a text in an attribute may refer to; `holder` is what the attribute is part of."""
    if attribute.type == "reference":
        return _Place(_URI, _to_resources(attribute))
    if attribute.type == "string" and attribute is holder.sub_attribute("value"):
        # What has the URI of a resource (§2.4 of RFC 7643) has its id as value.
        return _Place(_ID, any(map(_to_resources, holder.sub_attributes)))
    return None


def _to_resources(attribute: Attribute) -> bool:
    types = attribute.reference_types
    return attribute.type == "reference" and not (types and _NO_RESOURCE.issuperset(types))
