"""Workers and threads fit the CPUs that a container may use and the connections that PostgreSQL has."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.web.gunicorn.capacity import SPARE, Capacity, capacity, usable_cpus
from tests.support.server import Server

CPUS = len(os.sched_getaffinity(0))
Cgroups = Callable[[str, dict[str, str]], int]


@pytest.fixture
def cpus_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cgroups:
    """Returns what is usable with a /proc/self/cgroup and files below /sys/fs/cgroup, on a machine of 16 CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))

    def make(membership: str, files: dict[str, str]) -> int:
        for name, content in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        (tmp_path / "self").write_text(membership)
        return usable_cpus(tmp_path / "cgroup", tmp_path / "self")

    return make


@pytest.mark.parametrize(
    ("membership", "files", "usable"),
    [
        ("0::/\n", {}, 16),
        ("0::/\n", {"cpu.max": "max 100000"}, 16),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/\n", {"cpu.max": "150000 100000"}, 2),
        ("0::/\n", {"cpu.max": "9900000 100000"}, 16),
        ("0::/pod/container\n", {"pod/container/cpu.max": "max 100000", "pod/cpu.max": "300000 100000"}, 3),
        ("0::/pod/container\n", {"pod/container/cpu.max": "200000 100000", "pod/cpu.max": "max 100000"}, 2),
        ("0::/../../outside\n", {"cpu.max": "400000 100000"}, 4),
        ("0::/outside\n", {"cpu.max": "400000 100000"}, 4),
        (
            "4:cpu,cpuacct:/pod\n",
            {"cpu,cpuacct/pod/cpu.cfs_quota_us": "200000", "cpu,cpuacct/pod/cpu.cfs_period_us": "100000"},
            2,
        ),
        ("4:cpu,cpuacct:/pod\n", {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ("3:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ("nonsense\n", {"cpu.max": "nonsense"}, 16),
        ("0::/\n", {"cpu.max": "0 0"}, 16),
    ],
)
def test_cpus_are_those_of_the_container(cpus_of: Cgroups, membership: str, files: dict[str, str], usable: int):
    assert cpus_of(membership, files) == usable


def test_affinity_counts_and_files_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert usable_cpus(tmp_path / "none", tmp_path / "none") == 1


@given(st.integers(1, 256), st.integers(1, 20), st.integers(SPARE + 1, 2000))
def test_defaults_leave_connections_to_others(cpus: int, instances: int, connections: int):
    size = capacity(False, 0, 0, instances, connections, cpus)
    assert size.workers >= 1
    assert size.threads >= 1
    # An instance has at least one thread, so there may be more instances than connections.
    assert not size.exceeded or instances > connections - SPARE
    assert size.workers <= 2 * cpus
    assert size.threads <= 8


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 20), st.integers(1, 500))
def test_settings_count_and_what_they_exceed_is_told(workers: int, threads: int, instances: int, connections: int):
    size = capacity(False, workers, threads, instances, connections, 4)
    assert (size.workers, size.threads) == (workers, threads)
    assert size.exceeded == (instances * workers * threads > connections - SPARE)


def test_without_a_limit_that_is_known():
    assert capacity(False, 0, 0, 1, None, 4) == Capacity(8, 8)
    assert capacity(True, 0, 0, 3, None, 16) == Capacity(2, 4)
    assert capacity(True, 5, 0, 3, None, 16) == Capacity(5, 4)


def test_usable_connections_are_the_least_that_postgresql_allows(new_database_url: Callable[[str], str]):
    url = new_database_url("postgresql")
    database = Database(url)
    whole = database.usable_connections()
    (most,) = database.execute("SELECT current_setting('max_connections')::int", ()).fetchone()
    assert whole is not None
    assert most - 10 <= whole < most
    (name,) = database.execute("SELECT current_database()", ()).fetchone()
    database.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 12", ())
    assert database.usable_connections() == 12
    database.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1", ())
    database.close()


def test_sqlite_has_no_limit_of_connections(new_database_url: Callable[[str], str]):
    assert Database(new_database_url("sqlite")).usable_connections() is None


def test_unreachable_database_has_no_known_limit(tmp_path: Path):
    assert Database(f"postgresql:///none?host={tmp_path}").usable_connections() is None


@pytest.mark.parametrize(("instances", "warned"), [("1", False), ("1000", True)])
def test_size_is_logged_at_start(new_database_url: Callable[[str], str], tmp_path: Path, instances: str, warned: bool):
    url = new_database_url("postgresql")
    database = Database(url)
    migrate(database)
    database.close()
    settings = {"INSTANCES": instances, "WORKERS": "1", "THREADS": "3"}
    server = Server(url, tmp_path, **{f"SCIMSVC_SERVER_{name}": value for name, value in settings.items()})
    server.stop()
    said = "".join(server.messages) + server.log_path.read_text()
    assert f"1 workers with 3 threads each; {instances} such instances open up to" in said
    assert ("Lower server.workers" in said) == warned
