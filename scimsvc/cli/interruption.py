"""Ctrl-C and SIGTERM during long work: stop at a safe point and say what state the work left behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import click

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal that asks the command to end."""


class Interruption:
    """End the command at a signal, with `state` on standard error and the shell's exit status, 128 + signal number.

    `state` says what is done and which command continues; the work replaces it as it goes on. A signal ends the work at once,
    except in a `held` block: there it waits for the next `checkpoint`, or for the end of the block. A second signal ends it
    at once even there.
    """

    def __init__(self, state: str) -> None:
        self.state: Callable[[], str] = lambda: state
        self._held = False
        self._signal: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        # Python gives signals to the main thread alone.
        if threading.current_thread() is threading.main_thread():
            self._former = {one: signal.signal(one, self._handle) for one in _SIGNALS}
        return self

    def __exit__(self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for one, handler in self._former.items():
            signal.signal(one, handler)
        if isinstance(error, Interrupted):
            click.echo(f"interrupted: {self.state()}", err=True)
            raise SystemExit(128 + (self._signal or signal.SIGINT)) from None

    def done(self, state: str) -> None:
        """Replace the state by a text."""
        self.state = lambda: state

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a block end, or reach a checkpoint, before a signal ends the work."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.checkpoint()

    def checkpoint(self) -> None:
        """End the work here if a signal has come."""
        if self._signal is not None:
            raise Interrupted

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self._signal = self._signal is not None, number
        if again or not self._held:
            raise Interrupted
