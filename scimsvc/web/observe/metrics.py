"""The metrics: what the processes of a run have counted, and what the database says when they are asked for.

prometheus_client adds up the counters of all processes. The process that answers asks the database, at most every ASKED_EVERY
seconds. All processes share an exposition for a second, so a client that asks often, without a token, costs nothing. Labels are
from fixed sets (see `labels`), except tenants: at most MAX_TENANTS of them have a label.
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
from functools import partial
from pathlib import Path
from typing import TypeVar

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

Labels = TypeVar("Labels", bound=tuple[str, ...])

EXPOSED_FOR = 1.0
"""Seconds for which all processes send the same exposition."""
ASKED_EVERY = 15.0
"""Seconds for which the answers of the database are reused."""
_OF_DATABASE = "database "
"""The prefix of an error's rule if its reason is one of the database."""


class Metrics:
    """The metrics of one application."""

    def __init__(self, database: Database, catalogs: Catalogs) -> None:
        self._database = database
        self._catalogs = catalogs
        self._latest: Statistics | None = None
        self._latest_at = -ASKED_EVERY
        self._retries = 0
        self._exposition_lock = threading.Lock()
        self._last_exposition = (-EXPOSED_FOR, b"")
        self._registry = registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        text = "Requests by method, endpoint and status."
        self._requests = counter("scimsvc_requests_total", text, ["method", "endpoint", "status"])
        text = "Seconds that requests took, by method and endpoint."
        self._seconds = Histogram("scimsvc_request_seconds", text, ["method", "endpoint"], registry=registry)
        text = "Requests and the operations of bulk requests, by tenant, operation, class of status and scimType."
        self._operations = counter("scimsvc_operations_total", text, ["tenant", "operation", "status_class", "scim_type"])
        text = "Users that were disabled or deleted, by tenant."
        self._deprovisioned = counter("scimsvc_deprovisioned_total", text, ["tenant", "kind"])
        text = "Requests that were refused before they had arrived completely, by status."
        self._refused = counter("scimsvc_refused_total", text, ["status"])
        text = "Requests and operations that failed because of the database, by reason."
        self._errors = counter("scimsvc_database_errors_total", text, ["reason"])
        text = "Transactions that were repeated after a deadlock or a serialization failure."
        self._retried = counter("scimsvc_database_retries_total", text)
        text = "Transactions that wait for SQLite's one writer, when requests were last counted."
        self._queue = gauge("scimsvc_database_queue", text, multiprocess_mode="livesum")
        text = "1 if the file of a mapping profile is invalid, so that its last valid version stays in use."
        self._broken = gauge("scimsvc_profiles_broken", text, multiprocess_mode="livemax")

    def count_refusal(self, status: int) -> None:
        """Count a request that a worker refused itself, because it did not arrive in time or was too large."""
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
        """Copy what this process's database connections have counted."""
        retries = self._database.retries
        if retries != self._retries:
            self._retried.inc(retries - self._retries)
            self._retries = retries
        self._queue.set(self._database.queued)

    def exposition(self) -> bytes:
        """Return the metrics of all processes of this run, or of this process if the run has no folder."""
        directory = os.environ.get(run_directory.METRICS_DIRECTORY)
        if not self._exposition_lock.acquire(blocking=False):
            # Another thread makes one. A thread that waited here would be missing for requests.
            return self._last_exposition[1] or self._expose(directory)
        try:
            if directory is not None:
                return self._shared_exposition(Path(directory))
            if time.monotonic() - self._last_exposition[0] >= EXPOSED_FOR:
                self._last_exposition = (time.monotonic(), self._expose(None))
            return self._last_exposition[1]
        finally:
            self._exposition_lock.release()

    def _shared_exposition(self, directory: Path) -> bytes:
        shared = directory / "exposition"
        with _turn(directory / "exposition.lock") as is_mine:
            try:
                if not is_mine or time.time() - shared.stat().st_mtime < EXPOSED_FOR:
                    self._last_exposition = (time.monotonic(), shared.read_bytes())
                    return self._last_exposition[1]
            except OSError:
                # There is no exposition yet.
                pass
            text = self._expose(str(directory))
            self._last_exposition = (time.monotonic(), text)
            fresh = directory / f"exposition.{os.getpid()}"
            fresh.write_bytes(text)
            fresh.replace(shared)
            return text

    def _expose(self, directory: str | None) -> bytes:
        self._catalogs.look()
        self._broken.set(self._catalogs.problem is not None)
        self._sample()
        statistics_registry = CollectorRegistry()
        statistics_registry.register(_Families(list(self._families())))
        from_database = generate_latest(statistics_registry)
        if directory is None:
            return generate_latest(self._registry) + from_database
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, directory)
        with ended_workers.reading(Path(directory)):
            return generate_latest(registry) + from_database

    def _families(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics of the installation, which are the same in every process."""
        latest = self._statistics()
        build = {(__version__, platform.python_version()): 1}
        yield _gauge("scimsvc_build_info", "1; the labels say which version runs.", build, "version", "python")
        yield _gauge("scimsvc_database_up", "1 if the database answers.", {(): latest is not None})
        if latest is not None:
            yield from _of_tenants(latest)
            yield from _of_database(latest)

    def _statistics(self) -> Statistics | None:
        if time.monotonic() - self._latest_at >= ASKED_EVERY:
            types = {served.resource_type.name for catalog in self._catalogs.all().values() for served in catalog.types.values()}
            self._latest = None
            try:
                self._latest = statistics(self._database, MAX_TENANTS, types)
            except DatabaseUnavailable:
                return None
            self._latest_at = time.monotonic()
        return self._latest


class _Families(Collector):
    """A collector of numbers that are known already."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._families


def _gauge(name: str, text: str, values: Mapping[Labels, float], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for of_labels, value in values.items():
        family.add_metric(of_labels, float(value))
    return family


def _of_tenants(latest: Statistics) -> Iterator[GaugeMetricFamily]:
    text = "When a token of a tenant was last used, at most a minute late."
    used = {(tenant,): _seconds(moment) for tenant, moment in latest.last_used.items()}
    yield _gauge("scimsvc_tenant_last_contact_timestamp_seconds", text, used, "tenant")
    text = "When the first of a tenant's live tokens of a scope expires."
    expires = {labels: _seconds(moment) for labels, moment in latest.expires.items()}
    yield _gauge("scimsvc_token_expiry_timestamp_seconds", text, expires, "tenant", "scope")
    text = "Members of groups that do not exist yet (unknownMembers: pending)."
    yield _gauge("scimsvc_members_awaited", text, {(): latest.members_awaited})
    text = "Deleted resources that can still be restored, or wait for db purge."
    yield _gauge("scimsvc_resources_awaiting_purge", text, {(): latest.awaiting_purge})


def _of_database(latest: Statistics) -> Iterator[GaugeMetricFamily]:
    if latest.wal_bytes is not None:
        yield _gauge("scimsvc_database_wal_bytes", "Size of SQLite's write-ahead log.", {(): latest.wal_bytes})
    if latest.most_connections is not None:
        text = "Connections to this PostgreSQL database, of all programs, by state."
        states = {(state,): number for state, number in latest.connections.items()}
        yield _gauge("scimsvc_database_connections", text, states, "state")
        text = "Connections to this PostgreSQL database that wait for a lock."
        yield _gauge("scimsvc_database_connections_waiting", text, {(): latest.waiting or 0})
        yield _gauge("scimsvc_database_max_connections", "PostgreSQL's max_connections.", {(): latest.most_connections})


def _seconds(moment: str) -> float:
    """Return seconds since the epoch for a time as the store writes it."""
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


@contextmanager
def _turn(lock: Path) -> Iterator[bool]:
    """Hold a lock between processes. Yield False, without waiting, if another process holds it."""
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
