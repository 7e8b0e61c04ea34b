"""`scimsvc expression`: Entra's expressions, tried out."""

from __future__ import annotations

import json
from pathlib import Path

import click
import orjson

from scimsvc.mapping.expression import ExpressionError, compile_expression
from scimsvc.mapping.functions import REGISTRY


@click.group()
def expression() -> None:
    """Expressions of attribute mappings."""


@expression.command("eval")
@click.argument("text", metavar="EXPR")
@click.option(
    "--attributes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON object of source attributes; without, there are none.",
)
def evaluate(text: str, attributes: Path | None) -> None:
    """Print the value of EXPR as one line of JSON; an expression that is wrong is exit status 2."""
    try:
        source = orjson.loads(attributes.read_bytes()) if attributes else {}
    except ValueError as error:
        raise click.UsageError(f"{attributes}: not JSON: {error}") from error
    if not isinstance(source, dict):
        raise click.UsageError(f"{attributes}: must be a JSON object of source attributes")
    try:
        compiled = compile_expression(text)
    except ExpressionError as error:
        click.echo(f"column {error.column}: {error.message}\n    {text}\n    {' ' * (error.column - 1)}^", err=True)
        raise SystemExit(2) from error
    click.echo(json.dumps(compiled.evaluate(source), ensure_ascii=False).encode("utf-8", "backslashreplace"))


@expression.command("functions")
def functions() -> None:
    """All functions with their help."""
    for name in REGISTRY.names():
        function = REGISTRY.get(name)
        if function:
            click.echo(f"{function.signature()}\n    {function.help}")
