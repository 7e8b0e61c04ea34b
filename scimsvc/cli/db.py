"""`scimsvc db`: the database's tables and index, backups, and what is to go for good."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from scimsvc.cli.approval import Approval, counted
from scimsvc.cli.common import database, in_utf8, profile_named, settings, tenant_named
from scimsvc.cli.interruption import Interruption
from scimsvc.cli.progress import Progress
from scimsvc.service.activity import INSTALLATION, NothingKnown, StillLive, count_expired, delete_expired, erase
from scimsvc.service.actor import Actor
from scimsvc.service.backup import BackupError, Report, backup, check, restore, tenants_in
from scimsvc.service.catalog import Catalog
from scimsvc.service.readiness import unprepared
from scimsvc.service.reindex import reindex, settle
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import WrongDatabase, migrate
from scimsvc.store.tenants import TenantRecord


@click.group()
def db() -> None:
    """The database."""


@db.command("migrate")
def migrate_command() -> None:
    """Bring the tables and the index up to date. Safe to run at any time, and by several at once.

    A new index may take minutes. If it is interrupted, run the command again: it goes on where it was.
    """
    with database(migrated=False) as found:
        with Interruption("migrations are applied as a whole or not at all; run scimsvc db migrate again"):
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
    in_conflict = False
    for one in settle(found, _catalog_of):
        in_conflict = True
        keeper = one.kept_by or "another"
        click.echo(
            f"! tenant {one.tenant}: {one.resource_type} {one.id} has the {one.attribute} of {keeper}, which keeps it as unique"
        )
    if in_conflict:
        click.echo("! both stay as they are, and both are found by that value; change it in one of them, or delete one", err=True)
    return indexed


def _reindexed(found: Database) -> int:
    progress: Progress | None = None

    def report(done: int, total: int) -> None:
        nonlocal progress
        progress = progress or Progress("indexing", total, "resources", done)
        progress.advance(done - progress.count)
        interruption.done(f"{done:,} of {total:,} resources are indexed, and stay so; {rest}")

    rest = "run scimsvc db migrate again for the rest. Until then every server answers 503"
    with Interruption(f"no resource is indexed yet; {rest}") as interruption:
        try:
            return reindex(found, _catalog_of, report)
        finally:
            if progress:
                progress.end()


def _catalog_of(profile: str) -> Catalog:
    return Catalog(profile_named(profile))


@db.command()
@click.option("--dry-run", is_flag=True, help="Count what would be removed, and remove nothing.")
def purge(dry_run: bool) -> None:
    """Remove for good what was deleted longer ago than its profile's deleteAfter says. Each delete does some of it, too.

    Rows of the journal that are older than the setting journal.retention_days are deleted as well.
    """
    days = settings().journal.retention_days
    with database() as found:
        if dry_run:
            _count_expired(found, days)
            return
        _purge(found)
        _purge_journal(found, days)
        if not found.truncate_log():
            click.echo(
                "the write-ahead log is in use, so what was purged may stay in it for a while; run the command again", err=True
            )


def _purge(found: Database) -> None:
    """Purge the resources of all tenants, with progress. An interruption waits for the end of one transaction."""
    with Interruption("") as interruption, interruption.held(), Progress("purging", None, "resources") as progress:
        interruption.state = lambda: (
            f"{counted(progress.count, 'resource')} {'is' if progress.count == 1 else 'are'} removed for good; "
            "run scimsvc db purge again for the rest"
        )
        for tenant in tenants.tenants(found):
            before = progress.count
            interruption.checkpoint()
            for service in _services(found, tenant):
                while number := found.transaction(service.purge):
                    progress.advance(number)
                    interruption.checkpoint()
            progress.end()
            click.echo(f"{tenant.name}: purged {progress.count - before}")


def _services(found: Database, tenant: TenantRecord) -> Iterator[ResourceService]:
    for served in Catalog(profile_named(tenant.profile)).types.values():
        yield ResourceService(found, tenant.id, served, "", actor=Actor("command", "db purge"))


def _purge_journal(found: Database, days: int) -> None:
    """Delete the expired rows of the journal, with progress. An interruption waits for the end of one transaction."""
    with Interruption("") as interruption, interruption.held(), Progress("deleting", None, "rows of the journal") as progress:
        interruption.state = lambda: (
            f"{counted(progress.count, 'row')} of the journal deleted; run scimsvc db purge again for the rest"
        )
        for name, tenant_id in _with_journal(found):
            before = progress.count
            interruption.checkpoint()
            while number := delete_expired(found, tenant_id, days):
                progress.advance(number)
                interruption.checkpoint()
            if progress.count > before:
                progress.end()
                click.echo(f"{name}: deleted {counted(progress.count - before, 'expired row')} of the journal")


def _count_expired(found: Database, days: int) -> None:
    """Print what `db purge` would remove."""
    for tenant in tenants.tenants(found):
        number = sum(service.expired() for service in _services(found, tenant))
        click.echo(f"{tenant.name}: would purge {number}")
    for name, tenant_id in _with_journal(found):
        rows = count_expired(found, tenant_id, days)
        if rows:
            click.echo(f"{name}: would delete {counted(rows, 'expired row')} of the journal")


def _with_journal(found: Database) -> list[tuple[str, int]]:
    """Return the tenants by name and number, and the installation, whose rows are about no tenant."""
    return [*((tenant.name, tenant.id) for tenant in tenants.tenants(found)), ("installation", INSTALLATION)]


@db.command("erase")
@click.option("--tenant", "tenant_name", required=True, callback=in_utf8, help="The tenant's name.")
@click.argument("resource_id", metavar="ID", callback=in_utf8)
def erase_command(tenant_name: str, resource_id: str) -> None:
    """Forget the deleted account with this ID: remove it for good, and its values from the whole journal.

    What stays is that it was erased and when, until journal.retention_days are over. A live account is refused. Backups that
    were made before still have it.
    """
    with database() as found, Interruption("") as interruption, Progress("erasing", None, "batches") as progress:
        tenant = tenant_named(found, tenant_name)
        again = f"scimsvc db erase --tenant {tenant_name} {resource_id}"
        interruption.done(f"only a part is erased; run again: {again}")
        try:
            erase(found, tenant.id, resource_id, Actor("command", "db erase"), progress.advance)
        except StillLive as error:
            raise click.ClickException(
                f"{resource_id} is not deleted; delete it first, by the directory or with DELETE"
            ) from error
        except NothingKnown as error:
            raise click.ClickException(f"tenant {tenant_name!r} has nothing with the id {resource_id!r}") from error
        if not found.truncate_log():
            click.echo(f"the write-ahead log is in use, so values may stay in it for a while; run again: {again}", err=True)
    click.echo(f"erased {resource_id}")


@db.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup_command(file: Path) -> None:
    """Write the whole database to FILE, which must not be there yet, and verify it. Safe while the service runs.

    FILE is for its owner alone: it has everybody's accounts. For PostgreSQL, pg_dump of the server's version must be installed.
    """
    before = "the file that was there already is as it was" if os.path.lexists(file) else f"there is no {file.absolute()}"
    with Interruption(before) as interruption, database(migrated=False) as found, _backup_errors():
        if found.missing_file:
            raise click.ClickException(f"there is no database {found.missing_file.absolute()} ({settings().origin})")
        with _reported("backing up", found) as report:
            backup(found, file, report)
        interruption.done(f"the backup {file.absolute()} is complete")
    click.echo(f"{file.absolute()}: {file.stat().st_size} bytes, verified")


@db.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Replace what the database has without asking.")
def restore_command(file: Path, yes: bool) -> None:
    """Restore the database from FILE, which `scimsvc db backup` has made: as a whole, or not at all if anything fails.

    Stop all servers first. An SQLite database is replaced; a PostgreSQL database must be empty.
    Exit status 2 if there is something to replace and no terminal to ask on.
    """
    untouched = "nothing was restored; the database is as it was"
    with Interruption(untouched) as interruption, database(migrated=False) as found, _backup_errors():
        try:
            check(found, file)
        except WrongDatabase as error:
            # The words are those for a database, and here it is the backup that is newer.
            raise click.ClickException(f"{file.absolute()}: {error}") from error
        there = tenants_in(found)
        if there and found.kind == "sqlite":
            click.echo(f"{file.absolute()} replaces the whole database, which has {counted(there, 'tenant')}")
            Approval(force=False, yes=yes, dry_run=False).obtain(0, "Restore")
        with _reported("restoring", found) as report:
            restore(file, found, report)
        interruption.done(f"the database is restored from {file.absolute()}")
        click.echo(f"restored from {file.absolute()}")
        if unprepared(found):
            click.echo("the backup is of an older version; next: scimsvc db migrate")


@contextmanager
def _backup_errors() -> Iterator[None]:
    try:
        yield
    except BackupError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _reported(what: str, found: Database) -> Iterator[Report]:
    """Show progress: in pages of SQLite, bytes of a dump, or seconds of a restore, whose length isn't known."""
    unit = "pages" if found.kind == "sqlite" else "bytes" if what == "backing up" else "seconds"
    with Progress(what, None, unit) as progress:

        def report(done: int, total: int | None) -> None:
            progress.total = total
            progress.advance(done - progress.count)

        yield report
