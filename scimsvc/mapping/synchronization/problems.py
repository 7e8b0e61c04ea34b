"""What keeps a schema from becoming a profile, or a profile from going into a schema."""

from __future__ import annotations


class ImportProblem(ValueError):
    """The file can't be a profile, or no base; the message has a line for each problem, with its place in the file."""
