"""The command `scimsvc`."""

from __future__ import annotations

import click

from scimsvc import __version__
from scimsvc.cli.changes import apply, plan, reindex, rollback
from scimsvc.cli.db import db
from scimsvc.cli.expression import expression
from scimsvc.cli.init import init
from scimsvc.cli.mappings import mappings
from scimsvc.cli.tenant import tenant
from scimsvc.cli.token import token


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="scimsvc")
def main() -> None:
    """SCIM 2.0 service provider with attribute mapping for Microsoft Entra ID."""


for _command in (init, db, tenant, token, mappings, expression):
    main.add_command(_command)
for _change in (plan, apply, rollback, reindex):
    mappings.add_command(_change)
