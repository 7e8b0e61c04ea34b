"""Mapping profiles and the expressions in them: what an administrator fills in in the Entra portal, as YAML.

Everything here is pure: nothing opens a file, a socket or a database.
"""

from scimsvc.mapping.findings import Finding, ProfileError
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile, Target
from scimsvc.mapping.reading.profile import parse_profile

__all__ = ["AttributeMapping", "Finding", "ObjectMapping", "Profile", "ProfileError", "Target", "parse_profile"]
