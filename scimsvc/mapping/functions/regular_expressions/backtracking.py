r"""Regular expressions that can take exponential time: text that a repetition can match in several ways.

An expression becomes an automaton of its characters (Glushkov): each is a position, and an edge leads to every position that may
follow. If two ways lead from a position back to itself over the same text, the number of ways doubles with each round, and a
text that does not match at its end makes the engine try all of them: `(a+)+$`, `(\w+\s?)*:`, `(a|ab|b)*c`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from scimsvc.mapping.functions.model import FunctionError
from scimsvc.mapping.functions.regular_expressions.expression import compiled

_SAMPLE = frozenset([*map(chr, range(9, 127)), "\xa0", "\xe9", "\u0416", "\u4e2d"])
"""Characters by which it is told whether two positions match the same text."""
_MANY = 10
"""Repetitions from which on a limited number counts as no limit."""
_MAX_POSITIONS = 40
"""Positions in one circle of edges up to which pairs of them are looked at, which is the square of it."""
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??")
_OPENING = re.compile(r"\((?:\?(?::|<[A-Za-z_0-9]+>|'[A-Za-z_0-9]+'|[a-zA-Z-]+:))?(?!\?)")
_OPTIONS = re.compile(r"\(\?[a-zA-Z-]+\)|\(\?#[^)]*\)")
_ZERO_WIDTH = re.compile(r"\\[bBAzZG]|[$^]|\\k?(?:<\w+>|'\w+')|\\[1-9][0-9]*")
_ESCAPE = re.compile(r"\\(?:[pP]\{[^}]*\}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c.|[0-7]{1,3}|.)", re.DOTALL)


@lru_cache(maxsize=1024)
def can_explode(pattern: str) -> bool:
    """Return whether a pattern, which `compiled` takes, can take exponential time. What can't be told is not."""
    reader = _Reader(pattern)
    try:
        reader.alternatives()
    except (IndexError, RecursionError, FunctionError):
        return False
    return reader.automaton.is_ambiguous()


@dataclass
class _Automaton:
    """`characters` that each position matches, of the sample; `edges` by their ends, with the number of ways."""

    characters: list[frozenset[str]] = field(default_factory=list)
    edges: Counter[tuple[int, int]] = field(default_factory=Counter)

    def is_ambiguous(self) -> bool:
        """Return whether two ways over the same text lead from a position back to it."""
        followers: dict[int, list[int]] = defaultdict(list)
        for start, end in self.edges:
            followers[start].append(end)
        for circle in _circles(range(len(self.characters)), followers):
            if any(count > 1 and start in circle and end in circle for (start, end), count in self.edges.items()):
                return True
            if len(circle) <= _MAX_POSITIONS and self._has_two_ways(circle, followers):
                return True
        return False

    def _has_two_ways(self, circle: set[int], followers: dict[int, list[int]]) -> bool:
        """Return whether from a position two different ways over the same text lead back to it."""
        pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
        waiting = [(position, position) for position in circle]
        while waiting:
            pair = waiting.pop()
            if pair in pairs:
                continue
            pairs[pair] = [
                (one, other)
                for one in followers[pair[0]]
                for other in followers[pair[1]]
                if one in circle and other in circle and self.characters[one] & self.characters[other]
            ]
            waiting += pairs[pair]
        return any(
            any(one == other for one, other in together) and any(one != other for one, other in together)
            for together in _circles(list(pairs), pairs)
        )


_Node = TypeVar("_Node", bound=Hashable)


def _circles(nodes: Iterable[_Node], followers: Mapping[_Node, Sequence[_Node]]) -> Iterator[set[_Node]]:
    """Yield the sets of nodes that reach each other (Tarjan, without recursion), of one node only if it follows itself."""
    index: dict[_Node, int] = {}
    low: dict[_Node, int] = {}
    stack: list[_Node] = []
    on_stack: set[_Node] = set()
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(followers.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, below = work[-1]
            following = next(below, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    together: set[_Node] = set()
                    while node not in together:
                        last = stack.pop()
                        on_stack.discard(last)
                        together.add(last)
                    if len(together) > 1 or node in followers.get(node, ()):
                        yield together
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(followers.get(following, ()))))
            elif following in on_stack:
                low[node] = min(low[node], index[following])


@dataclass(frozen=True)
class _Part:
    """The positions that a part may begin and end with, and whether it may match nothing."""

    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    nullable: bool = True


_NOTHING = _Part()


class _Reader:
    """Reads a pattern that is known to be one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.automaton = _Automaton()

    def alternatives(self) -> _Part:
        """Read all up to the closing parenthesis, which is left, or the end."""
        branches = [_NOTHING]
        while self._at < len(self._text) and self._text[self._at] != ")":
            if self._text[self._at] == "|":
                self._at += 1
                branches.append(_NOTHING)
            elif options := _OPTIONS.match(self._text, self._at):
                self._at = options.end()
            else:
                branches[-1] = self._joined(branches[-1], self._repeated(self._atom()))
        return _Part(
            frozenset().union(*(one.first for one in branches)),
            frozenset().union(*(one.last for one in branches)),
            any(one.nullable for one in branches),
        )

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._connect(one, other)
        return _Part(
            one.first | other.first if one.nullable else one.first,
            one.last | other.last if other.nullable else other.last,
            one.nullable and other.nullable,
        )

    def _connect(self, one: _Part, other: _Part) -> None:
        self.automaton.edges.update((end, begin) for end in one.last for begin in other.first)

    def _repeated(self, part: _Part) -> _Part:
        found = _QUANTIFIER.match(self._text, self._at)
        if not found:
            return part
        self._at = found.end()
        sign = found[0][0]
        least = int(found[1]) if found[1] else 1 if sign == "+" else 0
        most = (int(found[3]) if found[3] else _MANY if found[2] else least) if found[1] else 1 if sign == "?" else _MANY
        if most >= _MANY:
            self._connect(part, part)
        return _Part(part.first, part.last, part.nullable or least == 0)

    def _atom(self) -> _Part:
        text, begin = self._text, self._at
        if text[begin] == "(":
            opening = _OPENING.match(text, begin)
            # A look-around matches nothing, and an atomic group is never tried in another way.
            edges, count = Counter(self.automaton.edges), len(self.automaton.characters)
            self._at = opening.end() if opening else begin + (4 if text.startswith("(?<", begin) else 3)
            part = self.alternatives()
            self._at += 1
            if opening is None:
                self.automaton.edges = edges
                del self.automaton.characters[count:]
                return _NOTHING
            return part
        if zero_width := _ZERO_WIDTH.match(text, begin):
            self._at = zero_width.end()
            return _NOTHING
        if text[begin] == "[":
            self._at = _end_of_class(text, begin)
        elif text[begin] == "\\":
            escape = _ESCAPE.match(text, begin)
            self._at = escape.end() if escape else begin + 2
        else:
            self._at += 1
        position = len(self.automaton.characters)
        self.automaton.characters.append(_matched(text[begin : self._at]))
        return _Part(frozenset([position]), frozenset([position]), nullable=False)


def _end_of_class(text: str, begin: int) -> int:
    at = begin + 1 + text.startswith("^", begin + 1)
    first = True
    while first or text[at] != "]":
        if text[at] == "\\":
            at += 2
        elif text.startswith("-[", at) and not first:
            at = _end_of_class(text, at + 1)
        else:
            at += 1
        first = False
    return at + 1


@lru_cache(maxsize=1024)
def _matched(atom: str) -> frozenset[str]:
    pattern = compiled(atom).pattern
    return frozenset(character for character in _SAMPLE if pattern.fullmatch(character))
