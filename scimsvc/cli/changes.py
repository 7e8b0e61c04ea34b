"""`scimsvc mappings plan|apply|rollback|reindex`: changing a profile that tenants follow."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from scimsvc.cli.common import database, profile_named, registry, settings
from scimsvc.mapping import Profile, ProfileError, load_profiles, parse_profile, read_profiles
from scimsvc.mapping.loader import is_name, read_file
from scimsvc.mapping.versions import former_of, place_of, profiles_with, put
from scimsvc.service.catalog import Catalog
from scimsvc.service.catalogs import CHECK_EVERY
from scimsvc.service.plan import Plan
from scimsvc.service.plan import plan as make_plan
from scimsvc.service.plan import reindex as index_anew
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.tenants import TenantRecord

FOLLOWED_AFTER = CHECK_EVERY + 1.0
"""Seconds after which every running server has taken a changed profile, or a tenant's other one."""
FORCE = click.option("--force", is_flag=True, help="Even where something is in its way; accounts stay as they are.")
_PROFILE = click.option("--profile", "name", required=True, help="The mapping profile, by its name in the mappings folder.")

Following = Sequence[tuple[TenantRecord, Catalog]]
"""Tenants, and the catalog that each is to follow."""


@click.command()
@click.argument("new", metavar="NEW.yaml", type=click.Path(path_type=Path))
@click.option("--values", is_flag=True, help="Show what examples change from and to: people's data.")
def plan(new: Path, values: bool) -> None:
    """Say what NEW.yaml would do to the accounts of all tenants that follow the profile of its name; nothing is changed.

    Exit status 1 where values would clash, or attributes or values would no longer be accepted.
    """
    catalog = _catalog_in(new)
    with database() as found:
        if _report(_plans(found, _following(found, catalog), values)):
            raise SystemExit(1)


@click.command()
@click.argument("new", metavar="NEW.yaml", type=click.Path(path_type=Path))
@FORCE
def apply(new: Path, force: bool) -> None:
    """Put NEW.yaml in the place of the profile of its name, keep the former version, and index the accounts by it.

    Nothing happens, with exit status 1, where NEW.yaml is wrong or its plan finds something in its way. Running servers follow
    by themselves.
    """
    _put(_catalog_in(new).profile.name, new, force)


@click.command()
@_PROFILE
@FORCE
def rollback(name: str, force: bool) -> None:
    """Bring back the version of a profile that was there before the last apply or rollback; the present one is kept in turn."""
    place = _place_of(name)
    if not place.exists():
        raise click.ClickException(f"there is no profile {name!r} in {place.parent}")
    former = former_of(place)
    if not former.exists():
        raise click.ClickException(f"{former}: there is no former version of the profile {name!r}")
    _put(name, former, force)


@click.command()
@_PROFILE
def reindex(name: str) -> None:
    """Index the accounts of all tenants that follow a profile as it is now: what is unique, custom attributes, exact case.

    Safe while the service runs. Exit status 1 where unique values clash; such accounts stay as they were.
    """
    catalog = catalog_of(profile_named(name))
    with database() as found:
        plans = [one for tenant, own in _following(found, catalog) for one in index_anew(found, tenant, own)]
        if _report(plans):
            raise SystemExit(1)


def clear_the_way(found: Database, following: Following, force: bool) -> None:
    """Print what catalogs do to the accounts of tenants. Raises click.ClickException where something is in the way."""
    if _report(_plans(found, following)) and not force:
        raise click.ClickException("something is in the way, so nothing was changed; --force does it all the same")


def index_again(found: Database, following: Following) -> None:
    """Index the accounts of tenants by their new catalogs, once no running server indexes by others any more."""
    if not following:
        return
    click.echo(f"indexing in {FOLLOWED_AFTER:.0f} seconds, once every running server follows")
    time.sleep(FOLLOWED_AFTER)
    plans = [one for tenant, catalog in following for one in index_anew(found, tenant, catalog)]
    _report([one for one in plans if one.effects])
    click.echo(f"indexed {sum(one.resources for one in plans)} resources")


def catalog_of(profile: Profile) -> Catalog:
    """The catalog of a profile. Raises click.ClickException."""
    try:
        return Catalog(profile)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _catalog_in(path: Path) -> Catalog:
    """The catalog of a profile as it will be in the mappings folder, whose documents are those that count."""
    try:
        beside = {one.name: content for one, content in read_profiles(settings().mappings.directory).items()}
        return catalog_of(parse_profile(read_file(path), path, registry(), beside))
    except ProfileError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{path} can't be read: {error.strerror}") from error


def _place_of(name: str) -> Path:
    if not is_name(name):
        raise click.ClickException(f"{name[:64]!r} is no name of a profile: letters, digits, dashes and underscores")
    try:
        return place_of(name, settings().mappings.directory)
    except ProfileError as error:
        raise click.ClickException(str(error)) from error


def _put(name: str, new: Path, force: bool) -> None:
    _catalog_in(new)
    place = _place_of(name)
    try:
        content = read_file(new)
        catalog = catalog_of(profiles_with(place, content, registry())[name])
    except ProfileError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{new} can't be read: {error.strerror}") from error
    except KeyError:
        raise click.ClickException(f"{new}: is no longer the profile {name!r}") from None
    try:
        before = read_file(place) if os.path.lexists(place) else None
    except OSError as error:
        raise click.ClickException(f"{place} can't be read: {error.strerror}") from error
    with database() as found:
        following = _following(found, catalog)
        clear_the_way(found, following, force)
        if before == content:
            # Perhaps somebody was interrupted here; the rest does no harm to do again.
            click.echo(f"{place} is the same already")
            index_again(found, following)
            return
        try:
            put(place, content)
        except OSError as error:
            raise click.ClickException(f"{place} stays as it was: {error.strerror}") from error
        kept = f" is replaced; what it was is {former_of(place)}, and scimsvc mappings rollback brings it back"
        click.echo(f"{place}{' is new' if before is None else kept}")
        index_again(found, following)


def _following(found: Database, catalog: Catalog) -> list[tuple[TenantRecord, Catalog]]:
    followers = [(tenant, catalog) for tenant in tenants.tenants(found) if tenant.profile == catalog.profile.name]
    if not followers:
        click.echo(f"no tenant follows the profile {catalog.profile.name!r}", err=True)
    return followers


def _plans(found: Database, following: Following, values: bool = False) -> Iterable[Plan]:
    try:
        present = load_profiles(settings().mappings.directory, registry())
    except ProfileError:
        # Then it can't be told what changes, only what is in the way.
        present = {}
    for tenant, catalog in following:
        former = present.get(tenant.profile)
        yield from make_plan(found, tenant, catalog, catalog_of(former) if former else None, values)


def _report(plans: Iterable[Plan]) -> bool:
    """Print plans; answers whether one is blocked."""
    blocked = False
    for one in plans:
        click.echo(f"tenant {one.tenant}, {one.resource_type}: {one.resources} resources")
        for effect in one.effects:
            blocked |= effect.blocks
            sign = "!" if effect.blocks else " "
            click.echo(f" {sign} {effect.count}: {effect.what}; such as {', '.join(effect.examples)}")
    return blocked
