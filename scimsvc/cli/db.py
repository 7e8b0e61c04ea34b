"""`scimsvc db`: the database's tables."""

from __future__ import annotations

import click

from scimsvc.cli.common import database, profile_named
from scimsvc.cli.progress import Progress
from scimsvc.service.catalog import Catalog
from scimsvc.service.reindex import reindex, settle
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate


@click.group()
def db() -> None:
    """The database."""


@db.command("migrate")
def migrate_command() -> None:
    """Bring the tables and the index up to date. Safe to run at any time, and by several at once.

    A new index may take minutes. If it is interrupted, run the command again: it goes on where it was.
    """
    with database(migrated=False) as found:
        applied = migrate(found)
        for name in applied:
            click.echo(f"applied {name}")
        indexed = index_anew(found)
    if not applied and not indexed:
        click.echo("up to date")


def index_anew(found: Database) -> int:
    """Bring the index of a database with up-to-date tables to this version's form; return how many resources were gone through.

    Print the resources whose unique values another resource has, too. That is no failure: both stay as they are.
    """
    indexed = _reindexed(found)
    if indexed:
        click.echo(f"indexed {indexed} resources")
    conflicts = settle(found, _catalog_of)
    for one in conflicts:
        keeper = one.kept_by or "another"
        click.echo(
            f"! tenant {one.tenant}: {one.resource_type} {one.id} has the {one.attribute} of {keeper}, which keeps it as unique"
        )
    if conflicts:
        click.echo("! both stay as they are, and both are found by that value; change it in one of them, or delete one", err=True)
    return indexed


def _reindexed(found: Database) -> int:
    progress: Progress | None = None

    def report(done: int, total: int) -> None:
        nonlocal progress
        progress = progress or Progress("indexing", total, "resources", done)
        progress.advance(done - progress.count)

    try:
        return reindex(found, _catalog_of, report)
    except KeyboardInterrupt:
        done = progress.count if progress else 0
        raise click.ClickException(
            f"interrupted with {done} resources indexed, which stay so; run the command again for the rest. "
            "Until then the server answers 503"
        ) from None
    finally:
        if progress:
            progress.end()


def _catalog_of(profile: str) -> Catalog:
    return Catalog(profile_named(profile))


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
        if not found.truncate_log():
            click.echo(
                "the write-ahead log is in use, so what was purged may stay in it for a while; run the command again", err=True
            )
