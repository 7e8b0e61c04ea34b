"""`scimsvc expression`: Entra's expressions, tried out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scimsvc.cli.common import json_in, registry
from scimsvc.cli.tables import JSON, show
from scimsvc.mapping.expression import ExpressionError, compile_expression
from scimsvc.mapping.findings import marked
from scimsvc.mapping.functions import Ignored


@click.group()
def expression() -> None:
    """Expressions of attribute mappings."""


@expression.command("eval")
@click.argument("text", metavar="EXPR")
@click.option(
    "--attributes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON object of source attributes. Without it, every attribute is absent.",
)
def evaluate(text: str, attributes: Path | None) -> None:
    """Print the value of EXPR as one line of JSON; an expression that is wrong is exit status 2."""
    try:
        source = json_in(attributes) if attributes else {}
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not isinstance(source, dict):
        raise click.UsageError(f"{attributes}: must be a JSON object of source attributes")
    try:
        value = compile_expression(text, registry()).evaluate(source)
    except ExpressionError as error:
        click.echo(f"column {error.column}: {error.message}\n{_place(text, error.column)}", err=True)
        raise SystemExit(2) from error
    shown = {"ignored": True} if isinstance(value, Ignored) else value
    click.echo(json.dumps(shown, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def _place(text: str, column: int) -> str:
    """The line of the text that the column is in, with a caret under it."""
    begin = text.rfind("\n", 0, column - 1) + 1
    return marked(text[begin:].partition("\n")[0], column - begin)


@expression.command("functions")
@JSON
def functions(as_json: bool) -> None:
    """All functions with their help."""
    known = registry()
    all_functions = [function for function in map(known.get, known.names()) if function]
    if as_json:
        columns = ("signature", "help", "deterministic", "canBeUndone")
        facts = [(one.signature(), one.help, one.deterministic, one.inverse is not None) for one in all_functions]
        show(columns, [dict(zip(columns, one, strict=True)) for one in facts], as_json)
        return
    for function in all_functions:
        notes = ("" if function.deterministic else " Comes out differently each time.") + (
            " Can be undone." if function.inverse else ""
        )
        click.echo(f"{function.signature()}\n    {function.help}{notes}")
