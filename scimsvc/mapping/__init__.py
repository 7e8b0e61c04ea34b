"""Mapping profiles and the expressions in them: what an administrator fills in in the Entra portal, as YAML."""

from scimsvc.mapping.findings import Finding, ProfileError
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile, Target
from scimsvc.mapping.reading.profile import (
    Loaded,
    load_profile,
    load_profiles,
    parse_profile,
    parse_profiles,
    read_profiles,
    sort_profiles,
)

__all__ = [
    "AttributeMapping",
    "Finding",
    "Loaded",
    "ObjectMapping",
    "Profile",
    "ProfileError",
    "Target",
    "load_profile",
    "load_profiles",
    "parse_profile",
    "parse_profiles",
    "read_profiles",
    "sort_profiles",
]
