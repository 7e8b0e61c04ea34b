"""From the tree of a filter or path to what it means for a resource type: attributes are resolved and values typed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from scimsvc.protocol.errors import ScimError, invalid_filter, invalid_path
from scimsvc.protocol.filter.lexer import FilterSyntaxError
from scimsvc.protocol.filter.operators import OTHER_OPERATORS, remedy_for_call
from scimsvc.protocol.filter.parse import read_filter, read_path
from scimsvc.protocol.filter.syntax import (
    MAX_LENGTH,
    MAX_REMEMBERED,
    NO_JSON,
    All,
    Elements,
    FilterText,
    Leaf,
    Name,
    Negation,
    Node,
    PathSyntax,
    Some,
    Term,
    Value,
    expected_value,
    leaves,
    short,
    shown,
)
from scimsvc.protocol.filter.typed import Absent, And, Comparison, Filter, Not, Or, Path, Present, ValuePath
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import MAX_LENGTH as MAX_NAME_LENGTH
from scimsvc.schema.paths import AttributePath, resolve
from scimsvc.schema.spelling import Spellings
from scimsvc.schema.types import Normalise, check, normaliser

_SIMPLE = re.compile(r'([\w:.$-]+) eq "([^"\\\x00-\x1f]*)"')
_TEXT_OPERATORS = frozenset({"co", "sw", "ew"})
_ORDER_OPERATORS = frozenset({"gt", "ge", "lt", "le"})
_QUOTED_TYPES = frozenset({"string", "reference", "binary", "dateTime"})
"""Types whose values are JSON strings."""
_SYMBOL = re.compile(r"([\w:.$-]+)(===?|!==?|=[<>~]?|~=?|<>|[<>]=?)(.*)", re.DOTALL)


class Scope(NamedTuple):
    """The names that may stand somewhere: which attribute each means, and the names themselves."""

    find: Callable[[str], AttributePath | None]
    known: Spellings


class PathText(str):
    """A path as the client sent it, with the Path that it is for a resource type, or the error that it has."""

    __slots__ = ("error", "path")

    path: Path | None
    error: ScimError | None

    @classmethod
    def of(cls, text: str, path: Path | None, error: ScimError | None = None) -> PathText:
        """Return the text with its meaning."""
        made = cls(text)
        made.path, made.error = path, error
        return made

    def but(self, **changes: Any) -> PathText:
        """Return the text with another meaning."""
        return PathText.of(self, self.path and replace(self.path, **changes))


class _Senseless(FilterSyntaxError):
    """A term that is well-formed, and makes no sense for the resource type."""


class _Unknown(_Senseless):
    """A term whose attribute the resource type doesn't have."""


def parse_filter(text: str, resource_type: ResourceType) -> Filter:
    """Return the filter of a query over one resource type. Raise ScimError invalidFilter, which says where and what."""
    simple = None if isinstance(text, FilterText) else simple_filter(text, resource_type)
    if simple:
        path, normalise, value = simple
        return Comparison(path, "eq", normalise(value), value)
    return _bound(text if isinstance(text, FilterText) else read_filter(text), _Binder(resource_type))


def simple_filter(text: str, resource_type: ResourceType) -> tuple[AttributePath, Normalise, str] | None:
    """Return attribute, form and value of a filter such as `userName eq "x"`, by which clients match accounts; None for others.

    The attribute is remembered by its name, which is the whole shape of such a filter, so no tree is made.
    """
    match = _SIMPLE.fullmatch(text)
    if match is None or match.end(1) > MAX_NAME_LENGTH or len(text) > MAX_LENGTH:
        return None
    known = _string_attribute(resource_type, match[1])
    return (*known, match[2]) if known else None


@lru_cache(maxsize=1024)
def _string_attribute(resource_type: ResourceType, name: str) -> tuple[AttributePath, Normalise] | None:
    path = resolve(resource_type, name)
    return (path, normaliser(path.leaf)) if path and path.leaf.type == "string" and not path.is_secret else None


def parse_filter_of_several(texts: Sequence[tuple[ResourceType, str]]) -> list[Filter]:
    """Return the filter of a query over several resource types (§3.4.2.1), from the text that each of them has for it.

    An attribute that a type doesn't have, or has of another kind, has no value there. Raise ScimError invalidFilter, also if that
    is so in all types.
    """
    found = []
    senseless: list[dict[int, _Senseless]] = []
    for resource_type, text in texts:
        binder = _Binder(resource_type, tolerant=True)
        found.append(_bound(text if isinstance(text, FilterText) else read_filter(text), binder))
        senseless.append(binder.senseless)
    for term in sorted(set.intersection(*map(set, senseless))):
        # A type that has the attribute tells more than one that hasn't.
        mistake = min((one[term] for one in senseless), key=lambda one: isinstance(one, _Unknown))
        raise invalid_filter(f"Filter: {mistake}.")
    return found


def _bound(text: FilterText, binder: _Binder) -> Filter:
    if len(text) > MAX_LENGTH:
        raise invalid_filter(f"Filter: longer than {MAX_LENGTH} characters.")
    try:
        found = binder.filter(text.tree) if text.tree is not None else None
        if text.mistake or found is None:
            raise text.mistake or FilterSyntaxError("expected an attribute, found the end", 1)
        return found
    except FilterSyntaxError as error:
        raise invalid_filter(f"Filter: {error}.") from None


def parse_path(text: str, resource_type: ResourceType) -> Path:
    """Return what the path of a PATCH operation means. Raise ScimError invalidPath."""
    if isinstance(text, PathText):
        if text.path is None:
            raise text.error or invalid_path(f"Path {text[:200]!r}: unknown.")
        return text.path
    if len(text) > MAX_LENGTH:
        raise invalid_path(f"Path: longer than {MAX_LENGTH} characters.")
    return _known_path(text, resource_type) if len(text) <= MAX_REMEMBERED else bind_path(read_path(text), resource_type, text)


@lru_cache(maxsize=1024)
def _known_path(text: str, resource_type: ResourceType) -> Path:
    return bind_path(read_path(text), resource_type, text)


def bind_path(path: PathSyntax, resource_type: ResourceType, text: str) -> Path:
    """Return what a path means; `text` is the client's, for messages. Raise ScimError invalidPath."""
    try:
        found = _Binder(resource_type).path(path)
        if path.mistake or found is None:
            raise path.mistake or FilterSyntaxError("expected an attribute, found the end", 1)
        return found
    except FilterSyntaxError as error:
        raise invalid_path(f"Path {text[:200]!r}: {error}.") from None


def attribute_at(name: str, resource_type: ResourceType, holder: AttributePath | None = None) -> AttributePath | None:
    """Return what a name means in a resource, or in the elements of `holder`; None if it is unknown there."""
    return (scope_of_element(holder) if holder else _scope_of(resource_type)).find(name)


@lru_cache(maxsize=256)
def _scope_of(resource_type: ResourceType) -> Scope:
    every = [AttributePath(steps[1:place]) for steps in resource_type.root.leaves() for place in range(2, len(steps) + 1)]
    names = dict.fromkeys(name for path in every for name in (path.name, path.leaf.name))
    return Scope(lambda name: resolve(resource_type, name), Spellings(name for name in names if resolve(resource_type, name)))


@lru_cache(maxsize=1024)
def scope_of_element(path: AttributePath) -> Scope:
    """Return the names in the elements of an attribute: its sub-attributes, or `value` for the elements themselves."""
    if path.leaf.type != "complex":
        known = {"value": path}
    else:
        known = {one.name.lower(): path.child(one) for one in path.leaf.sub_attributes}
    return Scope(lambda name: known.get(name.lower()), Spellings(_names(path.leaf) or ["value"]))


def _names(attribute: Attribute) -> list[str]:
    return [sub.name for sub in attribute.sub_attributes]


class _Binder:
    """Bind one tree. If `tolerant` is set, a term that makes no sense for the resource type has no value there."""

    def __init__(self, resource_type: ResourceType, tolerant: bool = False) -> None:
        self._resource_type = resource_type
        self._scope = _scope_of(resource_type)
        self._tolerant = tolerant
        self.senseless: dict[int, _Senseless] = {}
        """What would be said of the terms that make no sense, by where they start."""

    def filter(self, node: Node) -> Filter:
        match node:
            case Term():
                return self._leaf(node) if self._tolerant else self._term(node, self._scope)
            case All(operands):
                return And(tuple([self.filter(operand) for operand in operands]))
            case Some(operands):
                return Or(tuple([self.filter(operand) for operand in operands]))
            case Negation(operand):
                return Not(self.filter(operand))
        return self._leaf(node)

    def path(self, path: PathSyntax) -> Path | None:
        target = path.target
        if target is None:
            return None
        name = target if isinstance(target, Name) else target.name
        attribute = self._attribute(name, self._scope)
        inside = AttributePath(attribute.steps[:-1]) if len(attribute.steps) > 1 and attribute.steps[-2].multi_valued else None
        if isinstance(target, Name):
            return Path(inside, None, attribute) if inside else Path(attribute)
        if inside:
            problem = f"the values of {attribute.name} are changed together: write {inside.name}[…].{attribute.leaf.name}"
            raise FilterSyntaxError(problem, target.bracket + 1)
        value_filter = self._value_filter(attribute, target)
        if path.sub_attribute is None:
            return Path(attribute, value_filter)
        text = path.sub_attribute.text
        sub_attribute = scope_of_element(attribute).find(text[1:]) if text[:1] == "." else None
        if sub_attribute is None or sub_attribute is attribute:
            message = f"{attribute.name} has no sub-attribute {shown(text)}"
            remedy = f"write .{short(text)}" if attribute.leaf.sub_attribute(text) else ""
            raise FilterSyntaxError(message, path.sub_attribute.start + 1, remedy)
        return Path(attribute, value_filter, sub_attribute)

    def _leaf(self, leaf: Leaf) -> Filter:
        try:
            if isinstance(leaf, Term):
                return self._term(leaf, self._scope)
            path = self._attribute(leaf.name, self._scope)
            if path.is_secret:
                raise _secret(path, leaf.name)
            return ValuePath(path, self._value_filter(path, leaf))
        except _Senseless as error:
            if not self._tolerant:
                raise
            self.senseless[leaf.name.start] = error
            return _absent(leaf)

    def _attribute(self, name: Name, scope: Scope) -> AttributePath:
        path = scope.find(name.text)
        if path is None:
            raise _unknown(name, scope)
        return path

    def _term(self, term: Term, scope: Scope) -> Filter:
        path = scope.find(term.name.text)
        if path is None:
            raise _unknown(term.name, scope, called=term.operator == "(")
        compared = path.value() if path.leaf.type == "complex" else path
        if compared.is_secret:
            raise _secret(compared, term.name)
        if term.operator == "pr":
            return Present(path)
        if term.value is None:
            # The text breaks off here, and its mistake is reported.
            return Absent()
        return _comparison(compared, term.operator, term.value)

    def _value_filter(self, path: AttributePath, elements: Elements) -> Filter:
        """Bind the filter of a value path, whose terms make sense together or not at all."""
        if path.leaf.type != "complex" and not path.leaf.multi_valued:
            raise _Senseless(f"{path.name} has no sub-attributes to filter by", elements.bracket + 1)
        if path.leaf.name in self._resource_type.schema_ids:
            problem = f"{path.name} is an extension: write {path.name}:attribute in the terms"
            raise _Senseless(problem, elements.bracket + 1)
        found = self._inside(elements.filter, scope_of_element(path)) if elements.filter is not None else Absent()
        if elements.rest:
            raise elements.rest.refusal()
        return found

    def _inside(self, node: Node, scope: Scope) -> Filter:
        match node:
            case Term():
                return self._term(node, scope)
            case All(operands):
                return And(tuple([self._inside(operand, scope) for operand in operands]))
            case Some(operands):
                return Or(tuple([self._inside(operand, scope) for operand in operands]))
            case Negation(operand):
                return Not(self._inside(operand, scope))
        # A value filter in a value filter: its name comes first, then the mistake that the text breaks off with.
        self._attribute(node.name, scope)
        return Absent()


def _comparison(path: AttributePath, operator: Any, value: Value) -> Filter:
    leaf, literal = path.leaf, value.literal
    type_ = leaf.type
    if literal is NO_JSON:
        raise expected_value(value.text, value.start, _quoted(value, leaf))
    if type_ == "complex":
        raise _Senseless(f"{path.name} is complex: compare one of {', '.join(_names(leaf))}", value.start + 1)
    if literal is None and operator in ("eq", "ne"):
        return Present(path) if operator == "ne" else Not(Present(path))
    if operator in _ORDER_OPERATORS and type_ in ("boolean", "binary"):
        raise _Senseless(f"{path.name} is a {type_}, which {operator} can't compare", value.start + 1)
    if operator in _TEXT_OPERATORS and type_ not in ("string", "reference", "binary"):
        raise _Senseless(f"{path.name} is a {type_}, which {operator} can't compare", value.start + 1)
    # A part of a Base64 text need not be Base64 itself.
    expected = check("string" if operator in _TEXT_OPERATORS else type_, literal)
    if expected:
        problem = f"{path.name} is compared with {expected}, not with {shown(value.text or json.dumps(literal))}"
        raise _Senseless(problem, value.start + 1, _quoted(value, leaf))
    return Comparison(path, operator, normaliser(leaf)(literal), literal)


def _quoted(value: Value, attribute: Attribute) -> str:
    """Return the remedy for a word that stands where a string belongs."""
    is_word = value.text and not isinstance(value.literal, str)
    return f"write {json.dumps(short(value.text), ensure_ascii=False)}" if is_word and attribute.type in _QUOTED_TYPES else ""


def _secret(path: AttributePath, name: Name) -> _Senseless:
    return _Senseless(f"{path.name} can't be filtered by", name.start + 1)


def _unknown(name: Name, scope: Scope, called: bool = False) -> FilterSyntaxError:
    symbol = _SYMBOL.fullmatch(name.text)
    if symbol and scope.find(symbol[1]):
        right = f"{symbol[1]} {OTHER_OPERATORS[symbol[2]]} "
        column = name.start + len(symbol[1]) + 1
        return FilterSyntaxError(f"{symbol[2]} where an operator belongs", column, f"write {short(right + (symbol[3] or '…'))}")
    remedy = remedy_for_call(name.text) if called else ""
    if remedy:
        return FilterSyntaxError(f"{shown(name.text)} is no operator of a filter", name.start + 1, remedy)
    close = scope.known.closest(name.text)
    suggestion = f", did you mean {close!r}?" if close else ""
    return _Unknown(f"unknown attribute {name.text[:128]!r}{suggestion}", name.start + 1)


def _absent(leaf: Leaf) -> Filter:
    """Return what a term means for a type where it makes no sense. Raise FilterSyntaxError if it makes none for any type."""
    if isinstance(leaf, Elements):
        for term in leaves(leaf.filter):
            if isinstance(term, Term):
                _absent(term)
        if leaf.rest:
            raise leaf.rest.refusal()
        return Absent()
    if leaf.value is None:
        return Absent()
    if leaf.value.literal is NO_JSON:
        raise expected_value(leaf.value.text, leaf.value.start)
    return Not(Absent()) if leaf.operator == ("eq" if leaf.value.literal is None else "ne") else Absent()
