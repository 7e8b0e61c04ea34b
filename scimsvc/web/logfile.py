"""Standard output for log lines, written in batches: a system call for each line costs as much as a small request."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from typing import BinaryIO

INTERVAL = 0.2
"""Seconds for which a line may wait; a killed process loses the lines of that time, an ended one none."""


class BatchedLines:
    """A binary stream that collects what is written to it and hands it on from a thread of its own."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: deque[bytes] = deque()
        self._writer_of = 0
        self._starting = threading.Lock()
        atexit.register(self.drain)

    def write(self, line: bytes) -> int:
        """Take a line; it is written within INTERVAL."""
        self._lines.append(line)
        # A thread doesn't come over a fork, so each process starts its own.
        if self._writer_of != os.getpid():
            with self._starting:
                if self._writer_of != os.getpid():
                    threading.Thread(target=self._run, name="log", daemon=True).start()
                    self._writer_of = os.getpid()
        return len(line)

    def flush(self) -> None:
        """Nothing: flushing each line is what this class is there to avoid."""

    def drain(self) -> None:
        """Write what has been collected."""
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        if lines:
            try:
                self._stream.write(b"".join(lines))
                self._stream.flush()
            except (OSError, ValueError):
                # Nobody reads the log any more; that is no reason to stop serving.
                self._lines.clear()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(INTERVAL)
            self.drain()
