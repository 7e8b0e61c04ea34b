"""What keeps a schema from becoming a profile, and what gets lost or stays as it was on the way in or out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from scimsvc.mapping.profile.model import TableName


class ImportProblem(ValueError):
    """The file can't be a profile, or no base; the message has a line for each problem, with its place in the file."""


@dataclass(frozen=True)
class LeftOut:
    """Something in a schema that its profile does not have.

    `place` is its object in the file, such as `synchronizationRules[0].objectMappings[1]`, and `key` the key there. `name` is the
    table, target or attribute in question, `value` what the file has.
    """

    place: str
    key: str
    name: str = ""
    value: Any = None


@dataclass(frozen=True)
class Kept:
    """Something that stays in a base as it was, though the profile is different or says nothing about it.

    `part` is `table` if the profile has no such table, `enabled` if the mapping is not enabled, or `flowTypes`, with their names
    in `value`.
    """

    table: TableName
    part: Literal["table", "enabled", "flowTypes"]
    value: tuple[str, ...] = ()
