"""A profile's file and its former version beside it: replaced so that each is always there, whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scimsvc.mapping.findings import Finding, ProfileError
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.loader import parse_profile, parse_profiles, read_profiles
from scimsvc.mapping.profile import Profile

SUFFIX = ".former"


def former_of(path: Path) -> Path:
    """Where the former version of a profile's file is: `entra.yaml.former`."""
    return path.with_name(path.name + SUFFIX)


def place_of(name: str, directory: Path, registry: Registry) -> Path:
    """The file in a folder that has the profile of that name, or that is to have it. Raises ProfileError."""
    for path, content in read_profiles(directory).items():
        try:
            if path.suffix == ".yaml" and isinstance(content, bytes) and parse_profile(content, path, registry).name == name:
                return path
        except ProfileError:
            continue
    return directory / f"{name}.yaml"


def profiles_with(path: Path, content: bytes, registry: Registry) -> Mapping[str, Profile]:
    """The profiles of a folder as they will be once a file has this content. Raises ProfileError with all findings."""
    contents: dict[Path, bytes | Finding] = {**read_profiles(path.parent), path: content}
    return parse_profiles(contents, registry)


def put(path: Path, content: bytes) -> None:
    """Give a profile's file another content and keep the one that it had. Raises OSError, and then the file is as it was."""
    fresh = _written(path, content)
    try:
        if path.exists():
            _written(path, path.read_bytes()).replace(former_of(path))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _written(path: Path, content: bytes) -> Path:
    """A new file beside a path, on the disk, with the rights of the path's."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
    except OSError:
        written.unlink(missing_ok=True)
        raise
    return written
