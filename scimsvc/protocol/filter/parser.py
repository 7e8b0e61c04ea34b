"""The grammar of filters (RFC 7644 §3.4.2.2) and of PATCH paths (§3.5.2): recursive descent, types checked on the way."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, get_args

from scimsvc.protocol.errors import invalid_filter, invalid_path
from scimsvc.protocol.filter.ast import Absent, And, Comparison, Filter, Not, Operator, Or, Path, Present, ValuePath
from scimsvc.protocol.filter.lexer import FilterSyntaxError, Token, misquoted, sent, tokens
from scimsvc.protocol.filter.operators import OTHER_CONNECTIVES, OTHER_OPERATORS, remedy_for, remedy_for_call
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath, resolve
from scimsvc.schema.spelling import Spellings
from scimsvc.schema.types import check, normaliser

MAX_DEPTH = 32
MAX_TERMS = 256
MAX_SHOWN = 64
"""Characters of a piece of the text that a message shows."""
_MAX_REMEMBERED = 1024
"""Characters of a path that is remembered when it has been read."""
MAX_FILTER_LENGTH = 65536
"""Characters of a filter, whatever the settings allow, and of a path."""
_SIMPLEST = re.compile(r'([\w:.$-]+) eq "([^"\\\x00-\x1f]*)"')
_OPERATORS = frozenset(get_args(Operator))
_TEXT_OPERATORS = frozenset({"co", "sw", "ew"})
_ORDER_OPERATORS = frozenset({"gt", "ge", "lt", "le"})
_QUOTED_TYPES = frozenset({"string", "reference", "binary", "dateTime"})
"""Types whose values are JSON strings."""
_CONSTANTS = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|["\\/bfnrt])?')
_SYMBOL = re.compile(r"([\w:.$-]+)(===?|!==?|=[<>~]?|~=?|<>|[<>]=?)(.*)", re.DOTALL)


class Scope(NamedTuple):
    """The names that may stand somewhere: which attribute each means, and the names themselves."""

    find: Callable[[str], AttributePath | None]
    known: Spellings


_NOWHERE = Scope(lambda _: None, Spellings(()))


def parse_filter(text: str, resource_type: ResourceType) -> Filter:
    """A query's filter. Raises ScimError invalidFilter, which says where and what."""
    if len(text) > MAX_FILTER_LENGTH:
        raise invalid_filter(f"Filter: longer than {MAX_FILTER_LENGTH} characters.")
    return _simplest(text, resource_type) or _any_filter(text, resource_type)


def parse_filter_of_several(texts: Sequence[tuple[ResourceType, str]]) -> list[Filter]:
    """The filter of a query over several resource types (§3.4.2.1), in the text that each of them has for it: an attribute that a
    type doesn't have, or has of another kind, has no value there. Raises ScimError invalidFilter, also where that is so in all.
    """
    found = []
    senseless: list[dict[int, _Senseless]] = []
    for resource_type, text in texts:
        if len(text) > MAX_FILTER_LENGTH:
            raise invalid_filter(f"Filter: longer than {MAX_FILTER_LENGTH} characters.")
        try:
            parser = _Parser(text, resource_type)
            parser.senseless = {}
            found.append(parser.disjunction(_scope_of(resource_type)))
            parser.expect("end")
            senseless.append(parser.senseless)
        except FilterSyntaxError as error:
            raise invalid_filter(f"Filter: {error.within(text)}.") from None
    for term in sorted(set.intersection(*map(set, senseless))):
        # A type that has the attribute tells more than one that hasn't.
        mistakes = [(one[term], text) for one, (_, text) in zip(senseless, texts, strict=True)]
        mistake, text = min(mistakes, key=lambda one: isinstance(one[0], _Unknown))
        raise invalid_filter(f"Filter: {mistake.within(text)}.")
    return found


class _Senseless(FilterSyntaxError):
    """A term that is well-formed, and makes no sense for the resource type."""


class _Unknown(_Senseless):
    """A term whose attribute the resource type doesn't have."""


def _simplest(text: str, resource_type: ResourceType) -> Filter | None:
    """The filter by which clients match accounts, `userName eq "x"`, in an eighth of the time that tokens take."""
    match = _SIMPLEST.fullmatch(text)
    path = resolve(resource_type, match[1]) if match else None
    if match is None or path is None or path.leaf.type != "string" or path.is_secret:
        return None
    return Comparison(path, "eq", normaliser(path.leaf)(match[2]), match[2])


def _any_filter(text: str, resource_type: ResourceType) -> Filter:
    try:
        parser = _Parser(text, resource_type)
        found = parser.disjunction(_scope_of(resource_type))
        parser.expect("end")
        return found
    except FilterSyntaxError as error:
        raise invalid_filter(f"Filter: {error.within(text)}.") from None


def parse_path(text: str, resource_type: ResourceType) -> Path:
    """A PATCH operation's path. Raises ScimError invalidPath."""
    if len(text) > MAX_FILTER_LENGTH:
        raise invalid_path(f"Path: longer than {MAX_FILTER_LENGTH} characters.")
    return _known_path(text, resource_type) if len(text) <= _MAX_REMEMBERED else _any_path(text, resource_type)


@lru_cache(maxsize=1024)
def _known_path(text: str, resource_type: ResourceType) -> Path:
    return _any_path(text, resource_type)


def _any_path(text: str, resource_type: ResourceType) -> Path:
    try:
        return _Parser(text, resource_type).path(_scope_of(resource_type))
    except FilterSyntaxError as error:
        raise invalid_path(f"Path {sent(text)[:200]!r}: {error.within(text)}.") from None


def literal(token: Token, remedy: str = "") -> Any:
    """Return the JSON value that a token stands for. Raises FilterSyntaxError, with a remedy, if it stands for no value."""
    if token.kind == "word" and token.text.lower() in _CONSTANTS:
        return _CONSTANTS[token.text.lower()]
    if token.kind in ("word", "string"):
        try:
            value = json.loads(token.text, strict=False, parse_constant=_refuse)
            if isinstance(value, str):
                value.encode()
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(token.text)
            return value
        except ValueError:
            pass
    if token.kind == "string":
        _check_escapes(token)
    message = f"expected a value (a string in quotation marks, a number, true, false or null), found {_shown(token)}"
    raise FilterSyntaxError(message, token.start + 1, remedy)


def _check_escapes(token: Token) -> None:
    """Raise FilterSyntaxError if a string has a backslash that escapes nothing in JSON."""
    wrong = next((match for match in _ESCAPE.finditer(token.text) if match[1] is None), None)
    if wrong:
        right = _ESCAPE.sub(lambda match: match[0] if match[1] else "\\\\", token.text)
        raise FilterSyntaxError(
            "a backslash that escapes nothing", token.start + wrong.start() + 1, f"write {_short(right)}, with two for one"
        )


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _shown(token: Token) -> str:
    return repr(token.text[:MAX_SHOWN]) if token.text else "the end"


@lru_cache(maxsize=256)
def _scope_of(resource_type: ResourceType) -> Scope:
    every = [AttributePath(steps[1:place]) for steps in resource_type.root.leaves() for place in range(2, len(steps) + 1)]
    names = dict.fromkeys(name for path in every for name in (path.name, path.leaf.name))
    return Scope(lambda name: resolve(resource_type, name), Spellings(name for name in names if resolve(resource_type, name)))


@lru_cache(maxsize=1024)
def _scope_of_element(path: AttributePath) -> Scope:
    def lookup(name: str) -> AttributePath | None:
        if path.leaf.type != "complex":
            return path if name.lower() == "value" else None
        sub_attribute = path.leaf.sub_attribute(name)
        return path.child(sub_attribute) if sub_attribute else None

    return Scope(lookup, Spellings(_names(path.leaf) or ["value"]))


def _names(attribute: Attribute) -> list[str]:
    return [sub.name for sub in attribute.sub_attributes]


class _Parser:
    def __init__(self, text: str, resource_type: ResourceType) -> None:
        self._tokens = tokens(text)
        self._position = 0
        self._depth = 0
        self._in_brackets = False
        self._in_path = False
        self._terms = 0
        self._resource_type = resource_type
        self.senseless: dict[int, _Senseless] | None = None
        """Where terms may make no sense: which they are, counted from 1, with what would be said of them."""

    def _next(self) -> Token:
        token = self._tokens[self._position]
        if token.kind == "misquoted":
            mark, value = misquoted(token.text)
            right = json.dumps(_short(value), ensure_ascii=False)
            raise FilterSyntaxError(f"{mark} where a double quotation mark belongs", token.start + 1, f"write {right}")
        self._position += token.kind != "end"
        return token

    def _at(self, *words: str) -> bool:
        token = self._tokens[self._position]
        return (token.text.lower() if token.kind == "word" else token.kind) in words

    def expect(self, kind: str) -> None:
        token = self._next()
        if token.kind != kind:
            expected = "the end" if kind == "end" else repr(kind)
            raise FilterSyntaxError(f"expected {expected}, found {_shown(token)}", token.start + 1, self._joining(token))

    def _joining(self, token: Token) -> str:
        """Return what would be right instead of a token behind a whole term."""
        if token.kind != "word" or self._in_path:
            return ""
        if token.text in OTHER_CONNECTIVES:
            return f"write {OTHER_CONNECTIVES[token.text]}"
        if self._tokens[self._position - 2].kind == "]" and self._is_operator(token):
            return 'a value filter is compared by a sub-attribute, as in addresses[type eq "work"].country eq "DE"'
        return "join terms with and or or, and write a value that has spaces in quotation marks"

    def _is_operator(self, token: Token) -> bool:
        return token.kind == "word" and (token.text.lower() in _OPERATORS or token.text.lower() == "pr")

    def disjunction(self, scope: Scope) -> Filter:
        """FILTER: terms joined by `or`, which binds weaker than `and`."""
        operands = [self._conjunction(scope)]
        while self._at("or"):
            self._next()
            operands.append(self._conjunction(scope))
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _conjunction(self, scope: Scope) -> Filter:
        operands = [self._term(scope)]
        while self._at("and"):
            self._next()
            operands.append(self._term(scope))
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _term(self, scope: Scope) -> Filter:
        if self._at("not"):
            following = self._tokens[self._position + 1]
            if following.kind == "(":
                self._next()
                return Not(self._group(scope))
            if following.kind == "word" and not self._is_operator(following):
                column = self._tokens[self._position].start + 1
                raise FilterSyntaxError("not without parentheses", column, f"write not ({_short(following.text)} …)")
        return self._group(scope) if self._at("(") else self._attribute_expression(scope)

    def _group(self, scope: Scope, closing: str = ")") -> Filter:
        token = self._next()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterSyntaxError(f"nested more than {MAX_DEPTH} deep", token.start + 1)
        found = self.disjunction(scope)
        self.expect(closing)
        self._depth -= 1
        return found

    def _attribute(self, scope: Scope) -> tuple[AttributePath, Token]:
        token = self._tokens[self._position]
        if token.kind == "misquoted":
            mark, name = misquoted(token.text)
            raise FilterSyntaxError(f"an attribute in {mark}", token.start + 1, f"write {_short(name)} without quotation marks")
        self._next()
        if token.kind != "word":
            remedy = f"write {_short(token.text[1:-1])} without quotation marks" if token.kind == "string" else ""
            raise FilterSyntaxError(f"expected an attribute, found {_shown(token)}", token.start + 1, remedy)
        path = scope.find(token.text)
        if path is None:
            raise self._unknown(token, scope)
        return path, token

    def _unknown(self, token: Token, scope: Scope) -> FilterSyntaxError:
        symbol = _SYMBOL.fullmatch(token.text)
        if symbol and scope.find(symbol[1]):
            right = f"{symbol[1]} {OTHER_OPERATORS[symbol[2]]} "
            column = token.start + len(symbol[1]) + 1
            return FilterSyntaxError(
                f"{symbol[2]} where an operator belongs", column, f"write {_short(right + (symbol[3] or '…'))}"
            )
        remedy = remedy_for_call(token.text) if self._at("(") else ""
        if remedy:
            return FilterSyntaxError(f"{_shown(token)} is no operator of a filter", token.start + 1, remedy)
        close = scope.known.closest(token.text)
        suggestion = f", did you mean {close!r}?" if close else ""
        return _Unknown(f"unknown attribute {token.text[:128]!r}{suggestion}", token.start + 1)

    def _attribute_expression(self, scope: Scope) -> Filter:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise FilterSyntaxError(f"more than {MAX_TERMS} terms", self._tokens[self._position].start + 1)
        if self.senseless is None:
            return self._sensible(scope)
        before, senseless = (self._position, self._depth, self._in_brackets), self.senseless
        term = self._terms
        try:
            return self._sensible(scope)
        except _Senseless as error:
            senseless[term] = error
            (self._position, self._depth, self._in_brackets), self._terms, self.senseless = before, term, senseless
            return self._absent()

    def _sensible(self, scope: Scope) -> Filter:
        path, token = self._attribute(scope)
        brackets = self._at("[")
        if (path if brackets else path.value()).is_secret:
            raise _Senseless(f"{path.name} can't be filtered by", token.start + 1)
        if brackets:
            return ValuePath(path, self._value_filter(path, scope))
        name = self._operator(_short(token.text))
        return Present(path) if name == "pr" else self._comparison(path.value(), name, self._next())

    def _operator(self, attribute: str) -> str:
        operator = self._next()
        name = operator.text.lower()
        if not self._is_operator(operator):
            raise FilterSyntaxError(
                f"expected an operator ({', '.join(sorted(_OPERATORS))} or pr), found {_shown(operator)}",
                operator.start + 1,
                remedy_for(operator.text, attribute),
            )
        return name

    def _absent(self) -> Filter:
        """A term that makes no sense, of any syntax that one could have that does."""
        attribute = self._next()
        if self._at("[") and not self._in_brackets:
            senseless, self._in_brackets, self.senseless = self.senseless, True, {}
            self._group(_NOWHERE, closing="]")
            self._in_brackets, self.senseless = False, senseless
            return Absent()
        name = self._operator(_short(attribute.text))
        if name == "pr":
            return Absent()
        null = literal(self._next()) is None
        return Not(Absent()) if name == ("eq" if null else "ne") else Absent()

    def _value_filter(self, path: AttributePath, scope: Scope) -> Filter:
        bracket = self._tokens[self._position]
        if self._in_brackets:
            raise FilterSyntaxError("a value filter inside a value filter", bracket.start + 1)
        if path.leaf.type != "complex" and not path.leaf.multi_valued:
            raise _Senseless(f"{path.name} has no sub-attributes to filter by", bracket.start + 1)
        if path.leaf.name in self._resource_type.schema_ids:
            raise _Senseless(f"{path.name} is an extension: write {path.name}:attribute in the terms", bracket.start + 1)
        self._in_brackets = True
        # An element's terms make sense together or not at all.
        senseless, self.senseless = self.senseless, None
        found = self._group(_scope_of_element(path), closing="]")
        self._in_brackets, self.senseless = False, senseless
        return found

    def _comparison(self, path: AttributePath, operator: Any, token: Token) -> Filter:
        kind = path.leaf.type
        bare = token.kind == "word" and kind in _QUOTED_TYPES
        remedy = f"write {json.dumps(_short(token.text), ensure_ascii=False)}" if bare else ""
        value = literal(token, remedy)
        if kind == "complex":
            raise _Senseless(f"{path.name} is complex: compare one of {', '.join(_names(path.leaf))}", token.start + 1)
        if value is None and operator in ("eq", "ne"):
            return Present(path) if operator == "ne" else Not(Present(path))
        if operator in _ORDER_OPERATORS and kind in ("boolean", "binary"):
            raise _Senseless(f"{path.name} is a {kind}, which {operator} can't compare", token.start + 1)
        if operator in _TEXT_OPERATORS and kind not in ("string", "reference", "binary"):
            raise _Senseless(f"{path.name} is a {kind}, which {operator} can't compare", token.start + 1)
        # A part of a Base64 text need not be Base64 itself.
        expected = check("string" if operator in _TEXT_OPERATORS else kind, value)
        if expected:
            raise _Senseless(f"{path.name} is compared with {expected}, not with {_shown(token)}", token.start + 1, remedy)
        return Comparison(path, operator, normaliser(path.leaf)(value), value)

    def path(self, scope: Scope) -> Path:
        """PATH: an attribute, or a value path with or without sub-attribute."""
        self._in_path = True
        attribute, _ = self._attribute(scope)
        if not self._at("["):
            self.expect("end")
            if len(attribute.steps) > 1 and attribute.steps[-2].multi_valued:
                return Path(AttributePath(attribute.steps[:-1]), None, attribute)
            return Path(attribute)
        if len(attribute.steps) > 1 and attribute.steps[-2].multi_valued:
            inside = AttributePath(attribute.steps[:-1]).name
            problem = f"the values of {attribute.name} are changed together: write {inside}[…].{attribute.leaf.name}"
            raise FilterSyntaxError(problem, self._tokens[self._position].start + 1)
        value_filter = self._value_filter(attribute, scope)
        if self._at("end"):
            return Path(attribute, value_filter)
        token = self._next()
        sub_attribute = attribute.leaf.sub_attribute(token.text[1:]) if token.text.startswith(".") else None
        if sub_attribute is None:
            remedy = f"write .{_short(token.text)}" if attribute.leaf.sub_attribute(token.text) else ""
            raise FilterSyntaxError(f"{attribute.name} has no sub-attribute {_shown(token)}", token.start + 1, remedy)
        self.expect("end")
        return Path(attribute, value_filter, attribute.child(sub_attribute))
