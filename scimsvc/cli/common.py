"""What several commands need: settings, the database, a tenant by its name; failures as one line on standard error."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from scimsvc.mapping import Finding, Profile, ProfileError
from scimsvc.mapping.functions import PluginError, Registry, load_registry
from scimsvc.mapping.functions.values import MAX_DEPTH, SURROGATE, nested_too_deep
from scimsvc.mapping.reading.encoding import json_in_utf8, json_of
from scimsvc.service.profiles.files import Loaded, read_profiles, sort_profiles
from scimsvc.service.profiles.packaged import with_packaged
from scimsvc.service.readiness import unprepared
from scimsvc.settings import Settings, SettingsError, doubts, load
from scimsvc.store import tenants
from scimsvc.store.database import Database, DatabaseUnavailable, sqlite_path
from scimsvc.store.errors import REASONS
from scimsvc.store.migrations import WrongDatabase
from scimsvc.store.tenants import TenantRecord

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Bytes of the JSON that a command takes: directory objects, a synchronization schema."""


def settings() -> Settings:
    """The settings. Raises click.ClickException."""
    try:
        configured = load()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    _say_doubts(configured)
    return configured


def program() -> str:
    """Return how this command is called from the working folder: `scimsvc`, or with its path if it is not found otherwise."""
    called = sys.argv[0]
    if os.path.basename(called) != "scimsvc" or os.sep not in called:
        return "scimsvc"
    on_path = shutil.which("scimsvc")
    return "scimsvc" if on_path and os.path.samefile(on_path, called) else shlex.quote(called)


def _say_doubts(configured: Settings) -> None:
    """Say on standard error, once for each command, what is dangerous about the files that the settings come from."""
    context = click.get_current_context(silent=True)
    said = {} if context is None else context.find_root().meta
    if said.setdefault(f"{__name__}.doubts", configured) is not configured:
        return
    for doubt in doubts(configured):
        click.echo(f"Warning: {doubt}", err=True)


def registry() -> Registry:
    """The functions that expressions may call. Raises click.ClickException."""
    configured = settings()
    try:
        return load_registry(configured.plugins, configured.folder.resolve())
    except PluginError as error:
        raise click.ClickException(str(error)) from error


def in_utf8(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The value of a parameter, as its callback. Raises click.BadParameter where its bytes are no UTF-8."""
    if value and SURROGATE.search(value):
        raise click.BadParameter("is not UTF-8")
    return value


def one_line(text: str) -> str:
    """A text for a line of a list, without what would move a terminal's cursor, or its colours."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


@contextmanager
def database(migrated: bool = True) -> Iterator[Database]:
    """The database of the settings; with `migrated` it must be there, with tables and index up to date.

    Raises click.ClickException.
    """
    configured = settings()
    url = configured.database.url
    try:
        found = Database(url, prepared_statements=configured.database.prepared_statements)
    except ValueError as error:
        raise click.ClickException(f"setting database.url: {error}") from error
    try:
        if migrated and found.missing_file:
            raise click.ClickException(_missing(found.missing_file, configured.origin))
        lacking = unprepared(found) if migrated else None
        if lacking:
            part = "index is" if lacking.reindex else "tables are"
            raise click.ClickException(f"the database's {part} not up to date; run: scimsvc db migrate")
        yield found
    except WrongDatabase as error:
        raise click.ClickException(str(error)) from error
    except DatabaseUnavailable as error:
        raise click.ClickException(_explained(error, configured)) from error
    finally:
        found.close()


def profile_named(name: str) -> Profile:
    """The mapping profile of that name. Raises click.ClickException if there is none, or if it is wrong.

    Other files that are wrong are named on standard error.
    """
    loaded = loaded_profiles()
    if name in loaded.profiles:
        warn_of(loaded)
        return loaded.profiles[name]
    try:
        loaded.checked()
    except ProfileError as error:
        raise click.ClickException(str(error)) from error
    configured, known = settings(), ", ".join(sorted(loaded.profiles)) or "none yet"
    directory = configured.mappings.directory.absolute()
    raise click.ClickException(f"there is no profile {name!r} in {directory} ({configured.origin}); there are: {known}")


def loaded_profiles() -> Loaded:
    """Return the valid profiles of the mappings folder and the packaged ones, and what is wrong with other files.

    Raises click.ClickException.
    """
    return sort_profiles(files_of_profiles(), registry())


def files_of_profiles() -> Mapping[Path, bytes | Finding]:
    """Return what the files of the mappings folder hold, and those of packaged profiles that it does not have.

    Raises click.ClickException if there is no such folder.
    """
    configured = settings()
    try:
        return with_packaged(read_profiles(configured.mappings.directory), configured.mappings.directory)
    except ProfileError as error:
        raise click.ClickException(f"{error} ({configured.origin})") from error


def warn_of(loaded: Loaded) -> None:
    """Name the files that can't be used on standard error."""
    for path in dict.fromkeys(finding.path for finding in loaded.findings if finding.severity == "error"):
        click.echo(f"warning: {path} can't be used; scimsvc mappings check says why", err=True)


def make_database_folder(configured: Settings) -> None:
    """Make the folder of an SQLite file, where it is missing. Raises click.ClickException."""
    try:
        path = sqlite_path(configured.database.url)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise click.ClickException(f"setting database.url: {error}") from error
    except OSError as error:
        raise click.ClickException(
            f"the folder {os.path.abspath(error.filename)} can't be made: {error.strerror} ({configured.origin})"
        ) from error


_LOGIN = re.compile("authentication failed|no password supplied|role .* does not exist|no pg_hba.conf entry")
"""How PostgreSQL and libpq say that a login is wrong. A connection that was never made has no SQLSTATE."""


def _missing(path: Path, origin: str) -> str:
    """Say what to do about an SQLite file that isn't there, and which configuration file was read."""
    if not os.path.isdir(path.parent):
        folder = path.parent.absolute()
        return f"there is no folder {folder} for the database {path.name} ({origin}); make it, or run: scimsvc init"
    return f"there is no database {path.absolute()} ({origin}); if that is the right path, run: scimsvc db migrate"


def _explained(error: DatabaseUnavailable, configured: Settings) -> str:
    """What is wrong with a database, and what would be right."""
    url, origin = configured.database.url, configured.origin
    path = sqlite_path(url)
    if path is None or error.reason not in ("unreachable", "broken", "read-only"):
        if path is None and _LOGIN.search(str(error)):
            return (
                f"the database refuses the login: {_without_password(str(error), url)}; "
                "check user and password in database.url, or in libpq's PGUSER, PGPASSWORD and PGPASSFILE"
            )
        return f"the database {REASONS[error.reason]}: {_without_password(str(error), url)}"
    file = path.absolute()
    if error.reason == "broken":
        return (
            f"{file} is no SQLite database ({origin}); database.url must name one of scimsvc's, or a file that is not there yet"
        )
    if os.path.isdir(path):
        return f"{file} is a folder ({origin}); database.url must name a file in it"
    if not os.path.isdir(path.parent):
        return _missing(path, origin)
    return f"{file} can't be opened: whoever runs scimsvc must be able to read and write this file and its folder"


def _without_password(message: str, url: str) -> str:
    """The first line of a driver's message; libpq shows what it can't read of a URL."""
    password = urlsplit(url).password
    line = message.partition("\n")[0]
    return line.replace(password, "***") if password else line


def tenant_named(found: Database, name: str) -> TenantRecord:
    """The tenant of that name. Raises click.ClickException, which lists those there are."""
    record = tenants.find_tenant(found, name)
    if record is None:
        known = ", ".join(tenant.name for tenant in tenants.tenants(found)) or "none yet"
        raise click.ClickException(f"there is no tenant {name!r}; there are: {known}")
    return record


def json_in(file: Path) -> Any:
    """The JSON in a file, with or without a byte order mark. Raises ValueError, which names the file."""
    with _named(file):
        return _parsed(_content_of(file))


def json_values_in(file: Path) -> list[Any]:
    """Return the JSON values in a file, or for `-` on standard input: one value, or one a line.

    Raises ValueError, which names the file and the line.
    """
    with _named(file):
        content = json_in_utf8(_content_of(file))
        lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
        try:
            return [_parsed(content)]
        except ValueError:
            # A value over several lines has no value in its first line.
            if len(lines) < 2 or not _is_json(lines[0][1]):
                raise
        return [_parsed(line, f"line {number}: ") for number, line in lines]


def name_of_input(file: Path) -> str:
    """Return what a message calls a file that may be `-`."""
    return "standard input" if file == STANDARD_INPUT else str(file)


STANDARD_INPUT = Path("-")


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Put the name of a file before the message of a ValueError or OSError, which becomes a ValueError."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{name_of_input(file)}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{name_of_input(file)}: {error}") from error


def _content_of(file: Path) -> bytes:
    if file == STANDARD_INPUT:
        content = sys.stdin.buffer.read(MAX_JSON_BYTES + 1)
    else:
        with file.open("rb") as opened:
            content = opened.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise ValueError(f"may have {MAX_JSON_BYTES} bytes")
    return content


def _parsed(content: bytes, place: str = "") -> Any:
    try:
        found = json_of(json_in_utf8(content))
    except ValueError as error:
        raise ValueError(f"{place}{error}") from error
    if nested_too_deep(found):
        raise ValueError(f"{place}nested more than {MAX_DEPTH} deep")
    return found


def _is_json(content: bytes) -> bool:
    try:
        json_of(content)
    except ValueError:
        return False
    return True
