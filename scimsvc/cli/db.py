"""`scimsvc db`: the database's tables."""

from __future__ import annotations

import click

from scimsvc.cli.common import database
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
