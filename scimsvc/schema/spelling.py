"""Which known name a misspelt one may mean."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

MAX_LENGTH = 256
"""Characters of a misspelt name that is compared with others."""
_COMPARED = 4
"""Names that a misspelt one is compared with letter by letter."""
_COMMON = 100
"""Names that may share a pair of letters, beyond which the pair tells nothing: below one URN there may be a thousand."""


class Spellings:
    """Known names. Pairs of letters choose a few, so that a request with a thousand misspelt names costs little."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower(): name for name in names}
        self._pairs = {name: _pairs(name) for name in self._names}
        self._with_pair: dict[str, list[str]] = {}
        for name, pairs in self._pairs.items():
            for pair in pairs:
                self._with_pair.setdefault(pair, []).append(name)

    def closest(self, name: str) -> str | None:
        """Return the known name that is most like a misspelt one, or None if none is."""
        if len(name) > MAX_LENGTH:
            return None
        lowered = name.lower()
        pairs = _pairs(lowered)
        shared = Counter(known for pair in pairs if len(names := self._with_pair.get(pair, ())) <= _COMMON for known in names)
        likely = sorted(shared, key=lambda known: shared[known] / (len(pairs) + len(self._pairs[known])), reverse=True)
        close = difflib.get_close_matches(lowered, likely[:_COMPARED], 1)
        return self._names[close[0]] if close else None


def _pairs(name: str) -> frozenset[str]:
    bounded = f"^{name}$"
    return frozenset(bounded[place : place + 2] for place in range(len(bounded) - 1))
