"""`scimsvc mappings plan|apply|rollback|reindex`: changing a profile that tenants follow."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import click

from scimsvc.cli.approval import Approval, asking, counted
from scimsvc.cli.common import database, files_of_profiles, profile_named, registry, settings
from scimsvc.cli.interruption import Interruption
from scimsvc.cli.progress import Progress
from scimsvc.mapping import Profile, ProfileError, parse_profile
from scimsvc.mapping.profile.changes import changes
from scimsvc.mapping.reading.profile import is_name
from scimsvc.service.actor import Actor
from scimsvc.service.catalog import Catalog
from scimsvc.service.catalogs import CHECK_EVERY
from scimsvc.service.plan import Plan, resources_of
from scimsvc.service.plan import plan as make_plan
from scimsvc.service.plan import reindex as index_anew
from scimsvc.service.profiles.files import former_of, place_of, profile_with, put, read_file, read_profiles, sort_profiles
from scimsvc.service.profiles.packaged import packaged_profiles, with_packaged
from scimsvc.service.words import change_in_words
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.tenants import TenantRecord

FOLLOWED_AFTER = CHECK_EVERY + 1.0
"""Seconds after which every running server has taken a changed profile, or a tenant's other one."""
NOT_CHANGED = "nothing was changed"
_PROFILE = click.option("--profile", "name", required=True, help="The mapping profile, by its name in the mappings folder.")

Following = Sequence[tuple[TenantRecord, Catalog]]
"""Tenants, and the catalog that each is to follow."""


@click.command()
@click.argument("new", metavar="NEW.yaml", type=click.Path(path_type=Path))
@click.option("--values", is_flag=True, help="Show names, and what examples change from and to: people's data.")
def plan(new: Path, values: bool) -> None:
    """Say what NEW.yaml changes in the profile of its name, and in the accounts of all tenants that follow it; change nothing.

    Lines with `!` are problems. Exit status 1 if there are any.
    """
    with Interruption(NOT_CHANGED):
        catalog = _catalog_in(new)
        with database() as found:
            if report(found, catalog, present_profiles().get(catalog.profile.name), _following(found, catalog), values):
                raise SystemExit(1)


@click.command()
@click.argument("new", metavar="NEW.yaml", type=click.Path(path_type=Path))
@asking
def apply(new: Path, approval: Approval) -> None:
    """Put NEW.yaml in the place of the profile of its name, keep the former version, and index the accounts by it.

    The plan comes first, and then a question. Problems stop the command with exit status 1, unless --force is given. Without
    a terminal and without --yes nothing is changed and the exit status is 2. Running servers follow by themselves.
    """
    with Interruption(NOT_CHANGED) as interruption:
        _put(_catalog_in(new).profile.name, new, approval, interruption, Actor("command", "mappings apply"))


@click.command()
@_PROFILE
@asking
def rollback(name: str, approval: Approval) -> None:
    """Bring back the version of a profile that was there before the last apply or rollback; the present one is kept in turn.

    It asks, and stops at problems, as `mappings apply` does.
    """
    with Interruption(NOT_CHANGED) as interruption:
        place = _place_of(name)
        if not place.exists():
            raise click.ClickException(f"there is no profile {name!r} in {place.parent.absolute()} ({settings().origin})")
        former = former_of(place)
        if not former.exists():
            raise click.ClickException(f"{former}: there is no former version of the profile {name!r}")
        _put(name, former, approval, interruption, Actor("command", "mappings rollback"))


@click.command()
@_PROFILE
def reindex(name: str) -> None:
    """Index the accounts of all tenants that follow a profile as it is now: what is unique, custom attributes, exact case.

    Safe while the service runs. Exit status 1 where unique values clash; such accounts stay as they were.
    """
    with Interruption(NOT_CHANGED) as interruption, database() as found:
        catalog = catalog_of(profile_named(name))
        plans = _index(found, _following(found, catalog), interruption, "")
        if _print_plans(plans):
            raise SystemExit(1)


def report(found: Database, new: Catalog, former: Profile | None, following: Following, values: bool = False) -> int:
    """Print what a profile changes in itself and in accounts, its warnings and a summary. Return the number of problems."""
    name = new.profile.name
    if former is None:
        click.echo(f"profile {name}: nothing to compare with, because there is no valid version of it now")
    else:
        before = "" if former.name == name else f" instead of {former.name}"
        for line in [change_in_words(change) for change in changes(former, new.profile)] or ["nothing changes in the profile"]:
            click.echo(f"profile {name}{before}: {line}")
    plans = list(_plans(found, following, former, values))
    problems = _print_plans(plans)
    for warning in new.profile.warnings:
        # Without the line itself, so that each line of a plan is a statement of its own.
        click.echo(str(replace(warning, text="")))
    click.echo(_summary(plans, problems))
    return problems


def index_again(found: Database, following: Following, interruption: Interruption, done: str) -> None:
    """Index the accounts of tenants by their new catalogs, once no running server indexes by others any more.

    `done` says what the command has done before, in case it is interrupted.
    """
    interruption.done(done)
    if not following:
        return
    click.echo(f"indexing in {FOLLOWED_AFTER:.0f} seconds, once every running server follows")
    interruption.done(f"{done}; no resource is indexed by it yet{continuation(following)}")
    time.sleep(FOLLOWED_AFTER)
    plans = _index(found, following, interruption, f"{done}; ")
    _print_plans([one for one in plans if one.effects])
    click.echo(f"indexed {sum(one.resources for one in plans)} resources")


def catalog_of(profile: Profile) -> Catalog:
    """The catalog of a profile. Raises click.ClickException."""
    try:
        return Catalog(profile)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def continuation(following: Following) -> str:
    """Return how to finish the indexing after an interruption, as the end of a message."""
    return f"; continue with: scimsvc mappings reindex --profile {following[0][1].profile.name}" if following else ""


def _index(found: Database, following: Following, interruption: Interruption, done: str) -> list[Plan]:
    """Index the accounts of tenants anew, with progress. An interruption waits for the end of one account."""
    total = sum(resources_of(found, tenant, catalog) for tenant, catalog in following)
    with interruption.held(), Progress("indexing", total, "resources") as progress:
        interruption.state = lambda: f"{done}{progress.count:,} of {total:,} resources are indexed{continuation(following)}"

        def seen() -> None:
            progress.advance()
            interruption.checkpoint()

        return [one for tenant, catalog in following for one in index_anew(found, tenant, catalog, seen)]


def _catalog_in(path: Path) -> Catalog:
    """The catalog of a profile as it will be in the mappings folder, whose documents are those that count."""
    try:
        beside = {one.name: content for one, content in files_of_profiles().items()}
        return catalog_of(parse_profile(read_file(path), path, registry(), beside.get))
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


def _put(name: str, new: Path, approval: Approval, interruption: Interruption, actor: Actor) -> None:
    warnings = _catalog_in(new).profile.warnings
    place = _place_of(name)
    try:
        content = read_file(new)
        # Its warnings name the file that the administrator can change now, not the one that is replaced later.
        catalog = catalog_of(replace(profile_with(place, content, name, registry()), warnings=warnings))
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
    packaged = packaged_profiles().get(name) if before is None else None
    with database() as found:
        following = _following(found, catalog)
        problems = report(found, catalog, present_profiles().get(name), following)
        approval.obtain(problems, f"Apply this to the profile {name}")
        if before == content:
            # Perhaps somebody was interrupted here; the rest does no harm to do again.
            click.echo(f"{place} is the same already")
            index_again(found, following, interruption, f"{place} was the same already")
            return
        with interruption.held():
            try:
                put(place, content, packaged.read_bytes() if packaged else None)
            except OSError as error:
                raise click.ClickException(f"{place} stays as it was: {error.strerror}") from error
            interruption.done(f"the new profile is in place in {place}{continuation(following)}")
            _note(found, name, following, actor, before, content)
        click.echo(_placed(name, place, before is None, packaged is not None))
        index_again(found, following, interruption, f"the new profile is in place in {place}")


def _placed(name: str, place: Path, new: bool, packaged: bool) -> str:
    """Return what has become of a profile's file, and of the version before."""
    if new and not packaged:
        return f"{place} is new"
    changed = "is new; the packaged version" if packaged else "is replaced; what it was"
    return f"{place} {changed} is {former_of(place)}, and scimsvc mappings rollback --profile {name} brings it back"


def _note(found: Database, name: str, following: Following, actor: Actor, before: bytes | None, content: bytes) -> None:
    """Write to the journal which file replaced which, by their digests."""
    contents = {"before": before, "after": content}
    digests = {key: {"sha256": sha256(one).hexdigest()} for key, one in contents.items() if one is not None}
    tenants.note_profile(found, name, [tenant.id for tenant, _ in following], actor, **digests)


def _following(found: Database, catalog: Catalog) -> list[tuple[TenantRecord, Catalog]]:
    followers = [(tenant, catalog) for tenant in tenants.tenants(found) if tenant.profile == catalog.profile.name]
    if not followers:
        click.echo(f"no tenant follows the profile {catalog.profile.name!r}", err=True)
    return followers


def present_profiles() -> Mapping[str, Profile]:
    """Return the profiles that are valid now, by name. Without the present one a plan can't tell what changes in it."""
    directory = settings().mappings.directory
    try:
        return sort_profiles(with_packaged(read_profiles(directory), directory), registry()).profiles
    except ProfileError:
        return {}


def _plans(found: Database, following: Following, former: Profile | None, values: bool) -> Iterator[Plan]:
    before = catalog_of(former) if former else None
    total = sum(resources_of(found, tenant, catalog, before) for tenant, catalog in following)
    with Progress("planning", total, "resources") as progress:
        for tenant, catalog in following:
            yield from make_plan(found, tenant, catalog, before, values, progress.advance)


def _print_plans(plans: Iterable[Plan]) -> int:
    """Print plans. Return how many problems they have."""
    problems = 0
    for one in plans:
        click.echo(f"tenant {one.tenant}, {one.resource_type}: {one.resources} resources")
        for effect in one.effects:
            problems += effect.blocks
            sign = "!" if effect.blocks else " "
            click.echo(f" {sign} {effect.count}: {effect.what}; such as {', '.join(effect.examples)}")
    return problems


def _summary(plans: Sequence[Plan], problems: int) -> str:
    total, blocked = sum(one.resources for one in plans), sum(one.blocked for one in plans)
    effects, changed = sum(len(one.effects) for one in plans) - problems, sum(one.changed for one in plans)
    parts = [
        _of_resources(counted(problems, "problem"), blocked if problems else 0),
        _of_resources(counted(effects, "other change"), changed if effects else 0),
    ]
    return f"Plan: {', '.join(parts)}; {counted(total, 'resource')} looked at"


def _of_resources(what: str, number: int) -> str:
    return f"{what} for {counted(number, 'resource')}" if number else what
