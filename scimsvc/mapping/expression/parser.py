"""The grammar of expressions, by recursive descent."""

from __future__ import annotations

import re

from scimsvc.mapping.expression.lexer import Token, tokens
from scimsvc.mapping.expression.tree import (
    Call,
    Comparison,
    ExpressionError,
    Node,
    Number,
    Omitted,
    SourceAttribute,
    Text,
    Word,
)

MAX_LENGTH = 10_000
"""Characters; Entra's own limit (known-issues.md)."""
MAX_DEPTH = 64
_COMPARISONS = frozenset({"=", "<>", ">", ">=", "<", "<="})
_ESCAPE = re.compile(r'\\(["\\])')


def parse(text: str) -> Node:
    """Return the tree of an expression. Raise ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters", MAX_LENGTH + 1)
    parser = _Parser(tokens(text))
    found = parser.operand()
    parser.expect("end", "the end")
    return found


def parse_argument(text: str) -> Node:
    """Return the tree of an argument of a call, such as a comparison. Raise ExpressionError."""
    parser = _Parser(tokens(text[:MAX_LENGTH]))
    found = parser.argument()
    parser.expect("end", "the end")
    return found


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._position = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._position]

    def _next(self) -> Token:
        token = self._token
        self._position += token.kind != "end"
        return token

    def expect(self, kind: str, what: str) -> None:
        """Take the next token, which must be of this kind."""
        token = self._next()
        if token.kind != kind:
            raise ExpressionError(f"expected {what}, found {token.text[:32] or 'the end'}", token.column)

    def operand(self) -> Node:
        """Return a function call, an attribute, a string, a number or a bare word."""
        token = self._next()
        match token.kind:
            case "text":
                # Backslash and quotation mark are escaped; a backslash before anything else is itself, as in "\+".
                return Text(_ESCAPE.sub(r"\1", token.text[1:-1]), token.column)
            case "attribute":
                name = token.text[1:-1].strip()
                if not name:
                    raise ExpressionError("an attribute without a name", token.column)
                return SourceAttribute(name, token.column)
            case "number":
                return Number(token.text, token.column)
            case "word":
                return self._call(token) if self._token.kind == "(" else Word(token.text, token.column)
        raise ExpressionError(
            f'expected a function, an [attribute], a "text" or a number, found {token.text[:32] or "the end"}', token.column
        )

    def _call(self, name: Token) -> Call:
        self._next()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep", name.column)
        arguments: list[Node] = []
        if self._token.kind != ")":
            arguments.append(self.argument())
            while self._token.kind == ",":
                self._next()
                arguments.append(self.argument())
        self.expect(")", "a comma or )")
        self._depth -= 1
        return Call(name.text, tuple(arguments), name.column)

    def argument(self) -> Node:
        """Return an operand, a comparison of two, or an omitted argument."""
        if self._token.kind in (",", ")"):
            return Omitted(self._token.column)
        left = self.operand()
        if self._token.kind not in _COMPARISONS:
            return left
        operator = self._next()
        return Comparison(operator.text, left, self.operand(), operator.column)
