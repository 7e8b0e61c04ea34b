"""From an account back to the directory object's attributes, as far as the rows of its table can be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from scimsvc.mapping.entra.directory import REFERENCES
from scimsvc.mapping.expression import Expression
from scimsvc.mapping.expression.tree import Call, Node, Number, Omitted, SourceAttribute, Text
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.functions.values import as_text
from scimsvc.mapping.mapper import RowMapper, SkippedObject
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping
from scimsvc.protocol.reading import value_at

Undo = Callable[[Any], Any]
"""From the value of a target attribute to that of the source attribute. It raises FunctionError if that can't be told."""


class _Row(NamedTuple):
    row: AttributeMapping
    mapper: RowMapper
    source: str
    undo: Undo

    def tells_nothing(self) -> bool:
        """Return whether an account without a value means an object without one.

        A function or a default can make that uncertain.
        """
        return self.row.expression is None and self.row.apply == "always" and self.row.default is None


class Inverse:
    """Undoes a table: its direct rows, and expressions whose functions have an inverse."""

    def __init__(self, table: ObjectMapping) -> None:
        self._rows = []
        # A value that is only sent on create may be stale, so other rows come first, and matching rows before all.
        for row in sorted(table.mappings, key=lambda row: (row.apply == "create", row.matching is None, row.matching or 0)):
            found = _undone(row)
            if found:
                self._rows.append(_Row(row, RowMapper(row), *found))

    def source(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Return the directory's attributes of an account, as Entra has them:

        `{"IsSoftDeleted": "False"}`. It has only attributes of which it is certain that the rows turn them into what the account
        has.
        """
        return {name: value for name, value in self.known(resource).items() if value is not None}

    def known(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Return the same as `source`, and None for attributes that certainly have no value."""
        source: dict[str, Any] = {}
        for one in self._rows:
            row, mapper, name, undo = one
            if source.get(name) is not None:
                continue
            value = value_at(row.value_path, resource)
            if value is None:
                if one.tells_nothing():
                    source[name] = None
                continue
            if _in_text(value) == row.default:
                continue
            try:
                before = undo(_in_text(value))
                if mapper.value({name: before}) == value:
                    source[name] = before
            except (ValueError, SkippedObject):
                continue
        return source


def _undone(row: AttributeMapping) -> tuple[str, Undo] | None:
    if isinstance(row.expression, Expression):
        return _inverted(row.expression.tree, row.expression.registry)
    if row.source is None or row.source in REFERENCES:
        return None
    return row.source, lambda value: value


def _inverted(node: Node, registry: Registry) -> tuple[str, Undo] | None:
    """Return the source attribute and the function back to it.

    Return None if a call has no inverse, or another argument is not constant.
    """
    if isinstance(node, SourceAttribute):
        return node.name, lambda value: value
    if not isinstance(node, Call) or not node.arguments:
        return None
    function = registry.get(node.name)
    first = _inverted(node.arguments[0], registry)
    others = _constants(node.arguments[1:])
    if function is None or function.inverse is None or first is None or others is None:
        return None
    inverse = function.inverse
    others += [None] * (len(function.parameters) - 1 - len(others))
    name, undo = first
    return name, lambda value: undo(inverse(value, *others))


def _constants(nodes: Iterable[Node]) -> list[Any] | None:
    """Return the values of constant arguments, None for one left out; None if one is not constant."""
    found: list[Any] = []
    for node in nodes:
        if not isinstance(node, Text | Number | Omitted):
            return None
        found.append(None if isinstance(node, Omitted) else node.value)
    return found


def _in_text(value: Any) -> Any:
    """Return a value as the directory has it: a string, or a list of strings."""
    return [as_text(one) for one in value] if isinstance(value, list) else as_text(value)
