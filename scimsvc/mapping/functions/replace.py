"""Replace, in all its modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from scimsvc.mapping.functions.model import Function, FunctionError, Lazy, Parameter, each
from scimsvc.mapping.functions.regular_expressions import TIME_LIMIT, compiled
from scimsvc.mapping.functions.values import MAX_RESULT, as_text, limited, result_too_long


def _check_group(text: str, group: str) -> None:
    compiled(text).group(group)


class _Texts(NamedTuple):
    """The values of the parameters, in their order."""

    source: str | None
    old: str | None
    pattern: str | None
    group: str | None
    new: str | None
    other: str | None
    template: str | None


def _replace(texts: _Texts) -> str | None:
    source, old, pattern, group, new, other, template = texts
    if old:
        if source is None:
            return None
        return _every(old, source, template) if template is not None else _every(old, new or "", source)
    if not pattern:
        return source
    expression = compiled(pattern)
    if group is None:
        return None if source is None else expression.replaced(source, new or "")
    place = expression.group(group)
    if new is not None:
        return None if source is None else expression.replaced(source, new, place)
    if source or not other:
        return source
    match = expression.first(other, place)
    return source if match is None else match


def _every(old: str, new: str, text: str) -> str:
    # Counting takes time, so it is left out if even one replacement for each character is short enough.
    if len(text) * len(new) > MAX_RESULT and text.count(old) * (len(new) - len(old)) + len(text) > MAX_RESULT:
        raise result_too_long()
    return text.replace(old, new)


def _build(arguments: Sequence[Lazy | None]) -> Lazy:
    given = [*arguments, *[None] * (7 - len(arguments))]
    if given[1] is None and given[2] is None:
        raise FunctionError("Replace needs an oldValue or a regexPattern")

    def replace(attributes: Mapping[str, Any]) -> str | None:
        found = _replace(_Texts(*[as_text(argument(attributes)) if argument else None for argument in given]))
        return None if found is None else limited(found)

    return replace


def _check(constants: Sequence[Any]) -> None:
    _, old, text, group, *_ = (as_text(constant) for constant in [*constants, None, None, None])
    if old or not text:
        return
    each({2: compiled})(constants)
    if group is not None:
        each({3: partial(_check_group, text)})(constants)


REPLACE = Function(
    "Replace",
    "Replaces texts in the source, case-sensitively. oldValue and replacementValue: every oldValue becomes the "
    "replacementValue. oldValue and template: every oldValue in the template becomes the source. regexPattern and "
    "replacementValue: every match becomes the replacementValue, in which ${name} and $1 stand for groups; what doesn't match "
    "stays. With regexGroupName, a name or a number, only the text of that group is replaced. regexPattern, regexGroupName and "
    "replacementAttributeName: the source, and if that is empty, the group in the first match in the other attribute. A "
    "regular expression has .NET's syntax, without conditions, balancing groups and \\G, and one is refused that comes to too "
    f"much with its repetitions written out; it may take {TIME_LIMIT} seconds for a value.",
    (
        Parameter("source"),
        *(
            Parameter(name, optional=True)
            for name in (
                "oldValue",
                "regexPattern",
                "regexGroupName",
                "replacementValue",
                "replacementAttributeName",
                "template",
            )
        ),
    ),
    _build,
    check=_check,
)

FUNCTIONS = (REPLACE,)
