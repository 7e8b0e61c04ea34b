"""`scimsvc mappings`: the mapping profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from scimsvc.cli.common import (
    json_in,
    json_values_in,
    loaded_profiles,
    name_of_input,
    one_line,
    profile_named,
    registry,
    settings,
    warn_of,
)
from scimsvc.cli.findings import FORMATS, show_findings
from scimsvc.cli.interruption import Interruption
from scimsvc.cli.progress import Progress
from scimsvc.cli.tables import JSON, show
from scimsvc.mapping import Finding, ProfileError
from scimsvc.mapping.entra.preview import PreviewError, objects_in
from scimsvc.mapping.entra.preview import preview as preview_of
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.reading.profile import is_name
from scimsvc.mapping.reading.warnings.rows import plugin_functions
from scimsvc.mapping.synchronization import Imported, ImportProblem, differences, export_schema, import_schema, merged
from scimsvc.service.catalog import Catalog
from scimsvc.service.facts import as_data
from scimsvc.service.profiles.files import PROFILES, files_in, load_profile
from scimsvc.service.words import difference_in_words, kept_in_words, left_out_in_words

PACKAGED = "packaged"
"""Where a profile comes from that is in no file of the mappings folder."""


@click.group()
def mappings() -> None:
    """Mapping profiles: the attribute-mapping tables of the Entra portal as YAML."""


@mappings.command()
@click.option("--strict", is_flag=True, help="Exit status 1 also if there are only warnings.")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True, help="github: annotations for Actions."
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...], strict: bool, format_: str) -> None:
    """Check FILES, or every profile in the mappings folder: all problems at once, exit status 1 where there are any."""
    functions = registry()
    names: dict[str, Path] = {}
    findings = {path: _findings_in(path, functions, names) for path in files or _profiles()}
    if show_findings(findings, format_, strict):
        raise SystemExit(1)


def _findings_in(path: Path, functions: Registry, names: dict[str, Path]) -> list[Finding]:
    """Return all that is wrong with a file; `names` has the profiles of the files before, and gets the file's own."""
    try:
        profile = load_profile(path, functions)
        if profile.name in names:
            return [Finding(path, 1, 1, f"the profile {profile.name!r} is in {names[profile.name]} already")]
        names[profile.name] = path
        Catalog(profile)
    except ProfileError as error:
        return error.findings
    except ValueError as error:
        return [Finding(path, 1, 1, str(error))]
    return list(profile.warnings)


def _profiles() -> tuple[Path, ...]:
    configured = settings()
    directory = configured.mappings.directory
    paths = tuple(files_in(directory, PROFILES))
    if not paths:
        raise click.ClickException(
            f"{directory.absolute()}: there are no profiles (*.yaml, *.yml); setting mappings.directory names the folder "
            f"({configured.origin})"
        )
    return paths


@mappings.command()
@click.option("--profile", "name", required=True, help="The mapping profile, by its name in the mappings folder.")
@click.option("--explain", is_flag=True, help="Show for each row how it comes to its value.")
@click.option("--strict", is_flag=True, help="Exit status 1 also if an object has warnings.")
@click.argument("table", type=click.Choice(["users", "groups"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
def preview(name: str, explain: bool, strict: bool, table: str, file: Path) -> None:
    """Print what Entra will send for the directory objects in FILE, as Microsoft Graph returns them: one, a list, or one a line.

    FILE may be `-`, standard input. One line of JSON for each object: the filters by which it is matched, the create, and the
    update in both PATCH dialects.
    """
    profile = profile_named(name)
    mapping = profile.users if table == "users" else profile.groups
    with Interruption("nothing was printed; a preview only reads"):
        objects = [one for value in _json_values(file) for one in objects_in(value)]
        answers, problems = [], []
        with Progress("previewing", len(objects), "objects") as progress:
            for number, found in enumerate(progress.over(objects), 1):
                try:
                    answers.append(preview_of(mapping, found, explain))
                except PreviewError as error:
                    problems.append(f"{name_of_input(file)}: object {number}: {error}")
    if problems:
        raise click.ClickException("\n".join(problems))
    for answer in answers:
        click.echo(orjson.dumps(answer))
    if any("error" in answer or (strict and "warnings" in answer) for answer in answers):
        raise SystemExit(1)


def _json_values(file: Path) -> list[Any]:
    try:
        return json_values_in(file)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@mappings.command("import")
@click.option("--name", default="imported", show_default=True, help="What the profile is called.")
@_FILE
def import_(name: str, file: Path) -> None:
    """Print the profile of FILE, a synchronization schema as the portal ("Review your schema here") or Graph has it."""
    if not is_name(name):
        raise click.BadParameter("is 1 to 63 letters, digits, dashes and underscores", param_hint="--name")
    imported = _imported(name, file)
    click.echo(imported.text, nl=False)
    for left_out in imported.left_out:
        click.echo(f"{file}: left out: {left_out_in_words(left_out)}", err=True)


@mappings.command()
@click.option("--profile", "name", required=True, help="The mapping profile, by its name in the mappings folder.")
@click.option(
    "--base",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A schema that was downloaded: what the profile has goes into it, and all else stays as it is.",
)
def export(name: str, base: Path | None) -> None:
    """Print a profile as a synchronization schema for the portal or Graph. Uploading wants the ids of the job, so give --base."""
    profile = profile_named(name)
    foreign = [
        f"{name}: {row.target_text} is worked out by {call.name}, which Entra does not have"
        for name, table in profile.tables().items()
        for row in table.mappings
        for call in plugin_functions(row, registry())
    ]
    if foreign:
        raise click.ClickException("\n".join([*foreign, "a plugin's functions belong in record:, which Entra never sees"]))
    try:
        schema, notes = merged(profile, registry(), _json(base)) if base else (export_schema(profile, registry()), [])
    except ImportProblem as problem:
        raise click.ClickException(f"{base}: {problem}") from problem
    click.echo(orjson.dumps(schema, option=orjson.OPT_INDENT_2))
    for note in notes:
        click.echo(f"{base}: {kept_in_words(note)}", err=True)


@mappings.command()
@JSON
@click.argument("name", metavar="PROFILE")
@_FILE
def diff(name: str, file: Path, as_json: bool) -> None:
    """Print the differences between PROFILE and FILE, a synchronization schema. Exit status 1 if there are any."""
    entra = _imported("entra", file)
    found = differences(profile_named(name), entra.profile)
    if as_json:
        facts = [*map(as_data, found), *({"leftOut": as_data(left_out)} for left_out in entra.left_out)]
        click.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    else:
        lines = [*map(difference_in_words, found), *map(left_out_in_words, entra.left_out)]
        click.echo("\n".join(lines) or "no differences")
    if found or entra.left_out:
        raise SystemExit(1)


def _imported(name: str, file: Path) -> Imported:
    try:
        return import_schema(_json(file), name, f"Imported from {file.name}", registry())
    except ImportProblem as problem:
        raise click.ClickException("\n".join([f"{file} can't be a profile:", str(problem)])) from problem


def _json(file: Path) -> Any:
    try:
        return json_in(file)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@mappings.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List all valid profiles, one a line: name, title, and its file, or `packaged` if it comes with scimsvc.

    A profile in the mappings folder is used instead of the packaged one of the same name. Exit status 1 if another file is wrong.
    """
    loaded = loaded_profiles()
    directory = settings().mappings.directory
    rows = []
    for name, profile in sorted(loaded.profiles.items()):
        path = loaded.paths[name]
        origin = str(path) if path.parent == directory else PACKAGED
        row = {"name": name, "title": profile.title, "from": origin}
        rows.append(row if as_json else {column: one_line(text) for column, text in row.items()})
    show(("name", "title", "from"), rows, as_json)
    if loaded.findings:
        warn_of(loaded)
        raise SystemExit(1)
