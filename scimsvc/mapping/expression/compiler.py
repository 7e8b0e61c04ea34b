"""From a tree to a function of source attributes: closures, made once when a profile is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from scimsvc.mapping.expression.comparison import comparison
from scimsvc.mapping.expression.parser import parse
from scimsvc.mapping.expression.printer import show
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
from scimsvc.mapping.functions import Function, FunctionError, Ignored, Lazy, Parameter, Registry, installed
from scimsvc.mapping.functions.model import UnknownHereError, constant
from scimsvc.mapping.functions.moments import read
from scimsvc.mapping.functions.synonyms import synonym
from scimsvc.mapping.functions.values import as_number, plain_value

_COMPARE_TYPES = ("vbTextCompare", "vbBinaryCompare")
_IGNORED = {one.value: one for one in Ignored}
WORDS = frozenset({*_COMPARE_TYPES, *_IGNORED})
"""The bare words of expressions."""
_IMPOSSIBLE = {("integer", "dateTime"), ("dateTime", "integer"), ("dateTime", "boolean")}
"""Types of parameters, and of results that are never one."""
_TYPES = {"dateTime": "date", "integer": "number", "boolean": "truth value"}
_PLAIN = frozenset({str, bool, float, type(None), Ignored})
"""The classes of values that are what they are."""


@dataclass(frozen=True)
class Expression:
    """A compiled expression; `source_attributes` are the names that it reads, in order of appearance.

    `deterministic`: the same attributes always give the same value. `registry` has the functions that it calls.
    """

    text: str
    tree: Call
    source_attributes: tuple[str, ...]
    deterministic: bool
    registry: Registry
    _run: Lazy

    def evaluate(self, attributes: Mapping[str, Any]) -> Any:
        """Return the value for a directory object's attributes: a string, a number, a boolean, a list of these, or None.

        Return an Ignored if nothing is to be sent. Raise ExpressionError if a function can't be worked out for the values.
        """
        try:
            value = self._run(attributes)
            return value if value.__class__ in _PLAIN else plain_value(value)
        except FunctionError as error:
            # Whose fault it is costs time to note on the way, so only now somebody looks.
            self._located(attributes)
            raise _expression_error(error, 1) from None

    @cached_property
    def _located(self) -> Lazy:
        """Return the same function, with errors that have a column."""
        return _Compiler(self.registry, []).call(self.tree, outermost=True)

    def canonical(self) -> str:
        """Return the text in Entra's usual spacing, whatever the spacing of `text` is."""
        return show(self.tree)

    def explain(self, attributes: Mapping[str, Any]) -> Explained:
        """Return the value, and the value of every source attribute and call on the way, in the order of evaluation.

        What was not evaluated is not listed. If a step fails, return the steps up to it and the reason.
        """
        steps: list[Step] = []
        traced = _Compiler(self.registry, steps).call(self.tree, outermost=True)
        try:
            return Explained(plain_value(traced(attributes)), _plain_steps(steps))
        except ExpressionError as error:
            return Explained(None, _plain_steps(steps), f"{error.message} (column {error.column})")
        except FunctionError as error:
            return Explained(None, (), str(error))


class Step(NamedTuple):
    """A part of an expression, and what it came to."""

    node: Node
    value: Any


class Explained(NamedTuple):
    """What an expression came to and by which steps, or the `error` that kept it from that."""

    value: Any
    steps: tuple[Step, ...]
    error: str | None = None


def _expression_error(error: FunctionError, column: int) -> ExpressionError:
    return ExpressionError(str(error), column, isinstance(error, UnknownHereError))


def _plain_steps(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(Step(node, plain_value(value)) for node, value in steps)


def compile_expression(text: str, registry: Registry | None = None) -> Expression:
    """Compile a text, with the installed functions unless others are given.

    Raise ExpressionError for wrong syntax, unknown functions, and arguments that a function can't take.
    """
    return compile_tree(text, parse(text), registry)


def compile_tree(text: str, tree: Node, registry: Registry | None = None) -> Expression:
    """Compile a tree, of which `text` is the text. Raise ExpressionError."""
    if not isinstance(tree, Call):
        raise ExpressionError("an expression must be a function, such as Join(…); for a plain attribute use a direct mapping", 1)
    functions = registry or installed()
    compiler = _Compiler(functions)
    run = compiler.call(tree, outermost=True)
    return Expression(text, tree, tuple(compiler.names), compiler.deterministic, functions, run)


class _Compiler:
    """Compiles one tree, and notes what it reads on the way.

    With `steps` what comes of it adds each of its steps to that list, and its errors know their column.
    """

    def __init__(self, registry: Registry, steps: list[Step] | None = None) -> None:
        self._registry = registry
        self._steps = steps
        self.names: dict[str, None] = {}
        self.deterministic = True

    def call(self, node: Call, outermost: bool = False) -> Lazy:
        function = self._registry.get(node.name)
        if function is None:
            raise ExpressionError(f"unknown function {node.name}{self._suggestion(node.name)}", node.column)
        if function.outermost and not outermost:
            raise ExpressionError(f"{function.name} can't be an argument of another function", node.column)
        count = len(node.arguments)
        if not function.accepts(count):
            here = "here is 1 argument" if count == 1 else f"here are {count} arguments"
            raise ExpressionError(f"write {function.signature()}; {here}", node.column)
        self.deterministic &= function.deterministic
        arguments = [self._argument(one, function, place) for place, one in enumerate(node.arguments)]
        try:
            run = function.build(arguments)
            if function.check:
                function.check([one.value if isinstance(one, (Text, Number)) else None for one in node.arguments])
        except FunctionError as error:
            wrong = node if error.argument is None or error.argument >= count else node.arguments[error.argument]
            raise ExpressionError(str(error), wrong.column) from None
        return self._noted(node, run)

    def _noted(self, node: Call | SourceAttribute, run: Lazy) -> Lazy:
        """Return the same function, which also notes its value or its failure if steps are wanted."""
        if self._steps is None:
            return run
        steps = self._steps

        def noted(attributes: Mapping[str, Any]) -> Any:
            try:
                value = run(attributes)
            except FunctionError as error:
                raise _expression_error(error, node.column) from None
            steps.append(Step(node, value))
            return value

        return noted

    def _suggestion(self, name: str) -> str:
        names = self._registry.names()
        meant = synonym(name)
        if meant:
            return f"; Entra's function for it is {meant}"
        close = [one for one in names if one.lower() == name.lower()] or difflib.get_close_matches(name, names, 1)
        return f", did you mean {close[0]}?" if close else ""

    def _argument(self, node: Node, function: Function, place: int) -> Lazy | None:
        parameter = function.parameter(place)
        if isinstance(node, Omitted):
            if parameter.optional:
                return None
            raise ExpressionError(f"{function.name} needs its argument {parameter.name}", node.column)
        if isinstance(node, (Text, Number)):
            _check_constant(node, parameter)
        called = self._registry.get(node.name) if isinstance(node, Call) else None
        if called and (parameter.type, called.result) in _IMPOSSIBLE:
            raise ExpressionError(
                f"{parameter.name} can't be what {called.name} comes to, a {_TYPES[called.result]}", node.column
            )
        return self._value(node, parameter)

    def _value(self, node: Node, parameter: Parameter) -> Lazy:
        match node:
            case Call():
                return self.call(node)
            case SourceAttribute(name):
                self.names[name] = None
                return self._noted(node, lambda attributes: attributes.get(name))
            case Text(value):
                return constant(value)
            case Number():
                return constant(node.value)
            case Word(name) if parameter.type == "compareType" and name in _COMPARE_TYPES:
                return constant(name)
            case Word(name) if parameter.type == "any" and name in _IGNORED:
                return constant(_IGNORED[name])
            case Word(name, column):
                raise ExpressionError(
                    f"{name} is not known here; a text needs quotation marks, a source attribute brackets", column
                )
            case Comparison(operator, left, right, column):
                if parameter.type != "condition":
                    raise ExpressionError(f"no comparison ({operator}) is possible here", column)
                return self._comparison(operator, left, right)
            case Omitted(column):
                raise ExpressionError("a value is missing", column)

    def _comparison(self, operator: str, left: Node, right: Node) -> Lazy:
        one, other = (self._value(side, Parameter("", "string")) for side in (left, right))
        return comparison(operator, one, other, isinstance(left, SourceAttribute), isinstance(right, SourceAttribute))


def _check_constant(node: Text | Number, parameter: Parameter) -> None:
    """Raise an error for a constant that its parameter can never take: the mistake is in the expression, not in values."""
    if parameter.type == "compareType":
        raise ExpressionError(f"{parameter.name} must be {' or '.join(_COMPARE_TYPES)}, without quotation marks", node.column)
    if isinstance(node, Number):
        return
    number = as_number(node.value)
    if parameter.type == "integer" and (number is None or number != int(number)):
        raise ExpressionError(f"{parameter.name} must be an integer, not {node.value[:40]!r}", node.column)
    if parameter.type == "dateTime":
        try:
            read(node.value)
        except FunctionError as error:
            raise ExpressionError(f"{parameter.name}: {error}", node.column) from None
