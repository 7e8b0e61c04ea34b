"""Functions that choose between values, and what they choose by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scimsvc.mapping.functions.model import Function, FunctionError, Lazy, Parameter, plain
from scimsvc.mapping.functions.values import Ignored, as_boolean, as_text, is_empty


def _build_switch(arguments: Sequence[Lazy | None]) -> Lazy:
    source, default, *rest = arguments
    if source is None:
        raise FunctionError("Switch needs a source")
    pairs = [(key, value) for key, value in zip(rest[::2], rest[1::2], strict=True) if key is not None and value is not None]

    def switch(attributes: Mapping[str, Any]) -> Any:
        found = source(attributes)
        text = found if isinstance(found, str) else as_text(found) or ""
        for key, value in pairs:
            wanted = key(attributes)
            if (wanted if isinstance(wanted, str) else as_text(wanted) or "") == text:
                return value(attributes)
        return default(attributes) if default else None

    return switch


def _key_of(value: Any, default: Any, *rest: Any) -> str:
    """Return the key that has the value. Raise FunctionError unless exactly one key has it."""
    text = as_text(value)
    keys = [as_text(key) or "" for key, has in zip(rest[::2], rest[1::2], strict=True) if (as_text(has) or "") == text]
    if len(keys) != 1 or not keys[0] or (default is not None and as_text(default) == text):
        raise FunctionError("not one key alone has the value")
    return keys[0]


SWITCH = Function(
    "Switch",
    "Compares the source with each key, case-sensitively, and answers the value of the first key that is equal. "
    'Without such a key it answers the default, and without a default null: nothing is sent. The key "" is for a '
    "source that is null or empty. Only the value that is answered is worked out.",
    (Parameter("source", "any"), Parameter("defaultValue", "any", optional=True)),
    _build_switch,
    repeating=(Parameter("key", "any"), Parameter("value", "any")),
    inverse=_key_of,
)


def _build_iif(arguments: Sequence[Lazy | None]) -> Lazy:
    condition, if_true, if_false = arguments
    if condition is None or if_true is None or if_false is None:
        raise FunctionError("IIF needs a condition and two values")

    def iif(attributes: Mapping[str, Any]) -> Any:
        return if_true(attributes) if as_boolean(condition(attributes)) else if_false(attributes)

    return iif


IIF = Function(
    "IIF",
    "The first value if the condition is true, else the second. A condition is a comparison with =, <>, >, >=, < or <=, or "
    "something that is True or False; for and and or, put an IIF into an IIF. A comparison with a source attribute that is "
    'null or empty never holds, not even with <> or "": ask with Switch, whose key "" is for that. Nothing is before or behind '
    "what comes to null or empty, and no text before or behind a number or date that it doesn't spell. "
    "Texts that spell numbers compare "
    "with numbers as numbers.",
    (Parameter("condition", "condition"), Parameter("valueIfTrue", "any"), Parameter("valueIfFalse", "any")),
    _build_iif,
)


def _build_coalesce(arguments: Sequence[Lazy | None]) -> Lazy:
    *sources, last = [argument for argument in arguments if argument is not None]

    def coalesce(attributes: Mapping[str, Any]) -> Any:
        for source in sources:
            value = source(attributes)
            if not is_empty(value):
                return value
        return last(attributes)

    return coalesce


COALESCE = Function(
    "Coalesce",
    'The first of its arguments that is neither null nor empty; the last one, which may be "", is the default.',
    (Parameter("source", "any"),),
    _build_coalesce,
    repeating=(Parameter("source", "any"),),
)


def _is_true(value: Any) -> bool:
    return (as_text(value) or "").lower() == "true"


def _test(name: str, help_: str, holds: Callable[[Any], bool]) -> Function:
    return Function(name, help_, (Parameter("expression", "any"),), plain(holds, 1), result="boolean")


IS_NULL = _test("IsNull", "True if the expression is null; an absent attribute is null.", lambda value: value is None)
IS_NOTHING = _test(
    "IsNothing", "The same as IsNull. Entra's engine lists this function, its reference does not.", lambda value: value is None
)
IS_NULL_OR_EMPTY = _test("IsNullOrEmpty", "True if the expression is null, absent or an empty text.", is_empty)
IS_PRESENT = _test("IsPresent", "True if the expression is neither null nor empty.", lambda value: not is_empty(value))
IS_STRING = _test("IsString", "True if the expression is a text.", lambda value: isinstance(value, str))
C_BOOL = Function(
    "CBool",
    "True if the expression is True, a comparison that is true, or a number other than zero; False if it is False, zero, "
    "null or empty.",
    (Parameter("expression", "condition"),),
    plain(as_boolean, 1),
    result="boolean",
)
NOT = Function(
    "Not",
    "False if the source is True; True for everything else, null included.",
    (Parameter("source", "any"),),
    plain(lambda value: not _is_true(value), 1),
    inverse=lambda value: as_text(not _is_true(value)),
    result="boolean",
)


IGNORE_FLOW_IF_NULL_OR_EMPTY = Function(
    "IgnoreFlowIfNullOrEmpty",
    "The expression's value; if that is null or empty, the attribute is left out of what is sent, and keeps its value in the "
    "application.",
    (Parameter("expression", "any"),),
    plain(lambda value: Ignored.ATTRIBUTE if is_empty(value) else value, 1),
)


def _build_select_unique_value(arguments: Sequence[Lazy | None]) -> Lazy:
    first = arguments[0]
    if first is None:
        raise FunctionError("SelectUniqueValue needs at least two rules")
    return first


SELECT_UNIQUE_VALUE = Function(
    "SelectUniqueValue",
    "The value of the first rule that no object in the target has yet. Entra has it for on-premises targets during creation "
    "only; here there is no target to ask, so it is the value of the first rule.",
    (Parameter("uniqueValueRule", "any"),),
    _build_select_unique_value,
    repeating=(Parameter("uniqueValueRule", "any"),),
    outermost=True,
)
REDACT = Function(
    "Redact",
    "The value itself, which shows as [Redact] in Entra's provisioning logs and in what explains a mapping here.",
    (Parameter("value", "any"),),
    plain(lambda value: value, 1),
)

FUNCTIONS = (
    SWITCH,
    IIF,
    COALESCE,
    IS_NULL,
    IS_NOTHING,
    IS_NULL_OR_EMPTY,
    IS_PRESENT,
    IS_STRING,
    C_BOOL,
    NOT,
    IGNORE_FLOW_IF_NULL_OR_EMPTY,
    SELECT_UNIQUE_VALUE,
    REDACT,
)
