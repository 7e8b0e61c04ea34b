"""The folder of one run of the server: its metrics and the profiles in use. It is removed when the run ends.

The master process makes the folder and locks a file in it; the workers share that lock. If the lock is free, the run was killed,
and the next start removes its folder. This module must not import prometheus_client: the environment must name the folder before
that import.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from scimsvc.settings import RUN_DIRECTORY

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that tells prometheus_client where processes add up their numbers."""
_PREFIX = "scimsvc-"
_LOCK = "lock"
_UNLOCKED_FOR = 3600
"""Seconds after which a folder without a lock file is abandoned; before, its server may still be starting."""

_held: dict[str, int] = {}


class NoTemporaryDirectory(Exception):
    """No folder for temporary files is writable; the message says what to do."""


def make(environ: MutableMapping[str, str] = os.environ) -> Path:
    """Return the folder of this run and hold its lock; make it if `environ` does not name one, as at SIGHUP.

    Remove the folders of runs that were killed. Raise NoTemporaryDirectory.
    """
    if RUN_DIRECTORY not in environ:
        try:
            remove_abandoned(Path(tempfile.gettempdir()))
            environ[RUN_DIRECTORY] = tempfile.mkdtemp(prefix=_PREFIX)
        except OSError as error:
            raise NoTemporaryDirectory(
                "no folder for temporary files can be written to; make /tmp writable (a tmpfs is enough), "
                f"or name another folder in the variable TMPDIR: {error.strerror}"
            ) from None
    run = Path(environ[RUN_DIRECTORY])
    _hold(run)
    if METRICS_DIRECTORY not in environ:
        environ[METRICS_DIRECTORY] = tempfile.mkdtemp(prefix="metrics-", dir=run)
    return run


def metrics(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder where processes add up their numbers."""
    return Path(environ[METRICS_DIRECTORY])


def remove(run: Path) -> None:
    """Remove the folder at the end of its run, unless a server that took over from this one still uses it."""
    handle = _held.pop(str(run), None)
    try:
        if handle is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    finally:
        if handle is not None:
            os.close(handle)
    shutil.rmtree(run, ignore_errors=True)


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of this user's runs whose processes are all gone."""
    for run in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if run.is_symlink() or not run.is_dir() or run.stat().st_uid != os.geteuid():
                continue
            if _is_abandoned(run):
                shutil.rmtree(run, ignore_errors=True)


def _is_abandoned(run: Path) -> bool:
    try:
        handle = os.open(run / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return time.time() - run.stat().st_mtime > _UNLOCKED_FOR
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _hold(run: Path) -> None:
    if str(run) not in _held:
        # A shared lock, so that at SIGUSR2 the new server can hold it beside the old one.
        handle = os.open(run / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _held[str(run)] = handle
