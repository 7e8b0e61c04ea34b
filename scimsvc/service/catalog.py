"""What a tenant's mapping profile makes of the schemas: the resource types it serves and how they are indexed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from scimsvc.mapping import Profile
from scimsvc.mapping.inverse import Inverse
from scimsvc.mapping.profile.policies import DEFAULT, Policies
from scimsvc.schema.core import GROUPS, MEMBERS
from scimsvc.schema.discovery import schemas_of
from scimsvc.schema.documents import RESERVED
from scimsvc.schema.model import ResourceType, Schema
from scimsvc.schema.paths import AttributePath
from scimsvc.store.querying.index import Indexer, UniqueRule


@dataclass(frozen=True)
class ServedType:
    """A resource type as a profile serves it, with the rules of what is unique, and the index that finds its resources.

    `self_service` are the attributes that users may change of their own account at /Me.
    """

    resource_type: ResourceType
    unique: tuple[UniqueRule, ...]
    indexer: Indexer
    policies: Policies = DEFAULT
    self_service: tuple[AttributePath, ...] = ()

    @property
    def name(self) -> str:
        """The name of the resource type."""
        return self.resource_type.name

    @cached_property
    def has_members(self) -> bool:
        """Whether its resources have members, as groups do."""
        return MEMBERS in self.resource_type.root.sub_attributes

    @cached_property
    def has_groups(self) -> bool:
        """Whether its resources tell which groups they are in, as users do."""
        return GROUPS in self.resource_type.root.sub_attributes


class Catalog:
    """The resource types of one profile, by endpoint, and their schemas, by URN; names are found in any case.

    Raises ValueError where two attributes can't be told apart in the index, which renaming one of them mends.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        types = [_served(profile, type_) for type_ in profile.resource_types()]
        _check_numbers(types)
        self.types: Mapping[str, ServedType] = {type_.resource_type.endpoint.strip("/").lower(): type_ for type_ in types}
        self.schemas: Mapping[str, Schema] = {schema.id.lower(): schema for schema in schemas_of(self.resource_types())}

    @cached_property
    def inverse_of_users(self) -> Inverse:
        """From a user back to the directory's attributes."""
        return Inverse(self.profile.users)

    def endpoints(self) -> list[str]:
        """The endpoints of the resource types and those of discovery."""
        return [*(type_.endpoint for type_ in self.resource_types()), *RESERVED]

    def resource_types(self) -> list[ResourceType]:
        """The resource types, Users first."""
        return [type_.resource_type for type_ in self.types.values()]


def _check_numbers(types: Iterable[ServedType]) -> None:
    names: dict[int, str] = {}
    for type_ in types:
        for number, attribute in type_.indexer.numbers().items():
            name = f"{type_.name}.{attribute}"
            if names.setdefault(number, name) != name:
                raise ValueError(f"the attributes {names[number]} and {name} can't be told apart in the index; rename one")


def _served(profile: Profile, resource_type: ResourceType) -> ServedType:
    unique = tuple(UniqueRule(target.path, target.value_filter) for target in profile.unique_paths(resource_type))
    allowed = profile.self_service if resource_type is profile.users.resource_type else ()
    return ServedType(resource_type, unique, Indexer(resource_type, unique), profile.policies, allowed)
