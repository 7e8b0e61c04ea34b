"""The grammar of filters (RFC 7644 §3.4.2.2) and of PATCH paths (§3.5.2): from text to a tree, by recursive descent.

A mistake ends the reading and is kept beside the tree of what stands before it (see `syntax`).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, get_args

from scimsvc.protocol.filter.lexer import FilterSyntaxError, Kind, Token, misquoted, tokens
from scimsvc.protocol.filter.operators import OTHER_CONNECTIVES, remedy_for
from scimsvc.protocol.filter.syntax import (
    MAX_LENGTH,
    NO_JSON,
    All,
    Elements,
    FilterText,
    Name,
    Negation,
    Node,
    PathSyntax,
    Rest,
    Some,
    Term,
    Value,
    expected_value,
    short,
    shown,
    unexpected,
)
from scimsvc.protocol.filter.typed import Operator

MAX_DEPTH = 32
MAX_TERMS = 256
_OPERATORS = frozenset(get_args(Operator))
_WITH_PRESENT = _OPERATORS | {"pr"}
_CONSTANTS = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|["\\/bfnrt])?')
_JOIN = "join terms with and or or, and write a value that has spaces in quotation marks"
_COMPARE_SUB_ATTRIBUTE = 'a value filter is compared by a sub-attribute, as in addresses[type eq "work"].country eq "DE"'


def read_filter(text: str) -> FilterText:
    """Return a filter with its tree; nothing is read of a text that is too long."""
    if len(text) > MAX_LENGTH:
        return FilterText.of(text, None)
    try:
        parser = _Parser(text)
    except FilterSyntaxError as error:
        return FilterText.of(text, None, error)
    tree = parser.filter()
    return FilterText.of(text, tree, parser.mistake)


def read_path(text: str) -> PathSyntax:
    """Return the tree of a path."""
    try:
        return _Parser(text, in_path=True).path()
    except FilterSyntaxError as error:
        return PathSyntax(None, mistake=error)


class _Parser:
    """Read one text. A mistake moves the parser to the end of the text, so every production that is open ends, too."""

    def __init__(self, text: str, in_path: bool = False) -> None:
        self._tokens = tokens(text)
        self._position = 0
        self._depth = 0
        self._terms = 0
        self._in_path = in_path
        self._in_brackets = False
        self._closing: Kind = "end"
        self.mistake: FilterSyntaxError | None = None

    def filter(self) -> Node | None:
        """Read FILTER, up to the end of the text."""
        tree = self._disjunction()
        self._expect("end")
        return tree

    def path(self) -> PathSyntax:
        """Read PATH: an attribute, or a value path with or without sub-attribute."""
        name = self._name()
        if name is None:
            return PathSyntax(None, mistake=self.mistake)
        if not self._at("["):
            self._expect("end")
            return PathSyntax(name, mistake=self.mistake)
        elements = self._elements(name)
        token = None if self._at("end") else self._take()
        sub_attribute = Name(token.text, token.start) if token else None
        self._expect("end")
        return PathSyntax(elements, sub_attribute, self.mistake)

    def _fail(self, mistake: FilterSyntaxError) -> None:
        self.mistake = self.mistake or mistake
        self._position = len(self._tokens) - 1

    def _take(self) -> Token | None:
        """Return the next token and step over it; a token in other quotation marks is a mistake."""
        token = self._tokens[self._position]
        if token.kind == "misquoted":
            mark, value = misquoted(token.text)
            right = json.dumps(short(value), ensure_ascii=False)
            self._fail(FilterSyntaxError(f"{mark} where a double quotation mark belongs", token.start + 1, f"write {right}"))
            return None
        self._position += token.kind != "end"
        return token

    def _at(self, *words: str) -> bool:
        token = self._tokens[self._position]
        return (token.text.lower() if token.kind == "word" else token.kind) in words

    def _expect(self, kind: Kind) -> None:
        if self.mistake:
            return
        token = self._take()
        if token and token.kind != kind:
            self._fail(unexpected(token, kind, self._joining(token)))

    def _joining(self, token: Token) -> str:
        """Return what would be right instead of a token behind a whole term."""
        if token.kind != "word" or self._in_path:
            return ""
        if token.text in OTHER_CONNECTIVES:
            return f"write {OTHER_CONNECTIVES[token.text]}"
        return _JOIN

    def _disjunction(self) -> Node | None:
        """Read FILTER: terms joined by `or`, which binds weaker than `and`."""
        first = self._conjunction()
        if first is None or not self._at("or"):
            return first
        operands = [first]
        while self._at("or"):
            self._position += 1
            operand = self._conjunction()
            if operand is not None:
                operands.append(operand)
        return Some(tuple(operands))

    def _conjunction(self) -> Node | None:
        first = self._term()
        if first is None or not self._at("and"):
            return first
        operands = [first]
        while self._at("and"):
            self._position += 1
            operand = self._term()
            if operand is not None:
                operands.append(operand)
        return All(tuple(operands))

    def _term(self) -> Node | None:
        if self._at("("):
            return self._group(")")
        if self._at("not"):
            start, following = self._tokens[self._position].start, self._tokens[self._position + 1]
            if following.kind == "(":
                self._position += 1
                operand = self._group(")")
                return None if operand is None else Negation(operand)
            if following.kind == "word" and following.text.lower() not in _WITH_PRESENT:
                right = f"write not ({short(following.text)} …)"
                self._fail(FilterSyntaxError("not without parentheses", start + 1, right))
                return None
        if not self._counted():
            return None
        name = self._name()
        if name is None:
            return None
        return self._elements(name) if self._at("[") else self._comparison(name)

    def _counted(self) -> bool:
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._fail(FilterSyntaxError(f"more than {MAX_TERMS} terms", self._tokens[self._position].start + 1))
        return self._terms <= MAX_TERMS

    def _group(self, closing: Kind) -> Node | None:
        """Read FILTER in parentheses or brackets."""
        token = self._tokens[self._position]
        self._position += 1
        if self._depth == MAX_DEPTH:
            self._fail(FilterSyntaxError(f"nested more than {MAX_DEPTH} deep", token.start + 1))
            return None
        outer, self._closing = self._closing, closing
        self._depth += 1
        found = self._disjunction()
        self._expect(closing)
        self._depth -= 1
        self._closing = outer
        return found

    def _name(self) -> Name | None:
        token = self._tokens[self._position]
        if token.kind == "word":
            self._position += 1
            return Name(token.text, token.start)
        if token.kind == "misquoted":
            mark, name = misquoted(token.text)
            right = f"write {short(name)} without quotation marks"
            self._fail(FilterSyntaxError(f"an attribute in {mark}", token.start + 1, right))
        else:
            right = f"write {short(token.text[1:-1])} without quotation marks" if token.kind == "string" else ""
            self._fail(FilterSyntaxError(f"expected an attribute, found {shown(token.text)}", token.start + 1, right))
        return None

    def _comparison(self, name: Name) -> Term:
        """Read what follows a name: `operator value`, or `pr`. A parenthesis is noted as operator, which is a mistake."""
        called = self._at("(")
        operator = self._operator(name.text)
        if called:
            return Term(name, "(")
        return Term(name, operator, None if operator in (None, "pr") else self._value())

    def _operator(self, attribute: str) -> str | None:
        token = self._take()
        if token is None:
            return None
        name = token.text.lower()
        if token.kind == "word" and name in _WITH_PRESENT:
            return name
        self._fail(
            FilterSyntaxError(
                f"expected an operator ({', '.join(sorted(_OPERATORS))} or pr), found {shown(token.text)}",
                token.start + 1,
                remedy_for(token.text, short(attribute)),
            )
        )
        return None

    def _value(self) -> Value | None:
        token = self._take()
        if token is None:
            return None
        literal = NO_JSON
        if token.kind == "word":
            return Value(_constant(token.text), token.text, token.start)
        if token.kind == "string":
            literal = _string(token.text)
        if literal is NO_JSON:
            self._fail(_no_value(token))
            return None
        return Value(literal, token.text, token.start)

    def _elements(self, name: Name) -> Elements:
        """Read what follows a name in a value path: `[filter]`, and perhaps a comparison."""
        bracket = self._tokens[self._position].start
        if self._in_brackets:
            self._fail(FilterSyntaxError("a value filter inside a value filter", bracket + 1))
            return Elements(name, bracket)
        self._in_brackets = True
        inner = self._group("]")
        self._in_brackets = False
        return Elements(name, bracket, inner, self._rest())

    def _rest(self) -> Rest | None:
        """Read what follows a value filter, if it can be a comparison: `.value eq "x"` or `eq "x"`."""
        token = refused = self._tokens[self._position]
        if token.kind != "word":
            return None
        if token.text.startswith("."):
            following = self._tokens[self._position + 1]
            if following.kind != "word" or (self._in_path and following.text.lower() not in _WITH_PRESENT):
                return None
            name, remedy = Name(token.text[1:], token.start), _JOIN
            refused = following if self._in_path else token
            self._position += 1
        elif token.text.lower() in _WITH_PRESENT:
            name, remedy = Name("", token.start), _COMPARE_SUB_ATTRIBUTE
        else:
            return None
        term = self._comparison(name) if self._counted() else Term(name)
        return Rest(term, refused, self._closing, "" if self._in_path else remedy)


def _constant(word: str) -> Any:
    """Return the JSON value that a word is, or NO_JSON."""
    try:
        return _CONSTANTS[word.lower()]
    except KeyError:
        pass
    try:
        value = json.loads(word, parse_constant=_refuse)
    except ValueError:
        return NO_JSON
    return NO_JSON if isinstance(value, float) and not math.isfinite(value) else value


def _string(text: str) -> Any:
    """Return the string in quotation marks, or NO_JSON if it has a wrong escape or half of a character."""
    try:
        value = text[1:-1] if "\\" not in text else json.loads(text, strict=False)
        if not value.isascii():
            value.encode()
    except ValueError:
        return NO_JSON
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _no_value(token: Token) -> FilterSyntaxError:
    """Return the mistake of a token that is no value; of a string, the backslash that escapes nothing in JSON."""
    wrong = next((match for match in _ESCAPE.finditer(token.text) if match[1] is None), None) if token.kind == "string" else None
    if wrong is None:
        return expected_value(token.text, token.start)
    right = _ESCAPE.sub(lambda match: match[0] if match[1] else "\\\\", token.text)
    column = token.start + wrong.start() + 1
    return FilterSyntaxError("a backslash that escapes nothing", column, f"write {short(right)}, with two for one")
