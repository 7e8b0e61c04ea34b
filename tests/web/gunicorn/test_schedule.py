"""Tenants share a worker's threads: no tenant starves, limits hold, and no job waits while a thread may run it."""

from collections import Counter, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scimsvc.web.gunicorn.schedule import Schedule, Verdict

TENANTS = "ABCD"


class Sharing(RuleBasedStateMachine):
    """Add, finish and withdraw jobs in any order, beside a plain record of who holds and waits for what."""

    @initialize(threads=st.integers(1, 9), queue_size=st.integers(1, 4))
    def begin(self, threads: int, queue_size: int) -> None:
        self.threads = threads
        self.queue_size = queue_size
        self.cap = max(1, threads - 1)
        self.schedule: Schedule[tuple[str, int]] = Schedule(threads, queue_size)
        self.running: list[tuple[str, int]] = []
        self.waiting: dict[str, deque[tuple[str, int]]] = {tenant: deque() for tenant in TENANTS}
        self.number = 0

    def held(self, tenant: str) -> int:
        return sum(job[0] == tenant for job in self.running)

    def started(self, job: tuple[str, int]) -> None:
        tenant = job[0]
        others_wait = any(self.waiting[other] for other in TENANTS if other != tenant)
        if others_wait and self.threads > 1:
            assert self.held(tenant) <= self.threads / 2, "it holds more than half while another tenant waits"
        self.running.append(job)

    @rule(tenant=st.sampled_from(TENANTS))
    def add(self, tenant: str) -> None:
        self.number += 1
        job = (tenant, self.number)
        verdict = self.schedule.add(tenant, job)
        if verdict is Verdict.RUN:
            assert not self.waiting[tenant], "it went past the tenant's own jobs"
            self.started(job)
        elif verdict is Verdict.WAIT:
            self.waiting[tenant].append(job)
        else:
            assert len(self.waiting[tenant]) == self.queue_size

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        ended = data.draw(st.sampled_from(self.running))
        self.running.remove(ended)
        empty = [tenant for tenant in TENANTS if self.waiting[tenant] and not self.held(tenant)]
        job = self.schedule.finish(ended[0])
        if empty:
            assert job is not None
            others = [tenant for tenant in empty if tenant != ended[0]]
            assert job[0] in (others or empty), "another tenant that holds nothing gets the next free thread"
        if job is not None:
            assert self.waiting[job[0]].popleft() == job, "jobs of a tenant start in their order"
            fewest = min(self.held(tenant) for tenant in TENANTS if self.waiting[tenant] or tenant == job[0])
            assert self.held(job[0]) == fewest
            self.started(job)

    @precondition(lambda self: any(self.waiting.values()))
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([job for queue in self.waiting.values() for job in queue]))
        assert self.schedule.withdraw(job[0], job)
        self.waiting[job[0]].remove(job)
        assert not self.schedule.withdraw(job[0], job)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def withdraw_what_runs(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.running))
        assert not self.schedule.withdraw(job[0], job)

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "schedule"):
            return
        assert len(self.running) + self.schedule.idle == self.threads
        for tenant in TENANTS:
            assert self.held(tenant) == self.schedule.running(tenant) <= self.cap
            assert len(self.waiting[tenant]) == self.schedule.waiting(tenant) <= self.queue_size
            if self.schedule.idle and self.waiting[tenant]:
                assert self.held(tenant) == self.cap, "it waits while a thread may run it"

    def teardown(self) -> None:
        """Whatever waits starts, if what runs ends."""
        left = sum(map(len, self.waiting.values())) + len(self.running) if hasattr(self, "schedule") else 0
        for _ in range(left):
            job = self.schedule.finish(self.running.pop(0)[0])
            if job is not None:
                self.waiting[job[0]].remove(job)
                self.running.append(job)
        if hasattr(self, "schedule"):
            assert not self.running
            assert not any(self.waiting.values())


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=200, stateful_step_count=40)


@given(st.integers(2, 8), st.integers(1, 60))
def test_a_flood_never_starves_another_tenant(threads: int, turns: int) -> None:
    """However many jobs of A follow each other, B's only job starts with the first thread that becomes free."""
    schedule: Schedule[str] = Schedule(threads, 100)
    running = Counter({"A": 0})
    for _ in range(threads + 5):
        running["A"] += schedule.add("A", "a") is Verdict.RUN
    assert running["A"] == threads - 1
    assert schedule.add("C", "c") is Verdict.RUN
    for _ in range(turns):
        assert schedule.add("B", "b") is Verdict.WAIT
        assert schedule.finish("A") == "b"
        # B's thread goes to whoever holds less than A, which is A itself now.
        assert schedule.finish("B") == "a"
        schedule.add("A", "a")


@pytest.mark.parametrize(("threads", "alone"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 7)])
def test_alone_a_tenant_has_all_threads_but_one(threads: int, alone: int) -> None:
    schedule: Schedule[int] = Schedule(threads, 1)
    assert [schedule.add("A", number) for number in range(alone)] == [Verdict.RUN] * alone
    assert schedule.add("A", alone) is Verdict.WAIT
    assert schedule.add("A", alone + 1) is Verdict.FULL
    assert schedule.add("B", 0) is (Verdict.RUN if threads > 1 else Verdict.WAIT)


def test_the_example_at_the_head_of_the_module() -> None:
    schedule: Schedule[str] = Schedule(4, 100)
    assert [schedule.add("A", f"a{number}") for number in range(6)] == [Verdict.RUN] * 3 + [Verdict.WAIT] * 3
    assert schedule.add("B", "b0") is Verdict.RUN
    assert schedule.add("B", "b1") is Verdict.WAIT
    assert schedule.finish("A") == "b1"
    assert (schedule.running("A"), schedule.running("B")) == (2, 2)
    assert schedule.finish("B") == "a3"
    assert (schedule.running("A"), schedule.running("B")) == (3, 1)
    assert schedule.waiting("A") == 2
