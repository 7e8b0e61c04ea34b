"""The profiles that come with scimsvc, behind those of the operator's folder."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

from scimsvc.mapping import Finding
from scimsvc.mapping.reading.profile import name_in
from scimsvc.packaged_files import MAPPINGS
from scimsvc.service.profiles.files import PROFILES, files_in

Contents = Mapping[Path, bytes | Finding]
"""What files hold, by their paths; a Finding says why a file can't be read."""

_NAME = re.compile(rb"""^profile:[ \t]*(["']?)([A-Za-z0-9_-]+)\1[ \t]*(?:#.*)?\r?$""", re.MULTILINE)


@cache
def packaged_profiles() -> Mapping[str, Path]:
    """Return the files of the packaged profiles, by the profiles' names."""
    names = {path: name_in(path.read_bytes()) for path in files_in(MAPPINGS, PROFILES)}
    return {name: path for path, name in names.items() if name}


def with_packaged(contents: Contents, directory: Path, but: Collection[str] = ()) -> dict[Path, bytes | Finding]:
    """Return the contents of the operator's folder, and those of the packaged profiles that no file in it claims.

    A file claims the profile that it names, even if something else in it is wrong: a mistake in the operator's profile must never
    bring the packaged one into use. A file without a readable name claims the packaged profile whose file is called the same.
    `but` are names of packaged profiles to leave out.
    """
    if directory.resolve() == MAPPINGS.resolve():
        # In a checkout both are the same folder.
        return dict(contents)
    claimed = {*but, *_claims(contents)}
    return {**contents, **{path: path.read_bytes() for name, path in packaged_profiles().items() if name not in claimed}}


def _claims(contents: Contents) -> Iterator[str]:
    """Yield the names of the profiles that files of the operator's folder have, or were meant to have."""
    for path, content in contents.items():
        if path.suffix.lower() == ".json":
            continue
        # The line is also there in a file that is no valid YAML.
        line = _NAME.search(content) if isinstance(content, bytes) else None
        name = line[2].decode() if line else name_in(content)
        if name:
            yield name
        else:
            yield from (packaged for packaged, file in packaged_profiles().items() if file.name == path.name)
