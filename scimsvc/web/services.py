"""What the blueprints call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scimsvc.mapping.functions import load_registry
from scimsvc.protocol.limits import Limits
from scimsvc.service.authentication import Authenticator
from scimsvc.service.catalogs import Catalogs
from scimsvc.settings import RUN_DIRECTORY, Settings
from scimsvc.store.database import Database


@dataclass(frozen=True)
class Services:
    """The parts of one application."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    catalogs: Catalogs

    @property
    def limits(self) -> Limits:
        """What a client may send at once."""
        limits = self.settings.limits
        return Limits(limits.filter_length, limits.patch_operations, limits.members)


def make_services(settings: Settings) -> Services:
    """The parts as the settings want them; no connection is opened yet.

    Raises ProfileError where profiles are wrong, ValueError where the database URL or plugins are.
    """
    database = Database(settings.database.url)
    registry = load_registry(settings.plugins, settings.folder)
    run = os.environ.get(RUN_DIRECTORY)
    catalogs = Catalogs(settings.mappings.directory, registry, Path(run) / "profiles.json" if run else None)
    return Services(settings, database, Authenticator(database), catalogs)
