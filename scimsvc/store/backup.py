"""What backups of both kinds of database have in common: the file, which is whole or not there, and what is refused."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Report = Callable[[int, int | None], None]
"""Is told how much of the work is done, and of how much, or None if that isn't known."""

_SQLITE = b"SQLite format 3\0"
_POSTGRESQL = b"PGDMP"


class BackupError(Exception):
    """Why a database can't be backed up or restored, and what to do. Nothing was changed."""


@contextmanager
def new_file(file: Path) -> Iterator[Path]:
    """Provide an empty file beside `file`, for its owner alone, that is renamed to `file` once it is written.

    If the body raises, nothing is left. A kill leaves a hidden file that ends in `.partial`, but `file` is never half a backup.
    Raises BackupError if `file` is there, or can't be.
    """
    if os.path.lexists(file):
        raise BackupError(f"{file.absolute()} is there already, and no backup replaces another; choose a new name, or delete it")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".partial", dir=file.absolute().parent)
    except OSError as error:
        raise BackupError(f"{file.absolute()} can't be written: {error.strerror}") from error
    partial = Path(name)
    os.close(handle)
    try:
        yield partial
        _sync(partial)
        partial.rename(file)
        _sync(file.absolute().parent)
    except OSError as error:
        raise BackupError(f"{file.absolute()} can't be written: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_backup_of(kind: str, file: Path) -> None:
    """Raise BackupError if a file is no backup of a database of this kind."""
    try:
        with file.open("rb") as opened:
            beginning = opened.read(len(_SQLITE))
    except OSError as error:
        raise BackupError(f"{file.absolute()} can't be read: {error.strerror}") from error
    found = "sqlite" if beginning == _SQLITE else "postgresql" if beginning.startswith(_POSTGRESQL) else None
    if found is None:
        raise BackupError(f"{file.absolute()} is no backup that scimsvc db backup made")
    if found != kind:
        words = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
        raise BackupError(f"{file.absolute()} is a backup of {words[found]}, and database.url names {words[kind]}")
