"""Asking before a command changes what accounts are like: --yes, --force and --dry-run."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True)
class Approval:
    """What the command line says already: `yes` answers the question, `force` overrides problems, `dry_run` changes nothing."""

    force: bool
    yes: bool
    dry_run: bool

    def obtain(self, problems: int, question: str) -> None:
        """Return if the change may be made. Otherwise end the command.

        Exit status 1: problems without --force, or the answer is no. 2: there is no terminal to ask on. A dry run ends with 0
        without problems and 1 with them. Raises click.ClickException and SystemExit.
        """
        if self.dry_run:
            raise SystemExit(1 if problems else 0)
        blocked = problems and not self.force
        if not self.yes and not _is_terminal():
            options = "--yes, and --force for the problems" if blocked else "--yes"
            click.echo(f"nothing was changed: without a terminal the command can't ask, so give {options}", err=True)
            raise SystemExit(2)
        if blocked:
            raise click.ClickException("something is in the way, so nothing was changed; --force does it all the same")
        if not self.yes and not _answer(
            f"{question} in spite of {counted(problems, 'problem')}?" if problems else f"{question}?"
        ):
            raise click.ClickException("nothing was changed")


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Add --yes, --force and --dry-run to a command, which gets them as `approval`."""

    @functools.wraps(command)
    def with_approval(force: bool, yes: bool, dry_run: bool, **arguments: Any) -> None:
        command(approval=Approval(force, yes, dry_run), **arguments)

    options = (
        click.option("--yes", is_flag=True, help="Answer the question with yes. Problems still stop the command."),
        click.option("--force", is_flag=True, help="Override problems; accounts stay as they are. The question is still asked."),
        click.option("--dry-run", is_flag=True, help="Print the plan and change nothing; exit status 1 if there are problems."),
    )
    for option in reversed(options):
        option(with_approval)
    return with_approval


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 problem`, `2,000 problems`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_terminal() -> bool:
    # The question is written to standard error, because standard output may be redirected.
    return sys.stdin.isatty() and sys.stderr.isatty()


def _answer(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return False
