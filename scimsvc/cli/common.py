"""What several commands need: settings, the database, a tenant by its name; failures as one line on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from scimsvc.settings import Settings, SettingsError, load
from scimsvc.store import tenants
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.migrations import pending
from scimsvc.store.tenants import TenantRecord


def settings() -> Settings:
    """The settings. Raises click.ClickException."""
    try:
        return load()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def database(migrated: bool = True) -> Iterator[Database]:
    """The database of the settings; with `migrated` its tables must be up to date. Raises click.ClickException."""
    url = settings().database.url
    try:
        found = Database(url)
    except (ValueError, OSError) as error:
        raise click.ClickException(f"setting database.url: {error}") from error
    try:
        with found.reading():
            missing = pending(found) if migrated else []
        if missing:
            raise click.ClickException("the database's tables are not up to date; run: scimsvc db migrate")
        yield found
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database can't be reached: {error}") from error
    finally:
        found.close()


def tenant_named(found: Database, name: str) -> TenantRecord:
    """The tenant of that name. Raises click.ClickException, which lists those there are."""
    record = tenants.find_tenant(found, name)
    if record is None:
        known = ", ".join(tenant.name for tenant in tenants.tenants(found)) or "none yet"
        raise click.ClickException(f"there is no tenant {name!r}; there are: {known}")
    return record
