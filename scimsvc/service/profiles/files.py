"""Profiles in a folder of files: read, sorted into valid and invalid ones, and replaced so that no reader sees half a file."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from scimsvc.mapping import Finding, Profile, ProfileError, parse_profile
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.reading.documents import Documents
from scimsvc.mapping.reading.profile import name_in
from scimsvc.mapping.reading.yaml_text import MAX_BYTES

PROFILES = ("*.yaml", "*.yml")
"""The files of a folder that hold profiles, in small letters or capitals."""
PATTERNS = (*PROFILES, "*.json")
"""The files of a folder of profiles: profiles, and the documents that they name."""
SUFFIX = ".former"


class Loaded(NamedTuple):
    """The valid profiles of a folder by name, the file of each, and the findings in all other files.

    A name that several files claim is in none of the profiles, because it is not known which file is meant.
    """

    profiles: dict[str, Profile]
    paths: dict[str, Path]
    findings: list[Finding]

    def checked(self) -> Mapping[str, Profile]:
        """Return the profiles. Raise ProfileError with all findings, if there are any."""
        if self.findings:
            raise ProfileError(self.findings)
        return self.profiles


def load_profile(path: Path, registry: Registry | None = None) -> Profile:
    """Return the profile in a file; the documents that it names are read in the same folder. Raise ProfileError."""
    return _parsed(_read(path), path, registry, lambda name: _read(path.parent / name))


def load_profiles(directory: Path, registry: Registry | None = None) -> Mapping[str, Profile]:
    """Return all profiles in a folder by name; expressions call the functions of `registry`, or the installed ones.

    Raise ProfileError with the findings of all files.
    """
    return sort_profiles(read_profiles(directory), registry).checked()


def read_profiles(directory: Path) -> dict[Path, bytes | Finding]:
    """Return the content of each `*.yaml` of a folder, and of each `*.json` that they may name; a Finding if it can't be read.

    Raise ProfileError if there is no such folder.
    """
    if not directory.is_dir():
        raise ProfileError([Finding(directory.absolute(), 1, 1, "there is no such folder; setting mappings.directory names it")])
    return {path: _read(path) for path in files_in(directory)}


def files_in(directory: Path, patterns: Iterable[str] = PATTERNS) -> list[Path]:
    """Return the files of a folder of profiles, without hidden ones, which editors and file systems make for themselves."""
    if not directory.is_dir():
        return []
    visible = sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    return [path for pattern in patterns for path in visible if fnmatchcase(path.name.lower(), pattern)]


def sort_profiles(contents: Mapping[Path, bytes | Finding], registry: Registry | None = None) -> Loaded:
    """Return the valid profiles in the contents of files, and the findings that keep the other files from being used."""
    loaded = Loaded({}, {}, [])
    claimed: dict[str, Path] = {}
    documents = {path.name: content for path, content in contents.items() if path.suffix.lower() == ".json"}
    for path, content in contents.items():
        if path.suffix.lower() == ".json":
            continue
        try:
            profile = _parsed(content, path, registry, documents.get)
        except ProfileError as error:
            loaded.findings.extend(error.findings)
            continue
        if profile.name in claimed:
            message = f"the profile {profile.name!r} is in {claimed[profile.name]} already"
            loaded.findings.append(Finding(path, 1, 1, message))
            loaded.profiles.pop(profile.name, None)
            continue
        claimed[profile.name] = loaded.paths[profile.name] = path
        loaded.profiles[profile.name] = profile
    return loaded


def read_file(path: Path) -> bytes:
    """Return the content of a profile or document. Raise OSError, also if it is no regular file or has more than MAX_BYTES."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MAX_BYTES} bytes")
    return content


def _read(path: Path) -> bytes | Finding:
    shown = os.fsencode(path).decode("utf-8", "replace")
    if shown != str(path):
        # Neither the log nor the file of kept profiles could name it.
        return Finding(Path(shown), 1, 1, "the name of this file is not UTF-8: rename the file")
    try:
        return read_file(path)
    except OSError as error:
        return Finding(path, 1, 1, f"can't be read: {error.strerror}")


def _parsed(content: bytes | Finding, path: Path, registry: Registry | None, documents: Documents) -> Profile:
    if isinstance(content, Finding):
        raise ProfileError([content])
    return parse_profile(content, path, registry, documents)


def former_of(path: Path) -> Path:
    """Return the path of the former version of a profile's file: `entra.yaml.former`."""
    return path.with_name(path.name + SUFFIX)


def place_of(name: str, directory: Path) -> Path:
    """Return the file in a folder that has the profile of that name, valid or not, or that a new profile goes to.

    A file that can't be read counts as the profile of its former version.
    Raise ProfileError if a new profile would go to a file that has another profile.
    """
    contents = {path: content for path, content in read_profiles(directory).items() if path.suffix.lower() != ".json"}
    said = {path: name_in(content) for path, content in contents.items()}
    names = {path: found or _former_name(path) for path, found in said.items()}
    for known in (said, names):
        for path, found in known.items():
            if found == name:
                return path
    path = directory / f"{name}.yaml"
    if names.get(path):
        message = f"the profile {name!r} would go here, where {names[path]!r} is: call this file {names[path]}.yaml"
        raise ProfileError([Finding(path, 1, 1, message)])
    return path


def _former_name(path: Path) -> str | None:
    try:
        return name_in(read_file(former_of(path)))
    except OSError:
        return None


def profile_with(path: Path, content: bytes, name: str, registry: Registry) -> Profile:
    """Return a profile of a folder as it will be once a file has this content. Other files may be wrong.

    Raise ProfileError with all findings if the profile can't be used then, KeyError if the content is of another profile.
    """
    contents: dict[Path, bytes | Finding] = {**read_profiles(path.parent), path: content}
    loaded = sort_profiles(contents, registry)
    if name not in loaded.profiles:
        loaded.checked()
    if loaded.paths[name] != path:
        raise KeyError(name)
    return loaded.profiles[name]


def put(path: Path, content: bytes, before: bytes | None = None) -> None:
    """Replace the content of a profile's file and keep the former one. Raise OSError, and then the file is as it was.

    A symbolic link stays a link: its target is replaced. `before` is kept if there is no file yet, as for a packaged profile.
    """
    file = Path(os.path.realpath(path))
    fresh = _written(file, content)
    try:
        if file.exists():
            before = file.read_bytes()
        if before is not None:
            _written(path, before).replace(former_of(path))
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _written(path: Path, content: bytes) -> Path:
    """Write a new file to disk beside a path, with the mode of the file at the path, and its owner if that is allowed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            like = path.stat()
            with suppress(OSError):
                os.chown(written, like.st_uid, like.st_gid)
            written.chmod(like.st_mode & 0o777)
        else:
            written.chmod(0o644)
    except OSError:
        written.unlink(missing_ok=True)
        raise
    return written
