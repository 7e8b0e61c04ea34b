"""`scimsvc tenant`: the customers whose directories are provisioned."""

from __future__ import annotations

import re

import click

from scimsvc.cli.approval import Approval, asking
from scimsvc.cli.changes import NOT_CHANGED, catalog_of, continuation, index_again, present_profiles, report
from scimsvc.cli.common import database, in_utf8, profile_named, program, tenant_named
from scimsvc.cli.interruption import Interruption
from scimsvc.cli.tables import JSON, show
from scimsvc.service.actor import Actor
from scimsvc.store import tenants
from scimsvc.store.tenants import NameTaken

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@click.group()
def tenant() -> None:
    """Tenants: each has its own accounts, tokens and mapping profile."""


@tenant.command()
@click.argument("name")
@click.option("--profile", required=True, help="The mapping profile, by its name in the mappings folder.")
@click.option("--if-not-exists", is_flag=True, help="Change nothing and succeed if the tenant exists and follows this profile.")
def create(name: str, profile: str, if_not_exists: bool) -> None:
    """Make a tenant NAME that follows a mapping profile."""
    profile_named(profile)
    if not _NAME.fullmatch(name):
        raise click.ClickException("a tenant's name is 1 to 63 letters, digits, dots, dashes and underscores")
    with database() as found:
        try:
            tenants.create_tenant(found, name, profile, Actor("command", "tenant create"))
        except NameTaken as error:
            existing = tenant_named(found, name)
            if if_not_exists and existing.profile == profile:
                click.echo(f"tenant {name} exists and follows profile {profile}")
                return
            if if_not_exists:
                raise click.ClickException(
                    f"there is a tenant {name!r} already, which follows profile {existing.profile!r}; "
                    f"change it with: {program()} tenant update {name} --profile {profile}"
                ) from error
            raise click.ClickException(f"there is a tenant {name!r} already") from error
    click.echo(f"created tenant {name} with profile {profile}; next: {program()} token create --tenant {name}")


@tenant.command()
@click.argument("name", callback=in_utf8)
@click.option("--profile", required=True, help="The mapping profile, by its name in the mappings folder.")
@asking
def update(name: str, profile: str, approval: Approval) -> None:
    """Switch a tenant NAME to another mapping profile, after a plan as by `mappings plan`, and a question.

    Problems stop the command with exit status 1, unless --force is given. Without a terminal and without --yes nothing is
    changed and the exit status is 2.
    """
    with Interruption(NOT_CHANGED) as interruption, database() as found:
        catalog = catalog_of(profile_named(profile))
        record = tenant_named(found, name)
        following = [(record, catalog)]
        problems = report(found, catalog, present_profiles().get(record.profile), following)
        approval.obtain(problems, f"Switch tenant {name} to the profile {profile}")
        done = f"tenant {name} follows profile {profile}"
        with interruption.held():
            tenants.follow(found, record, profile, Actor("command", "tenant update"))
            interruption.done(f"{done}{continuation(following)}")
        click.echo(done)
        index_again(found, following, interruption, done)


@tenant.command("list")
@JSON
def list_(as_json: bool) -> None:
    """All tenants, one a line: name and profile."""
    with database() as found:
        rows = [{"name": record.name, "profile": record.profile} for record in tenants.tenants(found)]
    show(("name", "profile"), rows, as_json)
