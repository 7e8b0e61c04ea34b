"""`scimsvc mappings`: the mapping profiles."""

from __future__ import annotations

from pathlib import Path

import click

from scimsvc.cli.common import registry, settings
from scimsvc.mapping import Finding, ProfileError, load_profile, load_profiles
from scimsvc.service.catalog import Catalog


@click.group()
def mappings() -> None:
    """Mapping profiles: the attribute-mapping tables of the Entra portal as YAML."""


@mappings.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check FILES, or every profile in the mappings folder: all problems at once, exit status 1 where there are any."""
    paths = files or _profiles_in(settings().mappings.directory)
    functions = registry()
    wrong = False
    names: dict[str, Path] = {}
    for path in paths:
        try:
            profile = load_profile(path, functions)
            if profile.name in names:
                raise ProfileError([Finding(path, 1, 1, f"the profile {profile.name!r} is in {names[profile.name]} already")])
            names[profile.name] = path
            Catalog(profile)
            click.echo(f"{path}: ok")
        except ProfileError as error:
            wrong = True
            click.echo(str(error), err=True)
        except ValueError as error:
            wrong = True
            click.echo(f"{path}: {error}", err=True)
    if wrong:
        raise SystemExit(1)


def _profiles_in(directory: Path) -> tuple[Path, ...]:
    paths = tuple(sorted(directory.glob("*.yaml")))
    if not paths:
        raise click.ClickException(f"{directory}: there are no profiles (*.yaml); setting mappings.directory names the folder")
    return paths


@mappings.command("list")
def list_() -> None:
    """All profiles in the mappings folder, one a line: name and title."""
    try:
        profiles = load_profiles(settings().mappings.directory, registry())
    except ProfileError as error:
        raise click.ClickException(str(error)) from error
    for name, profile in sorted(profiles.items()):
        click.echo(f"{name}\t{profile.title}")
