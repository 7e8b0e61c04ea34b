"""How long regular expressions may take: for one value, and for all values of a request together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from types import TracebackType

from scimsvc.mapping.functions.model import FunctionError

TIME_LIMIT = 0.1
"""Seconds that one regular expression may take for one value."""
REQUEST_LIMIT = 1.0
"""Seconds that the regular expressions of one request may take together."""


@dataclass
class Budget:
    """What is `left` of the seconds of a request; `limit` is what it had at first."""

    limit: float
    left: float

    @property
    def is_spent(self) -> bool:
        """Return whether nothing is left, so that an expression was refused or will be."""
        return self.left <= 0


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def budget(seconds: float = REQUEST_LIMIT) -> Iterator[Budget]:
    """Let the regular expressions in this block take so many seconds together; each that comes later raises FunctionError."""
    own = Budget(seconds, seconds)
    token = _current.set(own)
    try:
        yield own
    finally:
        _current.reset(token)


class Measured:
    """Measures a block that works out one regular expression.

    It gives the seconds that the block may take, and subtracts those that it took from the budget. Raise FunctionError if it
    takes too long or too much memory, or if the budget is spent.
    """

    __slots__ = ("_budget", "_start")

    def __enter__(self) -> float:
        self._budget = _current.get()
        self._start = monotonic()
        if self._budget is None:
            return TIME_LIMIT
        if self._budget.is_spent:
            raise _spent(self._budget)
        return min(TIME_LIMIT, self._budget.left)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._budget is not None:
            self._budget.left -= monotonic() - self._start
        if isinstance(error, TimeoutError):
            if self._budget is not None and self._budget.is_spent:
                raise _spent(self._budget) from None
            raise FunctionError(f"the regular expression takes more than {TIME_LIMIT} s for this value") from None
        if isinstance(error, MemoryError):
            raise FunctionError("the regular expression takes too much memory for this value") from None


def _spent(spent: Budget) -> FunctionError:
    return FunctionError(f"the regular expressions take more than {spent.limit:g} s together")
