"""`scimsvc init`: from an empty folder to a server that Entra can use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from scimsvc.cli.common import database, make_database_folder, profile_named, program, settings
from scimsvc.cli.db import index_anew
from scimsvc.cli.secrets import TOKEN_FILE, secret_in_file
from scimsvc.service.actor import Actor
from scimsvc.service.installation import Files
from scimsvc.settings import DEFAULT_PATH, is_configured_elsewhere, is_origin
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.store.tenants import TenantRecord

DEFAULT_TENANT = "default"
DEFAULT_PROFILE = "entra"
_SHOWN_TENANTS = 5


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the server will be reached.")
@click.option("--profile", help=f"The mapping profile of the first tenant.  [default: {DEFAULT_PROFILE}]")
@TOKEN_FILE
def init(url: str, profile: str | None, token_file: Path | None) -> None:
    """Make what a first start needs: config.yaml, mappings/, the database, and the tenant `default` with its token.

    What is there is kept: no file is overwritten, and a database with tenants gets no further one. The Secret Token is printed
    once, unless it comes from a file.
    """
    if not is_origin(url):
        raise click.BadParameter(f"{url!r} is no URL like http://127.0.0.1:8000", param_hint="--url")
    secret = secret_in_file(token_file) if token_file else None
    with _reported() as files:
        if not is_configured_elsewhere():
            with _failing_in_words():
                files.make_configuration(Path(DEFAULT_PATH))
        configured = settings()
        with _failing_in_words():
            files.make_mappings(configured.mappings.directory)
        profile_named(profile or DEFAULT_PROFILE)
        make_database_folder(configured)
        base = configured.scim.public_url.rstrip("/") or url.rstrip("/")
        with database(migrated=False) as found:
            migrate(found)
            index_anew(found)
            there = tenants.tenants(found)
            click.echo(f"Tenant URL:   {base}{configured.scim.base_path}/")
            if there:
                _show_tenants(found, there)
                _warn_of_differences(found, there, profile, secret, token_file)
            else:
                _make_tenant(found, profile or DEFAULT_PROFILE, secret, token_file)
    click.echo(f"Next: {program()} serve")


@contextmanager
def _reported() -> Iterator[Files]:
    """Say at the end what became of files. After a failure nothing is left of those that were made."""
    files = Files()
    try:
        yield files
    except BaseException:
        files.undo()
        raise
    if files.created:
        click.echo(f"Created: {_listed(files.created)}")
    if files.kept:
        click.echo(f"Kept as they were: {_listed(files.kept)}")
    for reason in sorted(set(files.refused.values())):
        refused = [path for path, why in files.refused.items() if why == reason]
        click.echo(f"Warning: not created ({reason}): {_listed(refused)}", err=True)


@contextmanager
def _failing_in_words() -> Iterator[None]:
    """Make an OSError a click.ClickException."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{error.filename} can't be made: {error.strerror}") from error


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))


def _make_tenant(found: Database, profile: str, secret: str | None, token_file: Path | None) -> None:
    actor = Actor("command", "init")
    tenant = tenants.create_tenant(found, DEFAULT_TENANT, profile, actor)
    made = tenants.create_token(found, tenant, "made by scimsvc init", None, secret=secret, actor=actor)
    another = f"{program()} token create --tenant {DEFAULT_TENANT}"
    if secret is None:
        click.echo(f"Secret Token: {made}")
        click.echo(f"The token is shown this once. Make another with: {another}")
    else:
        click.echo(f"The Secret Token is the one in {token_file}. Make another with: {another}")


def _show_tenants(found: Database, there: Sequence[TenantRecord]) -> None:
    for tenant in there[:_SHOWN_TENANTS]:
        click.echo(f"Tenant {tenant.name}: {_tokens(found, tenant)}")
    if len(there) > _SHOWN_TENANTS:
        click.echo(f"{len(there) - _SHOWN_TENANTS} more tenants: {program()} tenant list")
    click.echo(f"Make another token with: {program()} token create --tenant {there[0].name}")


def _warn_of_differences(
    found: Database, there: Sequence[TenantRecord], profile: str | None, secret: str | None, token_file: Path | None
) -> None:
    """Say on standard error if the tenants that are there have not got the profile or the token that was asked for."""
    name = there[0].name
    if profile and profile not in {tenant.profile for tenant in there}:
        command = f"{program()} tenant update {name} --profile {profile}"
        click.echo(f"Warning: no tenant follows the profile {profile}; to change that, run: {command}", err=True)
    if secret and tenants.find_credential(found, tenants.digest(secret)) is None:
        command = f"{program()} token create --tenant {name} --token-file {token_file}"
        click.echo(f"Warning: the token in {token_file} opens no tenant; to change that, run: {command}", err=True)


def _tokens(found: Database, tenant: TenantRecord) -> str:
    """Return how many live tokens a tenant has, and the number and date of the newest."""
    live = [token for token in tenants.tokens(found, tenant) if token.live]
    if not live:
        return "no live token"
    newest = f"no. {live[-1].id}, made {live[-1].created[:10]}"
    return f"1 live token ({newest})" if len(live) == 1 else f"{len(live)} live tokens (the newest is {newest})"
