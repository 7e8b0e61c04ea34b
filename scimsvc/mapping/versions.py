"""A profile's file and its former version beside it: replaced so that each is always there, whole."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from scimsvc.mapping.findings import Finding, ProfileError
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.loader import name_in, read_file, read_profiles, sort_profiles
from scimsvc.mapping.profile import Profile

SUFFIX = ".former"


def former_of(path: Path) -> Path:
    """Where the former version of a profile's file is: `entra.yaml.former`."""
    return path.with_name(path.name + SUFFIX)


def place_of(name: str, directory: Path) -> Path:
    """The file in a folder that has the profile of that name, right or wrong, or that is to have it.

    A file that can't be read has the profile of its former version. Raises ProfileError where the new file's place is taken.
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

    Raises ProfileError with all findings if the profile can't be used then, KeyError if the content is of another profile.
    """
    contents: dict[Path, bytes | Finding] = {**read_profiles(path.parent), path: content}
    loaded = sort_profiles(contents, registry)
    if name not in loaded.profiles:
        loaded.checked()
    if loaded.paths[name] != path:
        raise KeyError(name)
    return loaded.profiles[name]


def put(path: Path, content: bytes, before: bytes | None = None) -> None:
    """Give a profile's file another content and keep the one that it had. Raises OSError, and then the file is as it was.

    A symbolic link stays one: what it leads to is replaced. `before` is kept if there is no file yet: a packaged profile.
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
    """A new file beside a path, on the disk, with the rights of what is there, and its owner where that is allowed."""
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
