"""Expressions as Graph has them: a text, and a tree of functions with named parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from scimsvc.mapping.expression import ExpressionError, show
from scimsvc.mapping.expression.compiler import WORDS
from scimsvc.mapping.expression.parser import parse_argument
from scimsvc.mapping.expression.tree import Call, Node, Number, Omitted, SourceAttribute, Text
from scimsvc.mapping.functions import Registry

Tree = dict[str, Any]


class TreeError(ValueError):
    """A tree is not one that Graph would have."""


@dataclass(frozen=True)
class _Keys:
    """The engine's own names of a function's parameters; `repeating` comes again and again at the end."""

    names: tuple[str, ...]
    repeating: str | None = None


# From the engine's dump of its functions (synchronization-synchronizationschema-functions.md); others by their documented names.
# The two functions on several roles are not in the dump; a live job has them like AppRoleAssignments.
_ENGINE = {
    "Append": _Keys(("source", "suffix")),
    "FormatDateTime": _Keys(("source", "dateTimeStyles", "inputFormat", "outputFormat")),
    "Join": _Keys(("separator",), "source"),
    "Mid": _Keys(("source", "start", "length")),
    "IsNothing": _Keys(("source",)),
    "Not": _Keys(("source",)),
    "Prepend": _Keys(("prefix", "source")),
    "Replace": _Keys(
        (
            "source",
            "Find",
            "RegularExpression",
            "RegularExpressionGroupName",
            "Replacement",
            "ReplacementPropertyName",
            "Template",
        )
    ),
    "AppRoleAssignments": _Keys(("source",)),
    "AppRoleAssignmentsComplex": _Keys(("source",)),
    "AssertiveAppRoleAssignmentsComplex": _Keys(("source",)),
    "SingleAppRoleAssignment": _Keys(("source",)),
    "Split": _Keys(("source", "delimiter")),
    "StripSpaces": _Keys(("source",)),
    "Switch": _Keys(("source", "defaultValue"), "switchValue"),
}


LearnedKeys = Mapping[tuple[str, int], Mapping[int, str]]
"""Names of parameters that a downloaded schema tells: by function and count of arguments, the name at each position."""
NOTHING_LEARNED: LearnedKeys = {}

_SHORT = {("FormatDateTime", 3): _Keys(("source", "inputFormat", "outputFormat"))}
"""Forms with fewer arguments, which have other meanings than in the full form."""


def _keys(name: str, registry: Registry, count: int | None = None) -> _Keys | None:
    if (name, count) in _SHORT:
        return _SHORT[name, count or 0]
    if name in _ENGINE:
        return _ENGINE[name]
    function = registry.get(name)
    if function is None:
        return None
    names = tuple(parameter.name for parameter in function.parameters)
    # Several repeating parameters alternate under one name, as Switch's keys and values do.
    return _Keys(names, function.repeating[0].name if function.repeating else None)


def to_tree(node: Node, registry: Registry, learned: LearnedKeys = NOTHING_LEARNED) -> Tree:
    """Return a node as Graph's attributeMappingSource. Arguments that are left out have no entry.

    `learned` has names of parameters that count more than the documented ones.
    """
    match node:
        case SourceAttribute(name):
            return _source(show(node), name, "Attribute")
        case Text(value):
            return _source(show(node), value, "Constant")
        case Number(spelling):
            return _source(f'"{spelling}"', spelling, "Constant")
        case Call(name, arguments):
            keys = _keys(name, registry, len(arguments))
            own = learned.get((name, len(arguments)), {})
            parameters = [
                {"key": own.get(place) or _key(keys, place, argument), "value": to_tree(argument, registry, learned)}
                for place, argument in enumerate(arguments)
                if not isinstance(argument, Omitted)
            ]
            return _source(show(node), name, "Function", parameters)
    # A comparison or a bare word: Graph's documents show neither; the text says what it is.
    return _source(show(node), show(node), "Constant")


def _key(keys: _Keys | None, place: int, argument: Node) -> str:
    if keys and place < len(keys.names):
        return keys.names[place]
    return (keys.repeating if keys else None) or f"argument{place + 1}"


def _source(expression: str, name: str, kind: str, parameters: list[Tree] | None = None) -> Tree:
    return {"expression": expression, "name": name, "type": kind, "parameters": parameters or []}


def from_tree(tree: Any, registry: Registry, depth: int = 0) -> Node:
    """Return the node that a tree stands for, without reading its text. Raise TreeError."""
    if not isinstance(tree, Mapping) or depth > 64:
        raise TreeError("a source must be an object with name, type and parameters, nested at most 64 deep")
    name, kind = tree.get("name"), str(tree.get("type") or "Attribute").lower()
    if not isinstance(name, str):
        return _by_text(tree)
    if kind == "attribute":
        return SourceAttribute(name)
    if kind == "constant":
        return _constant(name, tree.get("expression"))
    if kind != "function":
        raise TreeError(f"{kind!r:.40} is not a type of a source; there are Attribute, Constant and Function")
    return Call(name, tuple(_arguments(name, tree.get("parameters") or [], registry, depth)))


def _by_text(tree: Mapping[str, Any]) -> Node:
    """Return the node that the text of a tree without a name is: an attribute in brackets, a constant in quotation marks."""
    text = tree.get("expression")
    if not isinstance(text, str) or not text.strip():
        raise TreeError("a source has no name and no expression")
    try:
        node = parse_argument(text)
    except ExpressionError as error:
        raise TreeError(f"a source has no name, and its expression {text!r:.60} can't be read: {error.message}") from None
    stated = tree.get("type")
    kind = _KINDS.get(type(node), "Constant")
    if stated is not None and str(stated).lower() != kind.lower():
        raise TreeError(f"a source has no name, and its expression {text!r:.60} is of the type {kind}, not {stated!r:.40}")
    return node


_KINDS: Mapping[type[Any], str] = {SourceAttribute: "Attribute", Call: "Function"}


def _constant(name: str, text: Any) -> Node:
    """Return a string, or a comparison or bare word if the tree has that, because Graph has no other form for it."""
    if text == name or (text is None and name in WORDS):
        with suppress(ExpressionError):
            return parse_argument(name)
    return Text(name)


def _arguments(name: str, parameters: Any, registry: Registry, depth: int) -> Iterator[Node]:
    if not isinstance(parameters, list) or not all(isinstance(one, Mapping) for one in parameters):
        raise TreeError(f"the parameters of {name} must be a list of objects with key and value")
    keys = _keys(name, registry) or _Keys(())
    if not keys.repeating and any(one.get("key") not in keys.names for one in parameters):
        # Names that Microsoft's documents don't have: then the order says which is which.
        keys = _Keys(tuple(str(one.get("key")) for one in parameters))
    named = {one.get("key"): one.get("value") for one in reversed(parameters) if one.get("key") in keys.names}
    repeated = [one.get("value") for one in parameters if one.get("key") not in keys.names or one.get("key") == keys.repeating]
    if keys.repeating is not None and keys.repeating in keys.names:
        # The first and the other parameters have one name, as in Coalesce.
        named.pop(keys.repeating, None)
        yield from (from_tree(value, registry, depth + 1) for value in repeated)
        return
    last = max((place for place, key in enumerate(keys.names) if key in named), default=-1)
    wanted = keys.names if repeated else keys.names[: last + 1]
    for key in wanted:
        yield from_tree(named[key], registry, depth + 1) if key in named else Omitted()
    for value in repeated:
        yield from_tree(value, registry, depth + 1)
