"""What the blueprints call."""

from __future__ import annotations

from dataclasses import dataclass

from scimsvc.mapping import load_profiles
from scimsvc.mapping.functions import load_registry
from scimsvc.service.authentication import Authenticator
from scimsvc.service.catalog import Catalog
from scimsvc.settings import Settings
from scimsvc.store.database import Database


@dataclass(frozen=True)
class Services:
    """The parts of one application; `catalogs` are by the name of their mapping profile."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    catalogs: dict[str, Catalog]


def make_services(settings: Settings) -> Services:
    """The parts as the settings want them; no connection is opened yet.

    Raises ProfileError where profiles are wrong, ValueError where the database URL or plugins are.
    """
    database = Database(settings.database.url)
    profiles = load_profiles(settings.mappings.directory, load_registry(settings.plugins, settings.folder))
    catalogs = {name: Catalog(profile) for name, profile in profiles.items()}
    return Services(settings, database, Authenticator(database), catalogs)
