"""A compiled regular expression, and what can be done with it within limits of time and size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic

import regex

from scimsvc.mapping.functions.model import FunctionError
from scimsvc.mapping.functions.regular_expressions.budget import Measured
from scimsvc.mapping.functions.regular_expressions.reader import translated
from scimsvc.mapping.functions.regular_expressions.replacement import Piece, pieces
from scimsvc.mapping.functions.regular_expressions.units import from_units, in_units
from scimsvc.mapping.functions.values import MAX_RESULT, result_too_long

MAX_LENGTH = 5_000
"""Characters of a pattern."""


@dataclass(frozen=True, eq=False)
class RegularExpression:
    """A regular expression of .NET. Get it from `compiled`.

    `groups`: the library's index of each group, by its number in .NET as a string, and by its name if it has one. `names`: the
    name of each group, or its number. `least`: the least number of UTF-16 code units in a match. Every method with a value raises
    FunctionError if it takes too long or too much memory.
    """

    pattern: regex.Pattern[str]
    groups: Mapping[str, int]
    names: tuple[str, ...]
    least: int

    def group(self, name: str) -> int:
        """Return the index of a group by its name or number. Raise FunctionError if the pattern does not have it."""
        if name not in self.groups:
            known = ", ".join(self.names) or "none"
            raise FunctionError(f"the regular expression has no group {name[:40]!r}; it has: {known[:200]}")
        return self.groups[name]

    def is_whole(self, text: str) -> bool:
        """Return whether the expression matches a text from beginning to end."""
        with Measured() as limit:
            return self.pattern.fullmatch(in_units(text), timeout=limit) is not None

    def first(self, text: str, group: int) -> str | None:
        """Return the text of a group in the first match, empty if the group took no part; None without a match."""
        with Measured() as limit:
            match = self.pattern.search(in_units(text), timeout=limit)
        return from_units(match[group] or "") if match else None

    def replaced(self, text: str, template: str, group: int = 0) -> str:
        """Return a text with every match, or a group in every match, replaced by what the template makes of it.

        Raise FunctionError also if the result is longer than MAX_RESULT.
        """
        source, template = in_units(text), in_units(template)
        with Measured() as limit:
            # The library's own way would be wrong behind an empty match, and has no limit of size.
            if group == 0 and self.least and "$" not in template and len(source) * len(template) <= MAX_RESULT:
                return from_units(self.pattern.sub(lambda match: template, source, timeout=limit))
            return from_units("".join(self._spliced(source, _replacement(self, template), group, limit)))

    def _spliced(self, source: str, replacement: tuple[Piece, ...], group: int, limit: float) -> Iterator[str]:
        end, length = 0, len(source)
        for match in self._matches(source, limit):
            start, stop = match.span(group)
            # A group in a look-around may lie in the former match, which has been replaced already.
            if start < end:
                continue
            yield source[end:start]
            length -= stop - start
            for piece in replacement:
                text = piece(match)
                length += len(text)
                if length > MAX_RESULT:
                    raise result_too_long()
                yield text
            end = stop
        yield source[end:]

    def _matches(self, source: str, limit: float) -> Iterator[regex.Match[str]]:
        """Yield all matches, for `limit` seconds.

        Behind an empty one .NET goes on with the next character, and the library looks for a longer one.
        """
        deadline = monotonic() + limit
        start: int | None = 0
        while start is not None:
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError
            begin, start, empty = start, None, -1
            for match in self.pattern.finditer(source, begin, timeout=left):
                if match.start() == empty:
                    start = empty + 1
                    break
                yield match
                empty = match.end() if match.start() == match.end() else -1


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> RegularExpression:
    """Return a regular expression of .NET. Raise FunctionError if the pattern is not valid or asks for too much."""
    try:
        if len(pattern) > MAX_LENGTH:
            raise FunctionError(f"it is longer than {MAX_LENGTH} characters")
        translation = translated(in_units(pattern))
        made = regex.compile(translation.text, regex.VERSION1, cache_pattern=False)
    except FunctionError as error:
        raise _unreadable(pattern, str(error)) from None
    except (regex.error, OverflowError, RecursionError, MemoryError) as error:
        raise _unreadable(pattern, f"it is too much, or not supported: {error}") from None
    index = {number: made.groupindex[f"_{number}"] if number else 0 for number in translation.groups.values()}
    groups = {name: index[number] for name, number in translation.groups.items()}
    by_number = {str(number): place for number, place in index.items()}
    return RegularExpression(made, by_number | groups, tuple(groups)[1:], translation.least)


@lru_cache(maxsize=1024)
def _replacement(expression: RegularExpression, template: str) -> tuple[Piece, ...]:
    return tuple(pieces(template, expression.groups))


def _unreadable(pattern: str, message: str) -> FunctionError:
    return FunctionError(f"the regular expression {pattern[:80]!r} can't be read: {message}")
