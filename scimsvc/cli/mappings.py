"""`scimsvc mappings`: the mapping profiles."""

from __future__ import annotations

from pathlib import Path

import click

from scimsvc.cli.common import settings
from scimsvc.mapping import ProfileError, load_profile, load_profiles


@click.group()
def mappings() -> None:
    """Mapping profiles: the attribute-mapping tables of the Entra portal as YAML."""


@mappings.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check FILES, or every profile in the mappings folder: all problems at once, exit status 1 where there are any."""
    wrong = False
    for path in files or sorted(settings().mappings.directory.glob("*.yaml")):
        try:
            load_profile(path)
            click.echo(f"{path}: ok")
        except ProfileError as error:
            wrong = True
            click.echo(str(error), err=True)
    if wrong:
        raise SystemExit(1)


@mappings.command("list")
def list_() -> None:
    """All profiles in the mappings folder, one a line: name and title."""
    try:
        profiles = load_profiles(settings().mappings.directory)
    except ProfileError as error:
        raise click.ClickException(str(error)) from error
    for name, profile in sorted(profiles.items()):
        click.echo(f"{name}\t{profile.title}")
