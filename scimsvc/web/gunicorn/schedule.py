"""Share a worker's request threads between tenants. Pure: no thread, no clock, no socket.

Theory of operation
===================

A job is a request that has arrived completely. It belongs to a tenant and is in one of these states:

| state   | owner         | leaves it by                                                                |
| ------- | ------------- | --------------------------------------------------------------------------- |
| new     | the caller    | `add`: to *running*, to *waiting*, or refused because the queue is full     |
| waiting | the schedule  | `finish` of another job: to *running*; `withdraw`: back to the caller        |
| running | one thread    | `finish`: the schedule forgets the job and names the next one for the thread |

Invariants, after each call:

1. At most `threads` jobs run, and at most `cap` of one tenant: all threads but one, and at least one. So a thread is left for the
   first request of another tenant.
2. A thread is idle while jobs wait only if each tenant of a waiting job runs `cap` jobs.
3. At most `queue_size` jobs of one tenant wait. Another tenant's jobs never take that room.
4. A thread that becomes free goes to the waiting tenant that runs the fewest jobs; among equals, not to the one that had it, and
   to the one whose latest start is longest ago. So a tenant that runs nothing gets the next free thread. A tenant that holds more
   than half starts no job while another tenant waits: of two that wait, one holds less than half.
5. The jobs of one tenant start in the order in which they came.

A waiting job starts if the running jobs end: its tenant is passed over only by tenants that run fewer jobs or whose turn is due.

Example, with 4 threads (cap 3). `A` sends six requests, `B` two; `A:2 B:0` counts the running jobs.

| call        | running   | waiting  | because                                             |
| ----------- | --------- | -------- | --------------------------------------------------- |
| add A 3x    | A:3       |          | idle threads, below the cap                         |
| add A 3x    | A:3       | A A A    | A is at its cap; the fourth thread stays idle       |
| add B       | A:3 B:1   | A A A    | the idle thread is for B                            |
| add B       | A:3 B:1   | A A A B  | no thread is idle                                   |
| finish A    | A:2 B:2   | A A A    | B runs fewer jobs than A                            |
| finish B    | A:3 B:1   | A A      | B has nothing that waits, so A may use the thread   |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from enum import Enum
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Verdict(Enum):
    """What becomes of a job that is added."""

    RUN = "an idle thread starts it now"
    WAIT = "it starts when a thread becomes free"
    FULL = "too many jobs of its tenant wait; the caller keeps it"


class _Share(Generic[Job]):
    """The jobs of a tenant: how many run, which wait, and the number of its latest start."""

    __slots__ = ("latest", "queue", "running")

    def __init__(self) -> None:
        self.running = 0
        self.latest = 0
        self.queue: deque[Job] = deque()


class Schedule(Generic[Job]):
    """Decide which job runs next. `queue_size` is how many jobs of one tenant may wait. Not safe for use by several threads."""

    def __init__(self, threads: int, queue_size: int) -> None:
        self.cap = max(1, threads - 1)
        self.idle = threads
        self._queue_size = queue_size
        self._starts = 0
        # A tenant without jobs is in neither.
        self._shares: dict[Hashable, _Share[Job]] = {}
        self._waiting: set[Hashable] = set()

    def running(self, tenant: Hashable) -> int:
        """Return how many jobs of a tenant run."""
        return self._shares[tenant].running if tenant in self._shares else 0

    def waiting(self, tenant: Hashable) -> int:
        """Return how many jobs of a tenant wait."""
        return len(self._shares[tenant].queue) if tenant in self._shares else 0

    def add(self, tenant: Hashable, job: Job) -> Verdict:
        """Take a job. After RUN the caller hands it to an idle thread."""
        share = self._shares.get(tenant)
        if share is None:
            share = self._shares[tenant] = _Share()
        if self.idle and share.running < self.cap:
            self.idle -= 1
            self._start(share)
            return Verdict.RUN
        if len(share.queue) >= self._queue_size:
            return Verdict.FULL
        share.queue.append(job)
        self._waiting.add(tenant)
        return Verdict.WAIT

    def finish(self, tenant: Hashable) -> Job | None:
        """Note that a job of a tenant has ended. Return the job that the thread starts now, or None if it becomes idle."""
        ended = self._shares[tenant]
        ended.running -= 1
        if not ended.running and not ended.queue:
            del self._shares[tenant]
        if self._waiting:
            following = min(self._waiting, key=lambda waiting: self._turn(waiting, tenant))
            share = self._shares[following]
            if share.running < self.cap:
                self._start(share)
                job = share.queue.popleft()
                if not share.queue:
                    self._waiting.remove(following)
                return job
        self.idle += 1
        return None

    def withdraw(self, tenant: Hashable, job: Job) -> bool:
        """Remove a waiting job from the queue. Return False if it does not wait (any more)."""
        share = self._shares.get(tenant)
        if share is None or job not in share.queue:
            return False
        share.queue.remove(job)
        if not share.queue:
            self._waiting.remove(tenant)
            if not share.running:
                del self._shares[tenant]
        return True

    def _start(self, share: _Share[Job]) -> None:
        self._starts += 1
        share.latest = self._starts
        share.running += 1

    def _turn(self, tenant: Hashable, ended: Hashable) -> tuple[int, bool, int]:
        share = self._shares[tenant]
        return share.running, tenant == ended, share.latest
