"""The catalogs of all profiles: changed files are taken without a restart, and a broken one never replaces a good one."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from scimsvc.mapping import ProfileError, load_profiles
from scimsvc.mapping.functions import Registry
from scimsvc.service.catalog import Catalog

CHECK_EVERY = 2.0
"""Seconds after which the files are looked at again."""

Signature = tuple[tuple[str, int, int], ...]


class Catalogs:
    """Catalogs by the names of their profiles. `problem` is what is wrong with the files that were last looked at, or None.

    `kept` is a folder for copies of the profiles in use: where the files are broken when a worker starts, it takes those.
    Raises ProfileError where the profiles are wrong and none are kept, ValueError where two attributes share a number.
    """

    def __init__(self, directory: Path, registry: Registry, kept: Path | None = None) -> None:
        self._directory = directory
        self._registry = registry
        self._kept = kept
        self._lock = threading.Lock()
        self._next_check = time.monotonic() + CHECK_EVERY
        self.problem: str | None = None
        self.on_problem: Callable[[str], None] = lambda problem: None
        self._signature = _signature(directory)
        try:
            self._catalogs = self._loaded(directory)
        except (ProfileError, ValueError) as error:
            if kept is None or not any(kept.glob("*.yaml")):
                raise
            self.problem = str(error)
            self._catalogs = self._loaded(kept)
        else:
            self._keep()

    def get(self, name: str) -> Catalog | None:
        """The catalog of a profile."""
        if time.monotonic() > self._next_check:
            self.look()
        return self._catalogs.get(name)

    def all(self) -> Mapping[str, Catalog]:
        """All catalogs by name."""
        return self._catalogs

    def look(self) -> None:
        """Look whether files have changed; those that have are loaded beside the requests, which don't wait for it."""
        self._next_check = time.monotonic() + CHECK_EVERY
        if _signature(self._directory) != self._signature and not self._lock.locked():
            threading.Thread(target=self.refresh, name="profiles", daemon=True).start()

    def refresh(self) -> None:
        """Load the files anew where they have changed; where something is wrong with them, all stays as it was."""
        with self._lock:
            signature = _signature(self._directory)
            if signature == self._signature:
                return
            self._signature = signature
            try:
                self._catalogs = self._loaded(self._directory)
            except (ProfileError, ValueError) as error:
                self.problem = str(error)
                self.on_problem(self.problem)
            else:
                self.problem = None
                self._keep()

    def _loaded(self, directory: Path) -> dict[str, Catalog]:
        return {name: Catalog(profile) for name, profile in load_profiles(directory, self._registry).items()}

    def _keep(self) -> None:
        """Copy the files that are in use now, so that there is never half a copy."""
        if self._kept is None:
            return
        fresh = Path(tempfile.mkdtemp(dir=self._kept.parent))
        for path in self._directory.glob("*.yaml"):
            shutil.copy(path, fresh)
        shutil.rmtree(self._kept, ignore_errors=True)
        try:
            fresh.rename(self._kept)
        except OSError:
            # Another worker has just put the same files there.
            shutil.rmtree(fresh, ignore_errors=True)


def _signature(directory: Path) -> Signature:
    """What tells changed files from the same ones: names, sizes and times of change."""
    found = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append((path.name, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
