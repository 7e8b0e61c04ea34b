"""The services that the views call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import peewee

from scimsvc.mapping.functions import load_registry
from scimsvc.protocol.limits import Limits
from scimsvc.service.authentication import Authenticator
from scimsvc.service.catalogs import Catalogs
from scimsvc.service.cursors import Cursors
from scimsvc.service.readiness import Readiness
from scimsvc.settings import RUN_DIRECTORY, Settings
from scimsvc.store import tenants
from scimsvc.store.database import Database, DatabaseUnavailable


@dataclass(frozen=True)
class Services:
    """The services of one application."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    catalogs: Catalogs
    readiness: Readiness

    @cached_property
    def cursors(self) -> Cursors:
        """Return the service that makes and reads cursors."""
        return Cursors(self.database)

    @cached_property
    def limits(self) -> Limits:
        """Return the limits of one request."""
        limits = self.settings.limits
        return Limits(limits.filter_length, limits.patch_operations, limits.members, limits.filter_scans)


def database_of(settings: Settings) -> Database:
    """The database of the settings. Raises ValueError where its URL is wrong."""
    configured = settings.database
    return Database(configured.url, configured.statement_timeout, configured.prepared_statements)


def make_services(settings: Settings) -> Services:
    """Make the services that the settings describe. No connection stays open.

    Raise ProfileError if profiles are wrong, ValueError if the database URL or plugins are.
    """
    database = database_of(settings)
    registry = load_registry(settings.plugins, settings.folder.resolve())
    run = os.environ.get(RUN_DIRECTORY)
    kept = Path(run) / "profiles.json" if run else None
    catalogs = Catalogs(settings.mappings.directory, registry, kept, partial(_followed, database), packaged=True)
    return Services(settings, database, Authenticator(database), catalogs, Readiness(database))


def _followed(database: Database) -> set[str] | None:
    try:
        with database.reading():
            return {tenant.profile for tenant in tenants.tenants(database)}
    except (DatabaseUnavailable, peewee.PeeweeException):
        return None
    finally:
        # Processes that are forked from this one must not share the connection.
        database.close()
