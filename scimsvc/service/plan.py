"""What another profile would do to the accounts that are stored, before it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from marshmallow import ValidationError

from scimsvc.schema.classes import describe, load
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.service.catalog import Catalog, ServedType
from scimsvc.store.database import Database, UniquenessViolation
from scimsvc.store.resources import ResourceStore
from scimsvc.store.tenants import TenantRecord

EXAMPLES = 3
"""Ids that a finding names."""


@dataclass
class Effect:
    """Something that happens to `count` accounts; `examples` are the ids of some."""

    what: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, *ids: str) -> None:
        """Count one more."""
        self.count += 1
        self.examples += [id_ for id_ in ids if id_ not in self.examples][: EXAMPLES - len(self.examples)]


@dataclass
class Plan:
    """What happens to one tenant's resources of one type."""

    tenant: str
    resource_type: str
    resources: int
    effects: list[Effect]


def plan(database: Database, tenant: TenantRecord, new: Catalog) -> Iterator[Plan]:
    """For each resource type: values that clash where they didn't have to be unique, attributes that are no longer accepted,
    and values that are no longer valid. Nothing is changed.
    """
    for served in new.types.values():
        store = ResourceStore(database, tenant.id, served.resource_type, served.indexer)
        effects: dict[str, Effect] = {}
        claims: dict[tuple[int, str], str] = {}
        resources = 0
        for stored in store.all():
            resources += 1
            document = orjson.loads(stored.document)
            for what in _refused(served.resource_type, document):
                effects.setdefault(what, Effect(what)).add(stored.id)
            for what, other in _clashes(served, document, stored.id, claims):
                effects.setdefault(what, Effect(what)).add(other, stored.id)
        yield Plan(tenant.name, served.name, resources, list(effects.values()))


def reindex(database: Database, tenant: TenantRecord, catalog: Catalog) -> Iterator[Plan]:
    """Index all of a tenant's resources as the catalog wants it; what clashes stays as it was, and is an effect."""
    for served in catalog.types.values():
        store = ResourceStore(database, tenant.id, served.resource_type, served.indexer)
        clash = Effect("has a unique value that another has already, and stays as it was")
        resources = 0
        for stored in store.all():
            resources += 1
            try:
                store.index_anew(stored.id)
            except UniquenessViolation:
                clash.add(stored.id)
        yield Plan(tenant.name, served.name, resources, [clash] if clash.count else [])


def _refused(resource_type: ResourceType, document: Mapping[str, Any]) -> Iterator[str]:
    for path in _unknown(AttributePath(()), resource_type.root, document):
        yield f"{path} is an attribute that the profile no longer has"
    try:
        load(resource_type, document)
    except ValidationError as error:
        # Without the places of elements, which differ from account to account.
        yield from {describe({name: messages}).partition("[")[0] for name, messages in error.messages_dict.items()}


def _unknown(path: AttributePath, parent: Attribute, value: Any) -> Iterator[str]:
    for name, below in value.items() if isinstance(value, Mapping) else ():
        attribute = parent.sub_attribute(name)
        if attribute is None:
            yield f"{path.name}{':' if ':' in path.name else '.'}{name}" if path.steps else name
        elif attribute.type == "complex":
            for one in below if isinstance(below, list) else [below]:
                yield from _unknown(path.child(attribute), attribute, one)


def _clashes(
    served: ServedType, document: Mapping[str, Any], id_: str, claims: dict[tuple[int, str], str]
) -> Iterator[tuple[str, str]]:
    for key, row in served.indexer.rows(document).items():
        if row.is_unique:
            other = claims.setdefault((key[0], row.value), id_)
            if other != id_:
                yield f"{served.indexer.name(key)} has a value that another has, and must be unique", other
