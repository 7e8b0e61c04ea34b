"""The catalogs of all profiles: changed files are taken without a restart, and a broken one never replaces a good one."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import orjson

from scimsvc.mapping import Finding, ProfileError, parse_profiles, read_profiles
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.loader import files_in
from scimsvc.service.catalog import Catalog

CHECK_EVERY = 2.0
"""Seconds after which the files are looked at again."""

Signature = tuple[tuple[str, int, int], ...]


Followed = Callable[[], set[str] | None]
"""Tells the names of the profiles that tenants follow; None where nobody knows."""


class MissingProfiles(ProfileError):
    """Tenants follow profiles that are in no file; `catalogs` are those of the others."""

    def __init__(self, directory: Path, names: Iterable[str], catalogs: dict[str, Catalog]) -> None:
        self.catalogs = catalogs
        super().__init__(Finding(directory, 1, 1, f"tenants follow the profile {name!r}, which is in no file") for name in names)


class Catalogs:
    """Catalogs by the names of their profiles. `problem` is what is wrong with the files that were last looked at, or None.

    `kept` is a file for what the profiles in use were made of: where the files are broken, or one that a tenant follows has gone,
    every worker takes that, so that all have the same, also one that starts only then.
    Raises ProfileError where the profiles are wrong and none are kept, ValueError where two attributes share a number.
    """

    def __init__(self, directory: Path, registry: Registry, kept: Path | None = None, followed: Followed = lambda: set()) -> None:
        self._directory = directory
        self._registry = registry
        self._kept = kept
        self._followed = followed
        self._lock = threading.Lock()
        self._next_check = time.monotonic() + CHECK_EVERY
        self.problem: str | None = None
        self.on_problem: Callable[[str], None] = lambda problem: None
        self._signature = _signature(directory)
        try:
            self._catalogs = self._load(set())
        except (ProfileError, ValueError) as error:
            self.problem = str(error)
            if kept and kept.exists():
                self._catalogs = self._load_kept(kept)
            elif isinstance(error, MissingProfiles):
                # Those who follow others need not wait.
                self._catalogs = error.catalogs
            else:
                raise

    def get(self, name: str) -> Catalog | None:
        """The catalog of a profile."""
        if time.monotonic() > self._next_check:
            self.look()
        return self._catalogs.get(name)

    def all(self) -> Mapping[str, Catalog]:
        """All catalogs by name."""
        return self._catalogs

    def look(self) -> None:
        """Look whether files have changed. The request that finds so waits for the new ones, others go on with the old."""
        self._next_check = time.monotonic() + CHECK_EVERY
        if _signature(self._directory) != self._signature:
            self.refresh()

    def refresh(self) -> None:
        """Load the files anew where they have changed; where something is wrong with them, all stays as it was."""
        with self._lock:
            signature = _signature(self._directory)
            if signature == self._signature:
                return
            self._signature = signature
            try:
                self._catalogs = self._load(set(self._catalogs))
            except (ProfileError, ValueError, OSError) as error:
                if self._kept and self._kept.exists():
                    self._catalogs = self._load_kept(self._kept)
                self.problem = str(error)
                self.on_problem(self.problem)
            else:
                self.problem = None

    def _load(self, otherwise: set[str]) -> dict[str, Catalog]:
        """The catalogs of the files; `otherwise` are the profiles that must be there where nobody knows which are followed."""
        contents = read_profiles(self._directory)
        catalogs = self._catalogs_of(contents)
        followed = self._followed()
        missing = (otherwise if followed is None else followed) - catalogs.keys()
        if missing:
            raise MissingProfiles(self._directory, sorted(missing), catalogs)
        if self._kept:
            used = {name for catalog in catalogs.values() for name in catalog.profile.documents}
            texts = {
                str(path): content.decode()
                for path, content in contents.items()
                if isinstance(content, bytes) and (path.suffix != ".json" or path.name in used)
            }
            _replace(self._kept, orjson.dumps(texts))
        return catalogs

    def _load_kept(self, kept: Path) -> dict[str, Catalog]:
        return self._catalogs_of({Path(path): text.encode() for path, text in orjson.loads(kept.read_bytes()).items()})

    def _catalogs_of(self, contents: Mapping[Path, bytes | Finding]) -> dict[str, Catalog]:
        return {name: Catalog(profile) for name, profile in parse_profiles(contents, self._registry).items()}


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is always there, whole."""
    handle, fresh = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(fresh).replace(path)


def _signature(directory: Path) -> Signature:
    """What tells changed files from the same ones: names, sizes and times of change."""
    found = []
    for path in files_in(directory):
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append((path.name, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
