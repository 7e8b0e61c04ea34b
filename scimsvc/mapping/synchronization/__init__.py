"""Microsoft Graph's synchronizationSchema, which an administrator downloads and uploads in the portal, and profiles."""

from __future__ import annotations

from typing import Any

from scimsvc.mapping.functions import Registry
from scimsvc.mapping.profile.model import Profile
from scimsvc.mapping.synchronization.differences import Difference, differences
from scimsvc.mapping.synchronization.exporting import fresh_schema
from scimsvc.mapping.synchronization.importing import Imported, import_schema
from scimsvc.mapping.synchronization.merging import merged
from scimsvc.mapping.synchronization.problems import ImportProblem, Kept, LeftOut

__all__ = [
    "Difference",
    "ImportProblem",
    "Imported",
    "Kept",
    "LeftOut",
    "differences",
    "export_schema",
    "import_schema",
    "merged",
]


def export_schema(profile: Profile, registry: Registry, base: Any = None) -> dict[str, Any]:
    """Return the schema of a profile.

    With `base`, a schema that was downloaded, return that with the profile's tables in it, as `merged` does. Raise ImportProblem.
    """
    return fresh_schema(profile, registry) if base is None else merged(profile, registry, base)[0]
