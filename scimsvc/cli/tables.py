"""Lists: aligned with a header for a person at a terminal, separated by tabs for a pipe, JSON for a program that asks for it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
import orjson

JSON = click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead.")
"""The option of each command that lists something."""


def show(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print rows, which have JSON values by the columns' names. None is `-` in a table and null in JSON."""
    if as_json:
        click.echo(orjson.dumps([{name: row[name] for name in columns} for row in rows], option=orjson.OPT_INDENT_2))
        return
    lines = [["-" if row[name] is None else str(row[name]) for name in columns] for row in rows]
    if not sys.stdout.isatty():
        for line in lines:
            click.echo("\t".join(line))
        return
    if lines:
        header = [_words(name) for name in columns]
        widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
        for line in (header, *lines):
            click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _words(name: str) -> str:
    """Return the header of a column: LAST USED for `lastUsed`."""
    return "".join(f" {one}" if one.isupper() else one for one in name).upper()
