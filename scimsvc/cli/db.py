"""`scimsvc db`: the database's tables."""

from __future__ import annotations

import click

from scimsvc.cli.common import database, profile_named
from scimsvc.service.catalog import Catalog
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.migrations import migrate


@click.group()
def db() -> None:
    """The database."""


@db.command("migrate")
def migrate_command() -> None:
    """Bring the tables up to date. Safe to run at any time, and by several at once."""
    with database(migrated=False) as found:
        applied = migrate(found)
    click.echo("\n".join(f"applied {name}" for name in applied) or "up to date")


@db.command()
def purge() -> None:
    """Remove for good what was deleted longer ago than its profile's deleteAfter says. Each delete does some of it, too."""
    with database() as found:
        for tenant in tenants.tenants(found):
            purged = 0
            for served in Catalog(profile_named(tenant.profile)).types.values():
                service = ResourceService(found, tenant.id, served, "")
                while number := found.transaction(service.purge):
                    purged += number
            click.echo(f"{tenant.name}: purged {purged}")
