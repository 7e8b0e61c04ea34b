"""`scimsvc init`: from nothing to a server that Entra can use."""

from __future__ import annotations

import click

from scimsvc.cli.common import database, make_database_folder, profile_named, settings
from scimsvc.cli.db import index_anew
from scimsvc.settings import is_origin
from scimsvc.store import tenants
from scimsvc.store.migrations import migrate

DEFAULT_TENANT = "default"
DEFAULT_PROFILE = "entra"


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the server will be reached.")
def init(url: str) -> None:
    """Migrate the database; where it has no tenant yet, make `default` and print its Tenant URL and Secret Token once."""
    if not is_origin(url):
        raise click.BadParameter(f"{url!r} is no URL like http://127.0.0.1:8000", param_hint="--url")
    configured = settings()
    profile_named(DEFAULT_PROFILE)
    make_database_folder(configured)
    with database(migrated=False) as found:
        migrate(found)
        index_anew(found)
        if tenants.tenants(found):
            return
        tenant = tenants.create_tenant(found, DEFAULT_TENANT, DEFAULT_PROFILE)
        secret = tenants.create_token(found, tenant, "made by scimsvc init", None)
    base = configured.scim.public_url.rstrip("/") or url.rstrip("/")
    click.echo(f"Tenant URL:   {base}{configured.scim.base_path}/")
    click.echo(f"Secret Token: {secret}")
    click.echo("The token is shown this once. Make another with: scimsvc token create --tenant default")
