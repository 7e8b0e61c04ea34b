"""Add up the numbers of workers that have ended, in one file for each type, so that their own files can be removed.

A counter must not fall when a worker ends, so prometheus_client keeps the files of every process. `merge` adds those of ended
workers to `counter_ended.db` and `histogram_ended.db` and removes them. A lock makes sure that a reader sees each number once.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import multiprocess
from prometheus_client.mmap_dict import MmapedDict

_OF_PROCESS = re.compile(r"(?P<type>counter|histogram|summary)_(?P<pid>[0-9]+)\.db")
_PATIENCE = 1.0
"""Seconds for which the master process waits for readers. If they take longer, it merges the files when the next worker ends."""


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Keep the files unchanged while they are read."""
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def merge(directory: Path, ended: int, living: Collection[int]) -> None:
    """Merge the files of a worker that has ended, and of all others that are not among the `living` process ids."""
    multiprocess.mark_process_dead(ended, str(directory))
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if _lock(handle):
            for path in sorted(directory.iterdir()):
                match = _OF_PROCESS.fullmatch(path.name)
                if match and int(match["pid"]) not in living:
                    _add(path, directory / f"{match['type']}_ended.db")
                    path.unlink()
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)


def _add(path: Path, total: Path) -> None:
    """Add the numbers of one file to those of another. Of a truncated file, add what can be read."""
    sums = MmapedDict(str(total))
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
    except (RuntimeError, ValueError, OSError, struct.error):
        # A worker that was killed during a write must not stop the master process.
        return
    finally:
        sums.close()
