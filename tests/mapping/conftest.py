"""Fixtures of the command, for what is seen through it."""

from tests.cli.conftest import folder, run

__all__ = ["folder", "run"]
