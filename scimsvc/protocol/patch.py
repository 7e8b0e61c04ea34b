"""PATCH (RFC 7644 §3.5.2): from the body to typed operations, and from a document and operations to the new document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from marshmallow import ValidationError

from scimsvc.protocol.errors import invalid_path, invalid_syntax, invalid_value, mutability, no_target, too_many
from scimsvc.protocol.filter import And, Comparison, Filter, Path, matches, parse_path, terms
from scimsvc.protocol.immutable import kept_in_element, require_mutable
from scimsvc.protocol.keys import by_lower_case
from scimsvc.protocol.messages import require_schema
from scimsvc.schema.classes import describe, load_element, load_value
from scimsvc.schema.elements import identifying, identity_of
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.schema.types import fitting, normaliser

PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

MAX_COMPARISONS = 100_000
"""The elements of multi-valued attributes that all operations of one PATCH may go through, each as often as its filter has terms:
a tenth of a second, in which others wait.
"""

Op = Literal["add", "remove", "replace"]
Document = dict[str, Any]

_OPS: dict[str, Op] = {op: op for op in get_args(Op)}
# `name` is a label that Microsoft's Postman collection gives to operations.
_OPERATION_MEMBERS = frozenset({"op", "path", "value", "name"})


@dataclass(frozen=True)
class Operation:
    """One operation with its path resolved and its value read; a `replace` by nothing has become an `emptying` `remove`."""

    op: Op
    path: Path
    value: Any = None
    emptying: bool = False


@dataclass(frozen=True)
class Policy:
    """Where the standard leaves room, or a client's dialect asks for another reading than the standard's.

    `create_missing_elements`: an add or replace whose value filter matches no element makes one out of the
    filter's `eq` terms, instead of failing with noTarget; and an element that is replaced keeps what they say.
    `drop_hollow_elements`: an element that a remove leaves with nothing but `type`, `primary` and `display` goes too.
    """

    create_missing_elements: bool = False
    drop_hollow_elements: bool = False


STRICT = Policy()
"""The letter of the standard."""


def parse_operations(resource_type: ResourceType, body: Any) -> list[Operation]:
    """Read a PATCH body. Operations without path become one operation for each attribute of their value.

    Raises ScimError invalidSyntax, invalidPath, invalidValue, mutability, noTarget or tooMany.
    """
    if not isinstance(body, dict):
        raise invalid_syntax("The body of a PATCH is an object with `schemas` and `Operations`.")
    members = by_lower_case(body)
    # WSO2's samples send an empty array, which says as little as a body without `schemas`.
    require_schema("a PATCH", members.get("schemas") or None, PATCH_URN)
    operations = members.get("operations")
    if not isinstance(operations, list):
        raise invalid_syntax("A PATCH needs `Operations`, an array of objects with `op`, `path` and `value`.")
    return [found for position, one in enumerate(operations) for found in _parse(resource_type, one, f"Operations[{position}]")]


def _parse(resource_type: ResourceType, one: Any, where: str) -> Iterator[Operation]:
    if not isinstance(one, dict):
        raise invalid_syntax(f"{where} must be an object with `op`, `path` and `value`.")
    members = by_lower_case(one)
    op, path, value = _OPS.get(str(members.get("op"))), members.get("path"), members.get("value")
    if op is None:
        raise invalid_syntax(f"{where}.op must be add, remove or replace.")
    if path is not None and not isinstance(path, str):
        raise invalid_path(f"{where}.path must be a string.")
    if "value" not in members:
        _require_no_value(op, one, path or "the resource", where)
    if path:
        yield _operation(op, parse_path(path, resource_type), value, where)
        return
    if op == "remove":
        raise no_target(f"{where} is a remove without path: name the attribute to remove.")
    if not isinstance(value, dict):
        raise invalid_value(f"{where} has no path, so its value must be an object of attributes.")
    for name, below in value.items():
        attribute = resource_type.root.sub_attribute(name)
        if attribute is None:
            raise invalid_path(f"{where}.value has the unknown attribute {name[:128]!r}.")
        # What only the server writes may come along in a whole resource; it is ignored as in a PUT (§3.5.1).
        if attribute.mutability != "readOnly":
            yield _operation(op, Path(AttributePath((attribute,))), below, f"{where}.value")


def _require_no_value(op: Op, one: Mapping[str, Any], target: str, where: str) -> None:
    """Refuse an operation that must have a value (§3.5.2.1, §3.5.2.3), or has one under another name: taken for nothing, it would
    remove what is stored. Raises ScimError invalidValue.
    """
    unknown = next((name for name, sent in one.items() if name.lower() not in _OPERATION_MEMBERS and sent is not None), None)
    hint = "" if unknown is None else f" The member {unknown[:128]!r} is unknown: the value goes into `value`."
    if op == "add":
        raise invalid_value(f"{where} has no value to add to {target[:128]}.{hint}")
    if op == "replace":
        raise invalid_value(f"{where} has no value to replace {target[:128]} with; send null to remove it.{hint}")
    if unknown is not None:
        raise invalid_value(f"{where} is a remove without value, which would remove all of {target[:128]}.{hint}")


def _operation(op: Op, path: Path, value: Any, where: str) -> Operation:
    for step in path.target.steps:
        if step.mutability == "readOnly":
            raise mutability(f"{path.target.name} is read-only.", path.target.name)
    replaces = op == "replace"
    if op != "remove" and (value is None or value == []):
        if op == "add" and value is None:
            raise invalid_value(f"{where} has no value to add to {path.target.name}.", path.target.name)
        op = "remove" if op == "replace" else op
    if op == "remove":
        if path.target.leaf.required and not path.value_filter:
            raise mutability(f"{path.target.name} is required and can't be removed.", path.target.name)
        return Operation("remove", path, emptying=replaces)
    try:
        return Operation(op, path, _read(path, value))
    except ValidationError as error:
        text = describe(error.messages, path.target.name, with_values=True)
        raise invalid_value(f"{where}: {text}.", path.target.name) from None


def _read(path: Path, value: Any) -> Any:
    attribute = path.target.leaf
    if path.value_filter and not path.sub_attribute:
        return load_element(attribute, value)
    if attribute.multi_valued and not isinstance(value, list):
        value = [value]
    loaded = load_value(attribute, value)
    return [one for one in loaded if one not in ({}, None)] if attribute.multi_valued else loaded


def apply(document: Document, operations: Iterable[Operation], policy: Policy = STRICT) -> Document:
    """The document after all operations, in order; the one given stays as it was.

    Raises ScimError noTarget, mutability or tooMany, in which case nothing is to be stored.
    """
    comparisons = 0
    for operation in operations:
        comparisons += _comparisons(document, operation)
        if comparisons > MAX_COMPARISONS:
            raise too_many(
                "So many operations on attributes with so many values, or terms in their paths, take too long at once. "
                "Send several requests."
            )
        document = _apply(document, operation, policy)
    return document


def _comparisons(document: Document, operation: Operation) -> int:
    """How often an operation looks at an element, of those there are and those that it brings."""
    have: Any = document
    for step in operation.path.attribute.steps:
        have = have.get(step.name) if isinstance(have, dict) else None
    value_filter, value = operation.path.value_filter, operation.value
    elements = len(have) if isinstance(have, list) else 1
    return elements * (terms(value_filter) if value_filter else 1) + (len(value) if isinstance(value, list) else 0)


def _apply(document: Document, operation: Operation, policy: Policy) -> Document:
    path = operation.path
    if path.value_filter or path.sub_attribute:
        return _update(document, path.attribute.steps, lambda have: _elements(have, operation, policy))
    return _update(document, path.attribute.steps, lambda have: _combined(path.attribute.leaf, have, operation))


def _update(document: Document, steps: tuple[Attribute, ...], change: Callable[[Any], Any]) -> Document:
    """A copy of the document in which `change` was applied at the end of the steps; what becomes empty is left out."""
    first = steps[0]
    below = fitting(first, document.get(first.name))
    return _with_value(document, first.name, change(below) if len(steps) == 1 else _update(below or {}, steps[1:], change))


def _with_value(document: Document, name: str, value: Any) -> Document:
    """A copy of the document in which an attribute has a value; one that is empty is left out."""
    if value in (None, [], {}):
        return {key: other for key, other in document.items() if key != name}
    return {**document, name: value}


def _combined(attribute: Attribute, have: Any, operation: Operation) -> Any:
    """The value of an attribute after an operation on the attribute as a whole."""
    return None if operation.op == "remove" else _changed(attribute, have, operation.value, operation.op)


def _changed(attribute: Attribute, have: Any, value: Any, op: Op) -> Any:
    if attribute.multi_valued:
        return _with_added(attribute, have or [], value) if op == "add" else value
    return _merged(attribute, have or {}, value, op) if attribute.type == "complex" else value


def _merged(attribute: Attribute, have: Document, value: Document, op: Op) -> Document:
    """Sub-attributes that are not named stay (§3.5.2.3); those of an extension are attributes of their own right. None unassigns,
    and is nothing to add.
    """
    changed = have
    for name, below in value.items():
        if below is None and op == "add":
            continue
        sub_attribute = attribute.sub_attribute(name)
        if below is not None and sub_attribute:
            below = _changed(sub_attribute, fitting(sub_attribute, have.get(name)), below, op)
        changed = _with_value(changed, name, below)
    return changed


def _with_added(attribute: Attribute, have: list[Any], added: list[Any]) -> list[Any]:
    """The elements with those that are added; one that is there is not added again, and gets what it is added with (§3.5.2.1)."""
    identity = identity_of(attribute)
    elements = list(have)
    places = {identity(one): place for place, one in reversed(list(enumerate(have)))}
    marked = []
    for one in added:
        place = places.setdefault(identity(one), len(elements))
        if place == len(elements):
            elements.append(one)
        elif attribute.type == "complex":
            elements[place] = _again(attribute, elements[place], one)
        if attribute.primary and one.get(attribute.primary):
            marked.append(elements[place])
    return _one_primary(attribute, elements, marked)


def _again(attribute: Attribute, element: Document, added: Document) -> Document:
    """An element that is added again: what both are the same by keeps its spelling."""
    same_by = identifying(attribute, element)
    more = {name: below for name, below in added.items() if name not in same_by or name not in element}
    return kept_in_element(attribute, element, _merged(attribute, element, more, "add"))


def _one_primary(attribute: Attribute, elements: list[Any], changed: list[Any]) -> list[Any]:
    """A new primary value takes the mark from the one that had it (§3.5.2)."""
    mark = attribute.primary
    if mark is None or not any(one.get(mark) for one in changed):
        return elements
    own = {id(one) for one in changed}
    return [{**one, mark: False} if one.get(mark) and id(one) not in own else one for one in elements]


def _elements(have: Any, operation: Operation, policy: Policy) -> Any:
    """The elements of an attribute after an operation on those that fulfil the path's filter, or on all of them."""
    path = operation.path
    attribute = path.attribute.leaf
    single = not attribute.multi_valued
    elements = ([have] if have else []) if single else have or []
    chosen = [not path.value_filter or matches(path.value_filter, one) for one in elements]
    if operation.op == "remove":
        left = [_without(one, path, policy) if hit else one for one, hit in zip(elements, chosen, strict=True)]
    elif any(chosen):
        described = _described(path, policy)
        left = [_with(one, operation, described) if hit else one for one, hit in zip(elements, chosen, strict=True)]
        # A filter may hit several, and only one of them can become the primary one.
        primary = [one for one, hit in zip(left, chosen, strict=True) if hit and attribute.primary and one.get(attribute.primary)]
        left = _one_primary(attribute, left, primary[:1])
    else:
        described = _described(path, policy)
        if path.value_filter and (not described or (single and elements)):
            raise no_target(f"No element of {path.attribute.name} fulfils the filter in the path.", path.attribute.name)
        new = _with(described, operation, described)
        left = _one_primary(attribute, [*elements, new], [new])
    left = [one for one in left if one not in (None, {})]
    return (left[0] if left else None) if single else left


def _with(element: Any, operation: Operation, described: Document) -> Any:
    path, op, value = operation.path, operation.op, operation.value
    if path.sub_attribute:
        leaf = path.sub_attribute.leaf
        changed = _with_value(element, leaf.name, _changed(leaf, fitting(leaf, element.get(leaf.name)), value, op))
    elif path.attribute.leaf.type != "complex":
        return value
    else:
        changed = _merged(path.attribute.leaf, element if op == "add" else described, value, op)
    return kept_in_element(path.attribute.leaf, element, changed)


def _without(element: Any, path: Path, policy: Policy) -> Any:
    if not path.sub_attribute:
        return None
    left = {name: value for name, value in element.items() if name != path.sub_attribute.leaf.name}
    if policy.drop_hollow_elements and not {name.lower() for name in left} - {"type", "primary", "display"}:
        return None
    require_mutable(path.attribute.leaf, path.sub_attribute.leaf, element)
    return left


def _described(path: Path, policy: Policy) -> Document:
    """What a filter says of an element, where one may be made of that: `[type eq "work"]` gives `{"type": "work"}`."""
    if path.value_filter is None or path.attribute.leaf.type != "complex" or not policy.create_missing_elements:
        return {}
    leaves = {term.path.leaf: _spelled(term) for term in equalities(path.value_filter)}
    described = {leaf.name: [value] if leaf.multi_valued else value for leaf, value in leaves.items()}
    makeable = all(leaf.is_kept for leaf in leaves) and matches(path.value_filter, described)
    return described if makeable else {}


def equalities(value_filter: Filter) -> list[Comparison]:
    """The terms of a filter that is one `eq` or several joined by `and`; nothing where it is anything else."""
    operands = value_filter.operands if isinstance(value_filter, And) else (value_filter,)
    terms = [operand for operand in operands if isinstance(operand, Comparison) and operand.operator == "eq"]
    return terms if len(terms) == len(operands) else []


def _spelled(term: Comparison) -> Any:
    """The literal of a term as a value to store; a canonical value in its canonical spelling."""
    attribute = term.path.leaf
    normalise = normaliser(attribute)
    return next((known for known in attribute.canonical_values if normalise(known) == term.value), term.literal)
