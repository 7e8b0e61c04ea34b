"""Collect what a request need not wait for, and handle it in batches in another thread."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

INTERVAL = 0.2
"""Seconds for which an item may wait."""

Item = TypeVar("Item")


class Batches(Generic[Item]):
    """Collects items and passes all that came within `interval` seconds to `handle` at once; the rest when the process ends."""

    def __init__(self, name: str, handle: Callable[[list[Item]], None], interval: float = INTERVAL) -> None:
        self._name = name
        self._interval = interval
        self._handle = handle
        self._items: deque[Item] = deque()
        self._process = 0
        self._starting = threading.Lock()
        self._draining = threading.Lock()
        atexit.register(self.drain)

    def add(self, item: Item) -> None:
        """Add an item."""
        self._items.append(item)
        # A thread does not survive a fork, so each process starts its own.
        if self._process != os.getpid():
            self._start()

    def drain(self) -> None:
        """Handle the collected items now."""
        with self._draining:
            items = [self._items.popleft() for _ in range(len(self._items))]
            if items:
                self._handle(items)

    def _start(self) -> None:
        with self._starting:
            if self._process != os.getpid():
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                self._process = os.getpid()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._interval)
            self.drain()
