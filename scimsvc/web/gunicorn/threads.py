"""The request threads of a worker: each takes a connection whose turn it is, and has it served."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from queue import SimpleQueue
from threading import Lock, Thread

from scimsvc.web.gunicorn.connection import Connection, State
from scimsvc.web.gunicorn.schedule import Schedule, Verdict


class Threads:
    """Threads that call `serve` for each connection that is submitted, in the order of a `Schedule`.

    `serve` returns whether the connection's next request may come, so that the loop need not hear of it; otherwise `leave` is
    called, in the thread. No thread wakes another or the loop for a job: one that has finished takes the next itself.
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
        """Guards the schedule, and what connection.py says."""
        self._schedule: Schedule[Connection] = Schedule(number, queue_size)
        self._serve = serve
        self._leave = leave
        self._failed = failed
        self._started: SimpleQueue[Connection] = SimpleQueue()
        for place in range(number):
            Thread(target=self._run, name=f"requests-{place}", daemon=True).start()

    def submit(self, conn: Connection, tenant: Hashable) -> Verdict:
        """Have a connection served: now, when it is its turn, or (FULL) not at all."""
        with self.lock:
            conn.tenant = tenant
            verdict = self._schedule.add(tenant, conn)
            conn.state = State.WAITING if verdict is Verdict.WAIT else State.RUNNING
        if verdict is Verdict.RUN:
            self._started.put(conn)
        return verdict

    def withdraw(self, conn: Connection) -> bool:
        """Take a connection out of the queue. Return False if it is being served already."""
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
            # A thread that ended would be missing for good.
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
