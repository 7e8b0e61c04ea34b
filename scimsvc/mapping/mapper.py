"""From a directory object's attributes to the values of a table's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scimsvc.mapping.expression import Expression, ExpressionError
from scimsvc.mapping.functions import FunctionError, Ignored
from scimsvc.mapping.functions.values import as_boolean, as_number, as_text, plain_value
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping
from scimsvc.schema.model import Attribute
from scimsvc.schema.types import check

Value = Callable[[Mapping[str, Any]], Any]


class Flow(NamedTuple):
    """The value of a row, in the form of its target attribute; None if nothing is sent."""

    row: AttributeMapping
    value: Any


_new = tuple.__new__


class SkippedObject(Exception):
    """An expression returns IgnoreObjectFlow: Entra sends nothing at all for the object."""


class RowMapper:
    """Works out one row.

    `value` takes the source attributes, and whether the object is created. It returns the row's value, or None if nothing is
    sent. It raises ExpressionError and SkippedObject.
    """

    def __init__(self, row: AttributeMapping) -> None:
        self.row = row
        self.value = _value(row)


def _value(row: AttributeMapping) -> Callable[..., Any]:
    value_of = _value_of(row)
    # An attribute that is complex takes objects, as roles do.
    whole = row.target.target.leaf
    convert = converter(whole if whole.type == "complex" and whole.multi_valued else row.target.target.value().leaf)
    takes_text = convert is _text_or_texts

    def value(attributes: Mapping[str, Any], creating: bool = True) -> Any:
        found = value_of(attributes)
        if takes_text and found.__class__ is str and found:
            # Most values are texts for a text attribute.
            return found
        if isinstance(found, Ignored):
            if found is Ignored.OBJECT:
                raise SkippedObject(row.target_text)
            return None
        if found is None or found == "" or found == []:
            found = row.default if creating else None
        return None if found is None else convert(found)

    return value


class Mapper:
    """Works out the rows of a table. Expressions are compiled once, when the profile is loaded."""

    def __init__(self, table: ObjectMapping) -> None:
        self.table = table
        self._creating = [(row, RowMapper(row).value) for row in table.mappings]
        self._updating = [(row, value) for row, value in self._creating if row.apply == "always"]

    def flows(self, attributes: Mapping[str, Any], creating: bool = True) -> list[Flow]:
        """Return the values of all rows that apply, in the table's order.

        A default value counts only on create, and so does a row that applies only then (customize-application-attributes.md).
        Raise ExpressionError if an expression can't be worked out, and SkippedObject.
        """
        rows = self._creating if creating else self._updating
        # Flow(…) goes through a function of its own, which costs as much as a small expression.
        return [_new(Flow, (row, value(attributes, creating))) for row, value in rows]

    def known_flows(self, attributes: Mapping[str, Any], creating: bool = True) -> tuple[list[Flow], dict[str, str]]:
        """Return the flows like `flows`, without rows that only Entra can work out; and the reason for each of these, by target.

        Raise ExpressionError if another expression can't be worked out, and SkippedObject.
        """
        flows, unknown = [], {}
        for row, value in self._creating if creating else self._updating:
            try:
                flows.append(_new(Flow, (row, value(attributes, creating))))
            except ExpressionError as error:
                if not error.unknown_here:
                    raise
                unknown[row.target_text] = error.message
        return flows, unknown


def refused_values(flows: Iterable[Flow]) -> Iterator[tuple[AttributeMapping, str]]:
    """Yield each row with a value for which the server refuses a create, and what the value must be: `a boolean`."""
    for flow in flows:
        leaf = flow.row.target.target.value().leaf
        values = flow.value if isinstance(flow.value, list) else [flow.value]
        wrong = next((one for one in values if not isinstance(one, dict) and one is not None and check(leaf.type, one)), None)
        if wrong is not None and leaf.type != "complex":
            yield flow.row, f"must be {check(leaf.type, wrong)}"


def _value_of(row: AttributeMapping) -> Value:
    if isinstance(row.expression, Expression):
        return row.expression.evaluate
    if row.source is not None:
        name = row.source
        return lambda attributes: attributes.get(name)
    constant = row.constant
    return lambda attributes: constant


def converter(attribute: Attribute) -> Callable[[Any], Any]:
    """Return a function that converts the value of a row, mostly a string, to an attribute's type.

    A value that can't be converted stays as it is.
    """
    one = _CONVERSIONS.get(attribute.type)
    if one is None:
        return _text_or_texts
    return lambda value: [one(element) for element in value] if isinstance(value, list) else one(value)


def _text_or_texts(value: Any) -> Any:
    return [as_text(element) for element in value] if isinstance(value, list) else as_text(value)


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else as_text(value)


def _boolean(value: Any) -> Any:
    try:
        return as_boolean(value)
    except FunctionError:
        return value


def _number(value: Any) -> Any:
    number = as_number(value)
    return value if number is None else plain_value(number)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "integer": _number,
    "decimal": _number,
    "complex": _object,
}
