"""`scimsvc token`: the secret tokens with which Entra authenticates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from scimsvc.cli.common import database, in_utf8, one_line, tenant_named
from scimsvc.store import tenants
from scimsvc.store.tenants import ACCOUNTS, ME, SCIM, Scope, TokenRecord

_MAX_NUMBER = 2**31 - 1
_TENANT = click.option("--tenant", "tenant_name", required=True, callback=in_utf8, help="The tenant's name.")


@click.group()
def token() -> None:
    """Secret tokens: a tenant may have several, so that one can be replaced without a gap."""


@token.command()
@_TENANT
@click.option("--description", default="", callback=in_utf8, help="What it is for, for the list.")
@click.option(
    "--scope",
    type=click.Choice([SCIM, ACCOUNTS, ME]),
    default=SCIM,
    show_default=True,
    help="scim for Entra; accounts.read for an application that reads accounts; me for one user, at /Me.",
)
@click.option("--user", callback=in_utf8, help="With --scope me: the id of the user that the token is for.")
@click.option("--expires-in", "days", type=click.IntRange(1, 36500), help="Days until it expires; without, it never does.")
def create(tenant_name: str, description: str, scope: Scope, user: str | None, days: int | None) -> None:
    """Make a token and print it, alone. It can't be shown again."""
    if (scope == ME) != (user is not None):
        raise click.UsageError("--scope me and --user go together")
    expires = datetime.now(UTC) + timedelta(days=days) if days else None
    with database() as found:
        record = tenant_named(found, tenant_name)
        if user is not None and not tenants.has_user(found, record, user):
            raise click.ClickException(f"tenant {tenant_name!r} has no user with the id {user!r}")
        click.echo(tenants.create_token(found, record, description, expires, scope, user))


@token.command("list")
@_TENANT
def list_(tenant_name: str) -> None:
    """All tokens of a tenant, one a line: number, state, scope, created, last used, expires, user, description."""
    with database() as found:
        for record in tenants.tokens(found, tenant_named(found, tenant_name)):
            times = [f"{time}Z" if time else "-" for time in (record.created, record.last_used, record.expires)]
            described = [record.subject or "-", one_line(record.description)]
            click.echo("\t".join([str(record.id), _state(record), record.scope, *times, *described]))


@token.command()
@_TENANT
@click.argument("number", type=click.IntRange(1))
def revoke(tenant_name: str, number: int) -> None:
    """End a token at once, by its NUMBER in the list."""
    with database() as found:
        if number > _MAX_NUMBER or not tenants.revoke_token(found, tenant_named(found, tenant_name), number):
            raise click.ClickException(f"tenant {tenant_name!r} has no live token {number}")
    click.echo(f"revoked token {number}")


def _state(record: TokenRecord) -> str:
    if record.revoked:
        return "revoked"
    return "live" if record.live else "expired"
