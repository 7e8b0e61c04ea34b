"""The request threads of a worker: each takes the connection whose turn it is, and has it served."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from queue import SimpleQueue
from threading import Lock, Thread

from scimsvc.web.gunicorn.connection import Connection, State
from scimsvc.web.gunicorn.schedule import Schedule, Verdict


class Threads:
    """Threads that call `serve` for each connection that is submitted, in the order of a `Schedule`.

    `serve` returns whether the connection is ready for its next request. If not, the thread calls `leave`, which tells the loop.
    No thread wakes another thread or the loop for a job: a thread that has finished takes the next job itself.
    """

    def __init__(
        self,
        number: int,
        queue_size: int,
        serve: Callable[[Connection], bool],
        leave: Callable[[Connection], None],
        failed: Callable[[str], object],
    ) -> None:
        self.lock = Lock()
        """Protects the schedule, and the changes of state that `connection` describes (invariant 1)."""
        self._schedule: Schedule[Connection] = Schedule(number, queue_size)
        self._serve = serve
        self._leave = leave
        self._failed = failed
        self._started: SimpleQueue[Connection] = SimpleQueue()
        for index in range(number):
            Thread(target=self._run, name=f"requests-{index}", daemon=True).start()

    def submit(self, conn: Connection, tenant: Hashable) -> Verdict:
        """Have a connection served: now (RUN), when its turn comes (WAIT), or not at all (FULL)."""
        with self.lock:
            conn.tenant = tenant
            verdict = self._schedule.add(tenant, conn)
            conn.state = State.WAITING if verdict is Verdict.WAIT else State.RUNNING
        if verdict is Verdict.RUN:
            self._started.put(conn)
        return verdict

    def withdraw(self, conn: Connection) -> bool:
        """Remove a connection from the queue. Return False if it is being served already."""
        with self.lock:
            return self._schedule.withdraw(conn.tenant, conn)

    def _run(self) -> None:
        while True:
            following: Connection | None = self._started.get()
            while following is not None:
                following = self._turn(following)

    def _turn(self, conn: Connection) -> Connection | None:
        tenant = conn.tenant
        goes_on = False
        try:
            goes_on = self._serve(conn)
        except BaseException:
            # If the thread ended here, it would be missing until the worker restarts.
            conn.lost = True
            self._failed("a request thread could not do its work")
        with self.lock:
            following = self._schedule.finish(tenant)
            if following is not None:
                following.state = State.RUNNING
            if goes_on and not conn.ended and not conn.incoming.begun:
                conn.state = State.READING
            else:
                goes_on = False
        if not goes_on:
            self._leave(conn)
        return following
