"""The metrics: what the processes of a run have counted, and what the database tells at the moment of a scrape.

Counters are added up over all processes of a run by prometheus_client. What the database tells is asked by the process that
answers, seldom, and is the same in each. All processes share an exposition for a second, so asking for it often, which needs
no token, costs nothing. Labels are of fixed sets (see `labels`), but for tenants, of which there are MAX_TENANTS at most.
"""

from __future__ import annotations

import fcntl
import os
import platform
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scimsvc import __version__
from scimsvc.service.catalogs import Catalogs
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.statistics import Statistics, statistics
from scimsvc.web.observe import ended_workers, run_directory
from scimsvc.web.observe.labels import MAX_TENANTS, Kind, tenant_label
from scimsvc.web.observe.request_log import Done

EXPOSED_FOR = 1.0
"""Seconds for which an exposition is sent again, by all processes."""
ASKED_EVERY = 15.0
"""Seconds for which what the database told is taken for true."""
_OF_DATABASE = "database "
"""How the rule of an error begins whose reason is the database's."""


class Metrics:
    """The metrics of one application."""

    def __init__(self, database: Database, catalogs: Catalogs) -> None:
        self._database = database
        self._catalogs = catalogs
        self._told: Statistics | None = None
        self._asked = -ASKED_EVERY
        self._retries = 0
        self._exposing = threading.Lock()
        self._exposed = (-EXPOSED_FOR, b"")
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "scimsvc_requests_total",
            "Requests by method, endpoint and status.",
            ["method", "endpoint", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "scimsvc_request_seconds",
            "Seconds that requests took, by method and endpoint.",
            ["method", "endpoint"],
            registry=registry,
        )
        self._operations = Counter(
            "scimsvc_operations_total",
            "Requests and the operations of bulk requests, by tenant, operation, class of status and scimType.",
            ["tenant", "operation", "status_class", "scim_type"],
            registry=registry,
        )
        self._deprovisioned = Counter(
            "scimsvc_deprovisioned_total",
            "Users that were disabled or deleted, by tenant.",
            ["tenant", "kind"],
            registry=registry,
        )
        self._refused = Counter(
            "scimsvc_refused_total",
            "Requests that were refused before they had arrived as a whole, by status.",
            ["status"],
            registry=registry,
        )
        self._errors = Counter(
            "scimsvc_database_errors_total",
            "Requests and operations that failed because of the database, by reason.",
            ["reason"],
            registry=registry,
        )
        self._retried = Counter(
            "scimsvc_database_retries_total",
            "Transactions that were begun anew after a deadlock or a serialization failure.",
            registry=registry,
        )
        self._queue = Gauge(
            "scimsvc_database_queue",
            "Transactions that wait for SQLite's one writer, when requests were last counted.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._broken = Gauge(
            "scimsvc_profiles_broken",
            "1 where the files of mapping profiles are broken, and those stay in use that were good.",
            multiprocess_mode="livemax",
            registry=registry,
        )

    def count_refusal(self, status: int) -> None:
        """Count a request that a worker refused itself, because it did not arrive in time or is too large."""
        self._refused.labels(str(status)).inc()

    def count(self, done: Iterable[Done]) -> None:
        """Count requests and operations that are over."""
        requests: Tally[tuple[Kind, int]] = Tally()
        operations: Tally[tuple[str, str, int, str]] = Tally()
        observe: dict[Kind, Callable[[float], None]] = {}
        for note, kind, status, seconds, _, error, effect, _, _ in done:
            tenant = tenant_label(note.credential)
            operations[tenant, kind.operation, status, error.scim_type or "" if error else ""] += 1
            if effect == "disable" or (status == 204 and kind.endpoint == "/users/{id}" and kind.operation == "delete"):
                self._deprovisioned.labels(tenant, effect or "delete").inc()
            if error and error.rule and error.rule.startswith(_OF_DATABASE):
                self._errors.labels(error.rule.removeprefix(_OF_DATABASE)).inc()
            if seconds is not None:
                requests[kind, status] += 1
                if kind not in observe:
                    observe[kind] = self._seconds.labels(kind.method, kind.endpoint).observe
                observe[kind](seconds)
        for (kind, status), number in requests.items():
            self._requests.labels(kind.method, kind.endpoint, str(status)).inc(number)
        for (tenant, operation, status, scim_type), number in operations.items():
            self._operations.labels(tenant, operation, f"{status // 100}xx", scim_type).inc(number)
        self._sample()

    def _sample(self) -> None:
        """Take over what this process's database connections have counted."""
        retries = self._database.retries
        if retries != self._retries:
            self._retried.inc(retries - self._retries)
            self._retries = retries
        self._queue.set(self._database.queued)

    def exposition(self) -> bytes:
        """Return the metrics of all processes of this run, or of this one alone if it has no folder of a run."""
        directory = os.environ.get(run_directory.METRICS_DIRECTORY)
        if not self._exposing.acquire(blocking=False):
            # Another thread is at it. To wait here would hold a thread that requests need.
            return self._exposed[1] or self._expose(directory)
        try:
            if directory is not None:
                return self._shared_exposition(Path(directory))
            if time.monotonic() - self._exposed[0] >= EXPOSED_FOR:
                self._exposed = (time.monotonic(), self._expose(None))
            return self._exposed[1]
        finally:
            self._exposing.release()

    def _shared_exposition(self, directory: Path) -> bytes:
        shared = directory / "exposition"
        with _turn(directory / "exposition.lock") as mine:
            try:
                if not mine or time.time() - shared.stat().st_mtime < EXPOSED_FOR:
                    self._exposed = (time.monotonic(), shared.read_bytes())
                    return self._exposed[1]
            except OSError:
                # There is none yet.
                pass
            text = self._expose(str(directory))
            self._exposed = (time.monotonic(), text)
            fresh = directory / f"exposition.{os.getpid()}"
            fresh.write_bytes(text)
            fresh.replace(shared)
            return text

    def _expose(self, directory: str | None) -> bytes:
        self._catalogs.look()
        self._broken.set(self._catalogs.problem is not None)
        self._sample()
        told_registry = CollectorRegistry()
        told_registry.register(_Families(list(self._families())))
        told = generate_latest(told_registry)
        if directory is None:
            return generate_latest(self._registry) + told
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, directory)
        with ended_workers.reading(Path(directory)):
            return generate_latest(registry) + told

    def _families(self) -> Iterator[GaugeMetricFamily]:
        """Yield what is true of the installation, and so the same in every process."""
        told = self._statistics()
        yield _gauge(
            "scimsvc_build_info",
            "1; the labels say which version runs.",
            {(__version__, platform.python_version()): 1},
            "version",
            "python",
        )
        yield _gauge("scimsvc_database_up", "1 if the database answers.", {(): told is not None})
        if told is None:
            return
        yield _gauge(
            "scimsvc_tenant_last_contact_timestamp_seconds",
            "When a token of a tenant was last used, a minute late at most.",
            {(tenant,): _seconds(used) for tenant, used in told.last_used.items()},
            "tenant",
        )
        yield _gauge(
            "scimsvc_token_expiry_timestamp_seconds",
            "When the first of a tenant's live tokens of a scope expires.",
            {labels: _seconds(expires) for labels, expires in told.expires.items()},
            "tenant",
            "scope",
        )
        yield _gauge(
            "scimsvc_members_awaited",
            "Members of groups that do not exist yet (unknownMembers: pending).",
            {(): told.members_awaited},
        )
        yield _gauge(
            "scimsvc_resources_awaiting_purge",
            "Deleted resources that can still be restored, or wait for db purge.",
            {(): told.awaiting_purge},
        )
        if told.wal_bytes is not None:
            yield _gauge("scimsvc_database_wal_bytes", "Size of SQLite's write-ahead log.", {(): told.wal_bytes})
        if told.most_connections is not None:
            yield _gauge(
                "scimsvc_database_connections",
                "Connections to this PostgreSQL database, of all programs, by state.",
                {(state,): number for state, number in told.connections.items()},
                "state",
            )
            yield _gauge("scimsvc_database_connections_waiting", "Those of them that wait for a lock.", {(): told.waiting or 0})
            yield _gauge("scimsvc_database_max_connections", "PostgreSQL's max_connections.", {(): told.most_connections})

    def _statistics(self) -> Statistics | None:
        if time.monotonic() - self._asked >= ASKED_EVERY:
            types = {served.resource_type.name for one in self._catalogs.all().values() for served in one.types.values()}
            self._told = None
            try:
                self._told = statistics(self._database, MAX_TENANTS, types)
            except DatabaseUnavailable:
                return None
            self._asked = time.monotonic()
        return self._told


class _Families(Collector):
    """A collector of numbers that are there already."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._families


def _gauge(name: str, text: str, values: Mapping[tuple[str, ...], float], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for of_labels, value in values.items():
        family.add_metric(of_labels, float(value))
    return family


def _seconds(moment: str) -> float:
    """Return seconds since the epoch for a time in the store's form."""
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


@contextmanager
def _turn(lock: Path) -> Iterator[bool]:
    """Hold a lock over processes; yield False, without waiting, if another process has it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except BlockingIOError:
            mine = False
        yield mine
    finally:
        os.close(handle)
