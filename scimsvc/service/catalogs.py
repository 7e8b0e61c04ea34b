"""The catalogs of all profiles: changed files are taken without a restart, and a broken one never replaces a good one."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import orjson

from scimsvc.mapping import Finding, ProfileError
from scimsvc.mapping.functions import Registry
from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import files_in, read_profiles, sort_profiles
from scimsvc.service.profiles.packaged import with_packaged

CHECK_EVERY = 2.0
"""Seconds after which the files are looked at again."""

Signature = tuple[tuple[str, int, int], ...]


Followed = Callable[[], set[str] | None]
"""Tells the names of the profiles that tenants follow; None if that is not known."""


class MissingProfiles(ProfileError):
    """Tenants follow profiles that are in no file."""

    def __init__(self, directory: Path, names: Iterable[str]) -> None:
        super().__init__(Finding(directory, 1, 1, f"tenants follow the profile {name!r}, which is in no file") for name in names)


Bundle = dict[str, str]
"""The texts of the files that one profile is made of, by their paths."""


class Catalogs:
    """Catalogs by the names of their profiles. `problem` is what is wrong with the files that were last looked at, or None.

    Every valid profile is taken. If the file of one that a tenant follows becomes invalid or disappears, its last valid version
    stays. `kept` is a file with those versions: every worker reads it, so that all have the same, also one that starts later.
    With `packaged`, profiles that come with scimsvc are taken too, unless the folder has one of the same name.
    Raises ProfileError if a tenant follows an invalid profile of which no valid version is kept, or if files of the folder are
    wrong and none of its profiles is valid.
    """

    def __init__(
        self,
        directory: Path,
        registry: Registry,
        kept: Path | None = None,
        followed: Followed = lambda: set(),
        packaged: bool = False,
    ) -> None:
        self._directory = directory
        self._packaged = packaged
        self._registry = registry
        self._kept = kept
        self._followed = followed
        self._lock = threading.Lock()
        self._next_check = time.monotonic() + CHECK_EVERY
        self._catalogs: dict[str, Catalog] = {}
        self._bundles: dict[str, Bundle] = {}
        self.problem: str | None = None
        self.on_problem: Callable[[str], None] = lambda problem: None
        self._signature = _signature(directory)
        error = self._load(set())
        self.problem = str(error) if error else None
        missing = self._wanted(set()) - self._catalogs.keys()
        valid = self._of_the_folder(self._bundles)
        # If no file is wrong, tenants that follow other profiles need not wait for the missing one.
        if error and not isinstance(error, MissingProfiles) and (missing or not valid):
            raise error

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
        """Load the files anew if they have changed."""
        with self._lock:
            signature = _signature(self._directory)
            if signature == self._signature:
                return
            self._signature = signature
            error = self._load(set(self._catalogs))
            self.problem = str(error) if error else None
            if self.problem:
                self.on_problem(self.problem)

    def _load(self, otherwise: set[str]) -> ProfileError | None:
        """Take every valid profile of the files, and for the others that are followed the versions kept. Return what is wrong.

        `otherwise` are the profiles that must stay if it is not known which ones tenants follow.
        """
        former = self._bundles | self._kept_bundles()
        followed = self._wanted(otherwise)
        contents: dict[Path, bytes | Finding] = {}
        findings: list[Finding] = []
        try:
            contents = read_profiles(self._directory)
            if self._packaged:
                contents = with_packaged(contents, self._directory, self._of_the_folder(former) & followed)
        except ProfileError as error:
            findings = error.findings
        catalogs, bundles, invalid = self._valid(contents)
        findings = [*findings, *invalid]
        # Also what no tenant follows stays while its file is there, because the mistake may be mended at any moment.
        files = set(map(str, contents))
        there = {name for name, bundle in former.items() if files & bundle.keys()} if findings else set()
        wanted = (followed | there) - catalogs.keys()
        for name in sorted(wanted & former.keys()):
            if former[name] == self._bundles.get(name):
                catalogs[name], bundles[name] = self._catalogs[name], former[name]
            else:
                valid, texts, _ = self._valid({Path(path): text.encode() for path, text in former[name].items()})
                catalogs |= valid
                bundles |= texts
        if self._kept:
            _replace(self._kept, orjson.dumps(bundles))
        self._catalogs, self._bundles = catalogs, bundles
        if findings:
            return ProfileError(findings)
        return MissingProfiles(self._directory, sorted(wanted)) if wanted else None

    def _of_the_folder(self, bundles: Mapping[str, Bundle]) -> set[str]:
        """Return the names of the profiles whose files are, or were, in the operator's folder.

        If a tenant follows one whose file disappears, its last version stays: an editor may be about to write it again.
        """
        return {name for name, bundle in bundles.items() if all(Path(path).parent == self._directory for path in bundle)}

    def _wanted(self, otherwise: set[str]) -> set[str]:
        followed = self._followed()
        return otherwise if followed is None else followed

    def _valid(self, contents: Mapping[Path, bytes | Finding]) -> tuple[dict[str, Catalog], dict[str, Bundle], list[Finding]]:
        """The catalogs of the valid profiles in the contents of files, the texts of each, and what is wrong with the others."""
        loaded = sort_profiles(contents, self._registry)
        findings = list(loaded.findings)
        catalogs: dict[str, Catalog] = {}
        bundles: dict[str, Bundle] = {}
        for name, profile in loaded.profiles.items():
            path = loaded.paths[name]
            try:
                catalogs[name] = Catalog(profile)
            except ValueError as error:
                findings.append(Finding(path, 1, 1, str(error)))
                continue
            made_of = [path, *(path.with_name(document) for document in profile.documents)]
            texts = {str(file): contents.get(file) for file in made_of}
            bundles[name] = {file: content.decode() for file, content in texts.items() if isinstance(content, bytes)}
        return catalogs, bundles, findings

    def _kept_bundles(self) -> dict[str, Bundle]:
        if self._kept is None or not self._kept.exists():
            return {}
        bundles: dict[str, Bundle] = orjson.loads(self._kept.read_bytes())
        return bundles


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
