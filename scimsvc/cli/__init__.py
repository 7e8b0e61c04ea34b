"""The command `scimsvc`."""

from __future__ import annotations

import traceback

import click

from scimsvc import __version__
from scimsvc.cli.activity import activity
from scimsvc.cli.changes import apply, plan, reindex, rollback
from scimsvc.cli.db import db
from scimsvc.cli.expression import expression
from scimsvc.cli.init import init
from scimsvc.cli.mappings import mappings
from scimsvc.cli.serve import serve
from scimsvc.cli.tenant import tenant
from scimsvc.cli.token import token
from scimsvc.mapping.functions.plugins import failure_reports


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="scimsvc")
@click.option("--debug", is_flag=True, help="Show the traceback if a function of a plugin fails; it may show people's data.")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """SCIM 2.0 service provider with attribute mapping for Microsoft Entra ID."""
    if debug:
        failure_reports.append(_show_failure)
        context.call_on_close(lambda: failure_reports.remove(_show_failure))


def _show_failure(function: str, error: Exception) -> None:
    click.echo("".join(traceback.format_exception(error)), nl=False, err=True)


for _command in (init, serve, db, tenant, token, mappings, expression, activity):
    main.add_command(_command)
for _change in (plan, apply, rollback, reindex):
    mappings.add_command(_change)
