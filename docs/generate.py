"""Write the pages of the documentation that are made from the code: `make docs`. A test fails if one is not current."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from scimsvc.cli import main
from scimsvc.mapping.functions import load_registry
from scimsvc.settings import sections

HERE = Path(__file__).parent
ROOT = HERE.parent


def settings() -> str:
    """Return the page of the settings."""
    lines = [
        "# Settings\n",
        "Settings are in `config.yaml`, or in the file that `SCIMSVC_CONFIG` names. Each can also be an environment variable,",
        "`SCIMSVC_<SECTION>_<NAME>`, which wins. A server does not start with a setting that is unknown or out of its range, and says what",
        "would be right. The variables that Kubernetes sets for a service called `scimsvc` or `scimsvc-…` are ignored.\n",
        "`SCIMSVC_DATABASE_URL_FILE` names a file with the database URL, so the password needs to be in no variable. The server warns if",
        "other users can read a password in the configuration file, or can change that file or a plugin.\n",
        "Relative paths in the file, and in defaults, are relative to its folder. Those in an environment variable are relative to the",
        "working folder.\n",
        "| setting | default | meaning |",
        "| --- | --- | --- |",
    ]
    for section, kind in sections().items():
        for one in fields(kind):
            default = one.default if one.default is not MISSING else ""
            shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else "empty"
            lines.append(f"| `{section}.{one.name}` | {shown} | {_cell(one.metadata['meaning'])} |")
    lines.append(
        "| `plugins` | none | a list of modules with functions for expressions; as a variable, `SCIMSVC_PLUGINS`, with commas |"
    )
    return _page(lines)


def policies() -> str:
    """Return the page of the policies, from the schema with which editors check profiles."""
    schema = json.loads((ROOT / "mappings" / "profile.schema.json").read_text())
    lines = [
        "# Policies\n",
        "`policies:` beside `users:` and `groups:` says what happens where clients differ, or where RFC 7643 and RFC 7644 leave a choice:\n",
        "```yaml\npolicies: {recreate: restore, deleteAfter: 30}\n```",
    ]
    for name, one in schema["properties"]["policies"]["properties"].items():
        values = " or ".join(f"`{value}`" for value in one["enum"]) if "enum" in one else f"{one['minimum']} to {one['maximum']}"
        lines.append(f"\n## {name}\n\n{values}; default: `{one['default']}`\n\n{one['description']}")
    return _page(lines)


def functions() -> str:
    """Return the page of the functions."""
    registry = load_registry((), Path())
    lines = [
        "# Functions\n",
        "The functions of expressions, as in Entra's [reference for writing expressions]"
        "(https://learn.microsoft.com/entra/identity/app-provisioning/functions-for-customizing-application-data).",
        "`scimsvc expression eval 'EXPR' --attributes FILE.json` tries one out.",
    ]
    for function in filter(None, map(registry.get, registry.names())):
        lines.append(f"\n## {function.name}\n\n`{function.signature()}`\n\n{function.help}")
    return _page(lines)


def commands() -> str:
    """Return the page of the commands."""
    lines = [
        "# Commands\n",
        "`-h` helps everywhere. A command that lists something has `--json`; without it a terminal gets a table with a header, and a pipe",
        "gets fields separated by tabs. Exit status 1 means that the command found problems or failed, 2 that it was called wrongly or had",
        "no terminal to ask on, 130 and 143 that it was interrupted.",
    ]
    for path, command in _commands(main, "scimsvc"):
        context = click.Context(command, info_name=path)
        usage = " ".join(command.collect_usage_pieces(context))
        lines.append(f"\n## {path}\n\n`{path} {usage}`\n\n{_help(command)}\n")
        options = [one.get_help_record(context) for one in command.params]
        lines += [f"- `{option[0]}`: {_cell(option[1])}" for option in options if option and option[1]]
    return _page(lines)


def _commands(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        path = f"{before} {name}"
        if isinstance(command, click.Group):
            yield from _commands(command, path)
        else:
            yield path, command


def _help(command: click.Command) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))


def _cell(text: Any) -> str:
    return " ".join(str(text).replace("|", "\\|").split())


def _page(lines: list[str]) -> str:
    body = "\n".join(lines).rstrip()
    while "\n\n\n" in body:
        body = body.replace("\n\n\n", "\n\n")
    return f"<!-- Generated by docs/generate.py: change the source and run `make docs`. -->\n{body}\n"


PAGES = {
    HERE / "commands.md": commands,
    HERE / "operate" / "settings.md": settings,
    HERE / "mapping" / "policies.md": policies,
    HERE / "mapping" / "functions.md": functions,
}

if __name__ == "__main__":
    stale = [path for path, page in PAGES.items() if not path.exists() or path.read_text() != page()]
    for path in stale:
        path.write_text(PAGES[path]())
    sys.stdout.write("".join(f"wrote {path.relative_to(ROOT)}\n" for path in stale))
