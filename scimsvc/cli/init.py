"""`scimsvc init`: from nothing to a server that Entra can use."""

from __future__ import annotations

from pathlib import Path

import click

from scimsvc.cli.common import database, make_database_folder, profile_named, program, settings
from scimsvc.cli.db import index_anew
from scimsvc.cli.secrets import TOKEN_FILE, secret_in_file
from scimsvc.service.actor import Actor
from scimsvc.settings import is_origin
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.store.tenants import TenantRecord

DEFAULT_TENANT = "default"
DEFAULT_PROFILE = "entra"
_SHOWN_TENANTS = 5


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the server will be reached.")
@TOKEN_FILE
def init(url: str, token_file: Path | None) -> None:
    """Migrate the database; if it has no tenant yet, make `default` and print its Tenant URL and Secret Token once."""
    if not is_origin(url):
        raise click.BadParameter(f"{url!r} is no URL like http://127.0.0.1:8000", param_hint="--url")
    secret = secret_in_file(token_file) if token_file else None
    configured = settings()
    profile_named(DEFAULT_PROFILE)
    make_database_folder(configured)
    base = configured.scim.public_url.rstrip("/") or url.rstrip("/")
    another = f"{program()} token create --tenant {DEFAULT_TENANT}"
    with database(migrated=False) as found:
        migrate(found)
        index_anew(found)
        there = tenants.tenants(found)
        if there:
            click.echo(f"Tenant URL:   {base}{configured.scim.base_path}/")
            for tenant in there[:_SHOWN_TENANTS]:
                click.echo(f"Tenant {tenant.name}: {_tokens(found, tenant)}")
            if len(there) > _SHOWN_TENANTS:
                click.echo(f"{len(there) - _SHOWN_TENANTS} more tenants: {program()} tenant list")
            click.echo(f"Make another token with: {program()} token create --tenant {there[0].name}")
            return
        actor = Actor("command", "init")
        tenant = tenants.create_tenant(found, DEFAULT_TENANT, DEFAULT_PROFILE, actor)
        made = tenants.create_token(found, tenant, "made by scimsvc init", None, secret=secret, actor=actor)
    click.echo(f"Tenant URL:   {base}{configured.scim.base_path}/")
    if secret is None:
        click.echo(f"Secret Token: {made}")
        click.echo(f"The token is shown this once. Make another with: {another}")
    else:
        click.echo(f"The Secret Token is the one in {token_file}. Make another with: {another}")


def _tokens(found: Database, tenant: TenantRecord) -> str:
    """Return how many live tokens a tenant has, and the number and date of the newest."""
    live = [token for token in tenants.tokens(found, tenant) if token.live]
    if not live:
        return "no live token"
    newest = f"no. {live[-1].id}, made {live[-1].created[:10]}"
    return f"1 live token ({newest})" if len(live) == 1 else f"{len(live)} live tokens (the newest is {newest})"
