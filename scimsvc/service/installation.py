"""The files that an operator edits, made from those that come with scimsvc. A file that is there is never overwritten."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scimsvc.packaged_files import CONFIGURATION, MAPPINGS
from scimsvc.service.profiles.files import PROFILES, files_in

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass
class Files:
    """What became of files: those that were made, those that were there, and those that may not be written, with the reason."""

    created: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    refused: dict[Path, str] = field(default_factory=dict)
    _folders: list[Path] = field(default_factory=list)

    def make_configuration(self, path: Path) -> None:
        """Make the configuration file unless it is there. Raise OSError."""
        self._copy(CONFIGURATION, path)

    def make_mappings(self, directory: Path) -> None:
        """Make the packaged profiles and the schema for editors in a folder, which is made if it is missing. Raise OSError.

        A folder that has profiles stays as it is: copies in it would stay behind when scimsvc is upgraded.
        """
        self.kept += files_in(directory)
        if not files_in(directory, PROFILES):
            for source in files_in(MAPPINGS):
                self._copy(source, directory / source.name)

    def undo(self) -> None:
        """Remove what was made, because the rest of the command failed."""
        for path in self.created:
            path.unlink(missing_ok=True)
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()

    def _copy(self, source: Path, target: Path) -> None:
        content = source.read_bytes()
        try:
            missing = [folder for folder in target.parents if not folder.exists()]
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folders += missing
            with target.open("xb") as file:
                file.write(content)
        except FileExistsError:
            if not os.path.lexists(target):
                # A folder of the path is a file.
                raise
            if target not in self.kept:
                self.kept.append(target)
        except OSError as error:
            if error.errno not in _NOT_ALLOWED:
                raise
            # A server can run from environment variables and packaged profiles alone, on a file system that is read-only.
            self.refused[target] = error.strerror or "not allowed"
        else:
            self.created.append(target)
