"""What several commands need: settings, the database, a tenant by its name; failures as one line on standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from scimsvc.mapping import Profile, ProfileError, load_profiles
from scimsvc.mapping.functions import PluginError, Registry, load_registry
from scimsvc.mapping.functions.values import MAX_DEPTH, SURROGATE, nested_too_deep
from scimsvc.mapping.loader import json_of
from scimsvc.service.readiness import unprepared
from scimsvc.settings import Settings, SettingsError, load
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
        return load()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def registry() -> Registry:
    """The functions that expressions may call. Raises click.ClickException."""
    configured = settings()
    try:
        return load_registry(configured.plugins, configured.folder)
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
    configured = settings().database
    url = configured.url
    try:
        found = Database(url, prepared_statements=configured.prepared_statements)
    except ValueError as error:
        raise click.ClickException(f"setting database.url: {error}") from error
    try:
        if migrated and found.missing_file:
            raise click.ClickException(_missing(found.missing_file))
        lacking = unprepared(found) if migrated else None
        if lacking:
            part = "index is" if lacking.reindex else "tables are"
            raise click.ClickException(f"the database's {part} not up to date; run: scimsvc db migrate")
        yield found
    except WrongDatabase as error:
        raise click.ClickException(str(error)) from error
    except DatabaseUnavailable as error:
        raise click.ClickException(_explained(error, url)) from error
    finally:
        found.close()


def profile_named(name: str) -> Profile:
    """The mapping profile of that name. Raises click.ClickException where there is none, or one that is wrong."""
    directory = settings().mappings.directory
    try:
        profiles = load_profiles(directory, registry())
    except ProfileError as error:
        raise click.ClickException(str(error)) from error
    if name not in profiles:
        raise click.ClickException(f"there is no profile {name!r} in {directory}; there are: {', '.join(sorted(profiles))}")
    return profiles[name]


def make_database_folder(configured: Settings) -> None:
    """Make the folder of an SQLite file, where it is missing. Raises click.ClickException."""
    try:
        path = sqlite_path(configured.database.url)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise click.ClickException(f"setting database.url: {error}") from error
    except OSError as error:
        raise click.ClickException(f"the folder {error.filename} can't be made: {error.strerror}") from error


def _missing(path: Path) -> str:
    """What to do about an SQLite file that isn't there."""
    if not os.path.isdir(path.parent):
        return f"there is no folder {path.parent} for the database {path.name}; make it, or run: scimsvc init"
    return f"there is no database {path.absolute()}; if that is the right path, run: scimsvc db migrate"


def _explained(error: DatabaseUnavailable, url: str) -> str:
    """What is wrong with a database, and what would be right."""
    path = sqlite_path(url)
    if path is None or error.reason not in ("unreachable", "broken", "read-only"):
        return f"the database {REASONS[error.reason]}: {_without_password(str(error), url)}"
    if error.reason == "broken":
        return f"{path} is no SQLite database; database.url must name one of scimsvc's, or a file that is not there yet"
    if os.path.isdir(path):
        return f"{path} is a folder; database.url must name a file in it"
    if not os.path.isdir(path.parent):
        return _missing(path)
    return f"{path} can't be opened: whoever runs scimsvc must be able to read and write this file and its folder"


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
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise ValueError(f"may have {MAX_JSON_BYTES} bytes")
        found = json_of(content)
    except OSError as error:
        raise ValueError(f"{file}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    if nested_too_deep(found):
        raise ValueError(f"{file}: nested more than {MAX_DEPTH} deep")
    return found
