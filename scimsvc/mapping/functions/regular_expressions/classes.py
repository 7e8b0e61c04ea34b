"""Character classes of .NET, written for the library regex."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from scimsvc.mapping.functions.regular_expressions.unicode_names import BLOCKS, CATEGORIES

LAST = 0xFFFF
"""The last UTF-16 code unit."""
_WORD = (r"\p{L}", r"\p{Mn}", r"\p{Nd}", r"\p{Pc}")
"""What `\\w` is in .NET."""
NAME = rf"[{''.join(_WORD)}\u200c\u200d]"
"""What names of groups are made of, and `\\b` looks for."""
BOUNDARY = rf"(?:(?<={NAME})(?!{NAME})|(?<!{NAME})(?={NAME}))"
NO_BOUNDARY = rf"(?:(?<={NAME})(?={NAME})|(?<!{NAME})(?!{NAME}))"
_CASED = frozenset({"Lu", "Ll", "Lt"})

Range = tuple[int, int]


@dataclass(frozen=True)
class CharacterClass:
    """Ranges of characters, first and last, and properties as the library has them in brackets, each with whether it is there."""

    ranges: tuple[Range, ...] = ()
    properties: tuple[tuple[str, bool], ...] = ()


def _either(properties: Iterable[str], there: bool) -> CharacterClass:
    """Return the class of characters that have one of the properties, or that have none of them."""
    return CharacterClass(properties=tuple((one, True) for one in properties) if there else (("".join(properties), False),))


SHORTHANDS = {
    "d": _either([r"\p{Nd}"], True),
    "D": _either([r"\p{Nd}"], False),
    "s": _either([r"\s"], True),
    "S": _either([r"\s"], False),
    "w": _either(_WORD, True),
    "W": _either(_WORD, False),
}
"""The classes that one letter behind a backslash stands for."""


def named(name: str, negated: bool, ignore_case: bool) -> CharacterClass | None:
    r"""Return the class `\p{name}`, or `\P{name}` if it is negated; None if .NET does not know the name."""
    if name in CATEGORIES:
        names = sorted(_CASED) if ignore_case and name in _CASED else [name]
        return _either([rf"\p{{{one}}}" for one in names], not negated)
    if name not in BLOCKS:
        return None
    first, last = BLOCKS[name]
    outside = tuple(one for one in ((0, first - 1), (last + 1, LAST)) if one[0] <= one[1])
    return CharacterClass(outside if negated else ((first, last),))


def bracketed(members: Sequence[CharacterClass], negated: bool, ignore_case: bool, without: str = "") -> str:
    """Return the classes in brackets, without the bracketed class `without`. `ignore_case` adds every case of each letter."""
    properties = {one for each in members for one in each.properties}
    if any((text, not there) in properties for text, there in properties):
        # Everything. In brackets that are negated the library would take it for everything again.
        ranges, properties = [(0, LAST)], set()
    else:
        ranges = _merged(one for each in members for one in each.ranges)
        ranges = _merged([*ranges, *_in_every_case(ranges)]) if ignore_case else ranges
    inside = [literal(first) if first == last else f"{literal(first)}-{literal(last)}" for first, last in ranges]
    inside += [text if there else f"[^{text}]" for text, there in sorted(properties)]
    text = f"[{'^' if negated else ''}{''.join(inside)}]"
    return f"[{text}--{without}]" if without else text


def literal(character: int) -> str:
    """Return one character as the library reads it, inside and outside of brackets."""
    letter = chr(character)
    return letter if letter.isascii() and letter.isalnum() else f"\\u{character:04x}"


def cased(character: int) -> str:
    """Return one character in every case that it has."""
    if character not in _families():
        return literal(character)
    return f"[{''.join(map(literal, _families()[character]))}]"


@lru_cache(maxsize=1)
def _families() -> Mapping[int, tuple[int, ...]]:
    """Return each character with those of the same lower case, if there are others."""
    alike: dict[str, list[int]] = {}
    for code in range(LAST + 1):
        # The only letter with two characters as its lower case is the dotted capital I, which .NET leaves alone.
        if len(lower := chr(code).lower()) == 1:
            alike.setdefault(lower, []).append(code)
    return {code: tuple(family) for family in alike.values() if len(family) > 1 for code in family}


def _in_every_case(ranges: Sequence[Range]) -> Iterable[Range]:
    """Yield all cases of each letter in ranges, which are in order, if it has several."""
    for code, family in _families().items():
        place = bisect_right(ranges, (code, LAST)) - 1
        if place >= 0 and code <= ranges[place][1]:
            yield from ((one, one) for one in family)


def _merged(ranges: Iterable[Range]) -> list[Range]:
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found
