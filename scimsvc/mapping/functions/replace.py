"""Replace, in all its modes, and .NET's regular expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import regex

from scimsvc.mapping.functions.model import Function, FunctionError, Lazy, Parameter, each
from scimsvc.mapping.functions.values import as_text

TIME_LIMIT = 0.1
"""Seconds that one regular expression may take for one value."""
MAX_RESULT = 100_000
"""Characters that a replacement may come to."""
_REFERENCE = regex.compile(r"\$(?:(?P<dollar>\$)|(?P<whole>&|0+(?!\d))|(?P<number>\d{1,3})|\{(?P<name>\w+)\})")


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> regex.Pattern[str]:
    """A .NET regular expression. Raises FunctionError where it is none."""
    try:
        return regex.compile(pattern, regex.VERSION0)
    except (regex.error, OverflowError, RecursionError) as error:
        raise FunctionError(f"the regular expression {pattern[:80]!r} can't be read: {error}") from None


def _expanded(template: str, match: regex.Match[str]) -> str:
    """A replacement with `$1`, `${name}`, `$&` and `$$` filled in; a group that the pattern doesn't have stays as written."""

    def reference(found: regex.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        group: int | str = 0 if found["whole"] else int(found["number"]) if found["number"] else found["name"]
        if isinstance(group, str) and group.isdecimal():
            group = int(group)
        try:
            return match[group] or ""
        except IndexError:
            return found[0]

    return _REFERENCE.sub(reference, template)


def _substituted(pattern: regex.Pattern[str], source: str, template: str) -> str:
    literal = "$" not in template
    return pattern.sub(
        (lambda match: template) if literal else (lambda match: _expanded(template, match)), source, timeout=TIME_LIMIT
    )


def _with_group(pattern: regex.Pattern[str], source: str, group: str, replacement: str) -> str:
    """The source with the text of a named group replaced in every match."""
    pieces, end = [], 0
    for match in pattern.finditer(source, timeout=TIME_LIMIT):
        start, stop = match.span(group)
        if start >= 0:
            pieces += [source[end:start], _expanded(replacement, match)]
            end = stop
    return "".join([*pieces, source[end:]])


def _check_group(pattern: regex.Pattern[str], group: str) -> None:
    if group not in pattern.groupindex:
        known = ", ".join(pattern.groupindex) or "none"
        raise FunctionError(f"the regular expression has no group {group[:40]!r}; it has: {known}")


def _replace(
    source: str | None,
    old: str | None,
    text: str | None,
    group: str | None,
    new: str | None,
    other: str | None,
    template: str | None,
) -> str | None:
    if old:
        if template is not None:
            return None if source is None else template.replace(old, source)
        return None if source is None else source.replace(old, new or "")
    if not text:
        return source
    pattern = compiled(text)
    if group is None:
        return None if source is None else _substituted(pattern, source, new or "")
    _check_group(pattern, group)
    if new is not None:
        return None if source is None else _with_group(pattern, source, group, new)
    if source:
        return source
    match = pattern.search(other, timeout=TIME_LIMIT) if other else None
    return match[group] if match else source


def _build(arguments: Sequence[Lazy | None]) -> Lazy:
    given = [*arguments, *[None] * (7 - len(arguments))]
    if given[1] is None and given[2] is None:
        raise FunctionError("Replace needs an oldValue or a regexPattern")

    def replace(attributes: Mapping[str, Any]) -> str | None:
        try:
            found = _replace(*[as_text(argument(attributes)) if argument else None for argument in given])
        except TimeoutError:
            raise FunctionError(f"the regular expression takes more than {TIME_LIMIT} s for this value") from None
        if found is not None and len(found) > MAX_RESULT:
            raise FunctionError(f"the result is longer than {MAX_RESULT} characters")
        return found

    return replace


def _check(constants: Sequence[Any]) -> None:
    _, old, text, group, *_ = (as_text(constant) for constant in [*constants, None, None, None])
    if old or not text:
        return
    each({2: compiled})(constants)
    if group is not None:
        each({3: partial(_check_group, compiled(text))})(constants)


REPLACE = Function(
    "Replace",
    "Replaces texts in the source, case-sensitively. oldValue and replacementValue: every oldValue becomes the "
    "replacementValue. oldValue and template: every oldValue in the template becomes the source. regexPattern and "
    "replacementValue: every match becomes the replacementValue, in which ${name} and $1 stand for groups; what doesn't match "
    "stays. With regexGroupName only the text of that group is replaced. regexPattern, regexGroupName and "
    "replacementAttributeName: the source, and where that is empty, the group in the first match in the other attribute. A "
    f"regular expression may take {TIME_LIMIT} seconds for a value.",
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
