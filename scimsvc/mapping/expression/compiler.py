"""From a tree to a function of source attributes: closures, made once when a profile is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scimsvc.mapping.expression.parser import parse
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
from scimsvc.mapping.functions import REGISTRY, Function, Lazy, Registry


@dataclass(frozen=True)
class Expression:
    """A compiled expression; `source_attributes` are the names that it reads, in order of appearance."""

    text: str
    tree: Node
    source_attributes: tuple[str, ...]
    _run: Lazy

    def evaluate(self, attributes: Mapping[str, Any]) -> Any:
        """The value for a directory object's attributes: a text, a list of texts, a boolean, or None for no value."""
        return self._run(attributes)


def compile_expression(text: str, registry: Registry = REGISTRY) -> Expression:
    """Compile a text. Raises ExpressionError for syntax, unknown functions, and arguments that a function can't take."""
    tree = parse(text)
    if not isinstance(tree, Call):
        raise ExpressionError("an expression must be a function, such as Join(…); for a plain attribute use a direct mapping", 1)
    names: dict[str, None] = {}
    run = _compile(tree, registry, names)
    return Expression(text, tree, tuple(names), run)


def _compile(node: Node, registry: Registry, names: dict[str, None]) -> Lazy:
    match node:
        case Call():
            return _call(node, registry, names)
        case SourceAttribute(name):
            names[name] = None
            return lambda attributes: attributes.get(name)
        case Text(value):
            return _constant(value)
        case Number():
            return _constant(node.value)
        case Word(name, column):
            raise ExpressionError(f"{name} is not known here; a text needs quotation marks, a source attribute brackets", column)
        case Comparison(operator, _, _, column):
            raise ExpressionError(f"no comparison ({operator}) is possible here", column)
        case Omitted(column):
            raise ExpressionError("a value is missing", column)


def _constant(value: Any) -> Callable[[Mapping[str, Any]], Any]:
    return lambda attributes: value


def _call(node: Call, registry: Registry, names: dict[str, None]) -> Lazy:
    function = registry.get(node.name)
    if function is None:
        close = difflib.get_close_matches(node.name, registry.names(), 1) or [
            name for name in registry.names() if name.lower() == node.name.lower()
        ]
        raise ExpressionError(f"unknown function {node.name}" + (f", did you mean {close[0]}?" if close else ""), node.column)
    _check_count(node, function)
    arguments: list[Lazy | None] = []
    for position, argument in enumerate(node.arguments):
        parameter = function.parameter(position)
        if not isinstance(argument, Omitted):
            arguments.append(_compile(argument, registry, names))
        elif parameter.optional:
            arguments.append(None)
        else:
            raise ExpressionError(f"{function.name} needs its argument {parameter.name}", argument.column)
    return function.build(arguments)


def _check_count(node: Call, function: Function) -> None:
    count = len(node.arguments)
    if not function.accepts(count):
        raise ExpressionError(f"{function.name} takes {function.signature()}; here are {count} arguments", node.column)
