"""Choose how many workers and threads suit the machine and the database.

Every thread keeps one connection to PostgreSQL. So the instances of a service must not have more threads than PostgreSQL has
connections. Some connections must stay free for the command `scimsvc`, for backups and for people.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SPARE = 5
"""Connections that the defaults leave to others."""
_THREADS = 8
_WORKERS_PER_CPU = 2
_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Capacity:
    """The size of one instance, of which there are `instances`.

    `connections` is how many PostgreSQL allows this service; None if that is unknown, and on SQLite.
    """

    workers: int
    threads: int
    instances: int = 1
    connections: int | None = None

    @property
    def planned(self) -> int:
        """Return how many connections all instances may open."""
        return self.instances * self.workers * self.threads

    @property
    def exceeded(self) -> bool:
        """Return whether the instances may leave fewer than SPARE connections to others."""
        return self.connections is not None and self.planned > self.connections - SPARE

    def in_words(self) -> str:
        """Return a line for the log."""
        size = f"{self.workers} workers with {self.threads} threads each"
        if self.connections is None:
            return size
        return (
            f"{size}; {self.instances} such instances open up to {self.planned} of PostgreSQL's {self.connections} usable "
            f"connections, of which {SPARE} should stay free"
        )

    def warning(self) -> str:
        """Return what to do if there are too few connections."""
        return (
            f"server.instances is {self.instances}: {self.planned} connections are too many for PostgreSQL, which has "
            f"{self.connections} for this service. Lower server.workers or server.threads, or raise max_connections."
        )


def capacity(sqlite: bool, workers: int, threads: int, instances: int, connections: int | None, cpus: int) -> Capacity:
    """Return the size of an instance. `workers` and `threads` are the settings; 0 chooses.

    SQLite has one writer at a time, so more processes only wait. PostgreSQL answers over a socket, where threads wait well.
    """
    if sqlite:
        return Capacity(workers or 2, threads or 4)
    chosen = workers or _WORKERS_PER_CPU * cpus
    each = threads or _THREADS
    if connections is not None:
        share = max(1, (connections - SPARE) // instances)
        if not workers:
            # A process takes more memory than a thread, so threads go last.
            chosen = max(1, min(chosen, share // min(each, share)))
        if not threads:
            each = max(1, min(each, share // chosen))
    return Capacity(chosen, each, instances, connections)


def usable_cpus(cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> int:
    """Return how many CPUs this process may use, at least 1: those of its affinity, or fewer if its container has a quota.

    Half a CPU counts as one.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [math.ceil(quota) for quota in _quotas(cgroups, membership)]
    return max(1, min([affinity, *quotas]))


def _quotas(cgroups: Path, membership: Path) -> Iterator[float]:
    """Yield the CPU quotas of the control groups that a process is in, and of their parents (versions 1 and 2)."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            for folder in _upwards(cgroups, path):
                quota, _, period = _read(folder / "cpu.max").partition(" ")
                yield from _in_cpus(quota, period)
        elif "cpu" in controllers.split(","):
            for root in (cgroups / "cpu", cgroups / controllers):
                for folder in _upwards(root, path):
                    yield from _in_cpus(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """Yield the folder of a group and its parents. In a container its own group may be the root, whatever the path outside."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:length])


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _in_cpus(quota: str, period: str) -> Iterator[float]:
    """Yield the quota in CPUs, if there is one: `max`, `-1` and an empty file mean that there is none."""
    if quota.isdigit() and period.isdigit() and int(quota) and int(period):
        yield int(quota) / int(period)
