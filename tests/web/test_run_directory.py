"""The folder of a run, and the numbers of workers that have ended: nothing is lost and nothing is left over."""

import fcntl
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, multiprocess
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.web.observe import ended_workers, run_directory
from tests.support.client import Client
from tests.support.server import Server


def new_run(parent: Path, name: str, locked: bool = False) -> int:
    (parent / name / "metrics-x").mkdir(parents=True)
    handle = os.open(parent / name / "lock", os.O_RDWR | os.O_CREAT)
    if locked:
        fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def test_folders_of_killed_runs_are_removed_and_no_others(tmp_path: Path) -> None:
    for name, locked in (("scimsvc-killed", False), ("scimsvc-running", True), ("other", False)):
        new_run(tmp_path, name, locked)
    (tmp_path / "scimsvc-starting").mkdir()
    (tmp_path / "scimsvc-old").mkdir()
    os.utime(tmp_path / "scimsvc-old", (1, 1))
    (tmp_path / "scimsvc-link").symlink_to(tmp_path / "other")
    (tmp_path / "scimsvc-file").touch()
    run_directory.remove_abandoned(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"scimsvc-running", "other", "scimsvc-starting", "scimsvc-link", "scimsvc-file"}


def test_without_a_temporary_folder_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(run_directory.NoTemporaryDirectory, match=r"make /tmp writable .* or name another folder in .* TMPDIR"):
        run_directory.make({})


def test_a_folder_is_kept_while_another_server_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environ: dict[str, str] = {}
    run = run_directory.make(environ)
    assert run_directory.make(environ) == run
    other = os.open(run / "lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_SH)
    run_directory.remove(run)
    assert run.is_dir()
    os.close(other)
    run_directory.remove(run)
    assert not run.exists()


def write(directory: Path, name: str, **values: float) -> None:
    numbers = MmapedDict(str(directory / name))
    for label, value in values.items():
        numbers.write_value(mmap_key("requests", "requests_total", ["by"], [label], "Help."), value, 0.0)
    numbers.close()


def total(directory: Path) -> dict[str, float]:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(directory))
    return {sample.labels["by"]: sample.value for metric in registry.collect() for sample in metric.samples}


def test_the_numbers_of_ended_workers_are_kept_in_one_file(tmp_path: Path) -> None:
    write(tmp_path, "counter_1.db", a=1, b=2)
    write(tmp_path, "counter_2.db", a=10)
    write(tmp_path, "counter_3.db", a=100)
    before = total(tmp_path)
    ended_workers.merge(tmp_path, 1, {2, 3})
    assert total(tmp_path) == before == {"a": 111, "b": 2}
    ended_workers.merge(tmp_path, 2, {3})
    assert total(tmp_path) == before
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_3.db", "counter_ended.db"]


def test_what_could_not_be_merged_is_merged_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_workers, "_PATIENCE", 0)
    write(tmp_path, "counter_1.db", a=1)
    with ended_workers.reading(tmp_path):
        ended_workers.merge(tmp_path, 1, set())
        assert (tmp_path / "counter_1.db").exists()
    write(tmp_path, "counter_2.db", a=2)
    ended_workers.merge(tmp_path, 2, set())
    assert total(tmp_path) == {"a": 3}
    assert [path.name for path in tmp_path.glob("*.db")] == ["counter_ended.db"]


def test_a_file_that_was_cut_short_stops_nothing(tmp_path: Path) -> None:
    write(tmp_path, "counter_1.db", a=1)
    (tmp_path / "counter_1.db").write_bytes((tmp_path / "counter_1.db").read_bytes()[:40])
    ended_workers.merge(tmp_path, 1, set())
    assert not (tmp_path / "counter_1.db").exists()


def requests(operator: Client) -> float:
    (line,) = [
        line
        for line in operator.get("/metrics").raw.decode().splitlines()
        if line.startswith('scimsvc_requests_total{endpoint="/users",method="GET",status="200"}')
    ]
    return float(line.rpartition(" ")[2])


def files_of(run: Path, process: int | str) -> list[Path]:
    return list(run.glob(f"metrics-*/*_{process}.db"))


def test_reloads_and_kills_leave_nothing_behind(new_database_url: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    folder = tmp_path / "tmp"
    folder.mkdir()
    server = Server(url, tmp_path, TMPDIR=str(folder), SCIMSVC_SERVER_WORKERS="1")
    client = server.client("tenant")
    for _ in range(3):
        assert client.get("/Users").status == 200
    client.close()
    (run,) = folder.glob("scimsvc-*")
    for _ in range(2):
        before = server.worker_pids()
        server.process.send_signal(signal.SIGHUP)
        # Those that began before are gone, and what they left with them.
        server.wait_for(lambda before=before: not any(files_of(run, pid) for pid in before))
        operator = Client(server.origin, "")
        assert requests(operator) == 3
        operator.close()
        assert len(files_of(run, "ended")) == 2
    server.kill()
    assert list(folder.glob("scimsvc-*")) == [run]
    again = Server(url, tmp_path, TMPDIR=str(folder), SCIMSVC_SERVER_WORKERS="1")
    assert len(list(folder.glob("scimsvc-*"))) == 1
    assert not run.exists()
    assert again.stop() == 0
    assert list(folder.glob("scimsvc-*")) == []
