"""A source attribute that a table defines because the directory has more than Entra's own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceDefinition:
    """A source attribute: `type` is one of the portal's, such as `String`; see `custom_attributes.TYPES`."""

    name: str
    type: str = "String"
    multi_valued: bool = False
