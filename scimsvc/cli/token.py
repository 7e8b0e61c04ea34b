"""`scimsvc token`: the secret tokens with which Entra authenticates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from scimsvc.cli.common import database, in_utf8, one_line, tenant_named
from scimsvc.cli.secrets import TOKEN_FILE, secret_in_file, secret_on_stdin
from scimsvc.cli.tables import JSON, show
from scimsvc.service.actor import Actor
from scimsvc.store import tenants
from scimsvc.store.tenants import ACCOUNTS, ME, SCIM, Scope, SecretTaken, TokenRecord

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
@TOKEN_FILE
@click.option("--from-stdin", is_flag=True, help="Take the token from standard input instead of making one.")
def create(
    tenant_name: str,
    description: str,
    scope: Scope,
    user: str | None,
    days: int | None,
    token_file: Path | None,
    from_stdin: bool,
) -> None:
    """Make a token and print it, alone. It can't be shown again. A token that you bring is not printed."""
    if token_file and from_stdin:
        raise click.UsageError("--token-file and --from-stdin exclude each other")
    if (scope == ME) != (user is not None):
        raise click.UsageError("--scope me and --user go together")
    expires = datetime.now(UTC) + timedelta(days=days) if days else None
    secret = secret_in_file(token_file) if token_file else secret_on_stdin() if from_stdin else None
    with database() as found:
        record = tenant_named(found, tenant_name)
        if user is not None and not tenants.has_user(found, record, user):
            raise click.ClickException(f"tenant {tenant_name!r} has no user with the id {user!r}")
        try:
            made = tenants.create_token(
                found, record, description, expires, scope, user, secret, Actor("command", "token create")
            )
        except SecretTaken as error:
            raise click.ClickException("this token is in use already; each may be used once, for one tenant") from error
    if secret is None:
        click.echo(made)


@token.command("list")
@_TENANT
@JSON
def list_(tenant_name: str, as_json: bool) -> None:
    """All tokens of a tenant, one a line: number, state, scope, created, last used, expires, user, description."""
    with database() as found:
        rows = [
            {
                "number": record.id,
                "state": _state(record),
                "scope": record.scope,
                "created": _instant(record.created),
                "lastUsed": _instant(record.last_used),
                "expires": _instant(record.expires),
                "user": record.subject,
                "description": record.description if as_json else one_line(record.description),
            }
            for record in tenants.tokens(found, tenant_named(found, tenant_name))
        ]
    show(("number", "state", "scope", "created", "lastUsed", "expires", "user", "description"), rows, as_json)


@token.command()
@_TENANT
@click.argument("number", type=click.IntRange(1))
def revoke(tenant_name: str, number: int) -> None:
    """End a token at once, by its NUMBER in the list. To do it again changes nothing, and is no mistake."""
    with database() as found:
        record = tenant_named(found, tenant_name)
        revoked = number <= _MAX_NUMBER and tenants.revoke_token(found, record, number, Actor("command", "token revoke"))
        if not revoked and number not in (token.id for token in tenants.tokens(found, record)):
            raise click.ClickException(f"tenant {tenant_name!r} has no live token {number}")
    click.echo(f"revoked token {number}" if revoked else f"token {number} was revoked already")


def _instant(time: str | None) -> str | None:
    return f"{time}Z" if time else None


def _state(record: TokenRecord) -> str:
    if record.revoked:
        return "revoked"
    return "live" if record.live else "expired"
