"""Progress of long work on standard error: one line updated in place on a terminal, a line every 10 seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import IO, TypeVar

T = TypeVar("T")

SHOWN_AFTER = 1.0
"""Seconds of work before a terminal shows a line, so that short work shows nothing."""
UPDATED_EVERY = 0.2
"""Seconds between two updates of the line on a terminal."""
LINE_EVERY = 10.0
"""Seconds between two lines where the output is not a terminal, such as a log."""
RATE_AFTER = 3.0
"""Seconds of work before the rest of the time is estimated."""


class Progress:
    """Show how much of some work is done, as in `indexing: 8,200 of 20,052 accounts (40 %), about 25 s left`.

    `what` names the work, `unit` what is counted; `total` is None if it is not known; `done` was done by an earlier run.
    Use it as a context manager: leaving it ends the line, also after an exception.
    `count` tells afterwards how much is done, for the message after an interruption.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        unit: str = "accounts",
        done: int = 0,
        stream: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.total, self.unit, self.count = what, total, unit, done
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._begin = clock()
        self._done_before = done
        self._next = self._begin + (SHOWN_AFTER if self._terminal else LINE_EVERY)
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def advance(self, count: int = 1) -> None:
        """Count `count` more as done, and show the line if it is time."""
        self.count += count
        now = self._clock()
        if now >= self._next:
            self._next = now + (UPDATED_EVERY if self._terminal else LINE_EVERY)
            self._show(now)

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and count each as done once the caller asks for the next one."""
        for item in items:
            yield item
            self.advance()

    def end(self) -> None:
        """Leave the last state of the line standing, so that the next message begins on a line of its own."""
        if self._width:
            self._show(self._clock())
            self._stream.write("\n")
            self._stream.flush()
            self._width = 0

    def text(self, now: float) -> str:
        """Return the line at a time of the clock, without a line break."""
        of = "" if self.total is None else f" of {self.total:,}"
        share = f" ({100 * self.count // self.total} %)" if self.total else ""
        return f"{self.what}: {self.count:,}{of} {self.unit}{share}{self._left(now)}"

    def _left(self, now: float) -> str:
        seconds, done = now - self._begin, self.count - self._done_before
        if not self.total or done <= 0 or seconds < RATE_AFTER or self.count >= self.total:
            return ""
        left = round((self.total - self.count) * seconds / done)
        return f", about {left} s left" if left < 120 else f", about {round(left / 60)} min left"

    def _show(self, now: float) -> None:
        line = self.text(now)
        if self._terminal:
            # A shorter line would leave the end of the longer one before it.
            self._stream.write(f"\r{line.ljust(self._width)}")
            self._width = len(line)
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()
