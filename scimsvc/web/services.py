"""What the blueprints call."""

from __future__ import annotations

from dataclasses import dataclass

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
