"""Resources of one tenant, written and found through the store."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from scimsvc.protocol.filter import parse_filter
from scimsvc.schema.core import USER_TYPE
from scimsvc.schema.model import ResourceType
from scimsvc.store.database import Database
from scimsvc.store.querying.index import Indexer, UniqueRule
from scimsvc.store.resources import ResourceStore, Stored
from scimsvc.store.tenants import TenantRecord


class Resources:
    """The resources of one type; each method is one transaction."""

    def __init__(
        self, database: Database, tenant: TenantRecord, type_: ResourceType = USER_TYPE, unique: Iterable[UniqueRule] = ()
    ) -> None:
        self.database = database
        self.tenant = tenant
        self.type = type_
        self.store = ResourceStore(database, tenant.id, type_, Indexer(type_, unique))

    def document(self, id_: str, body: Mapping[str, Any]) -> dict[str, Any]:
        extensions = [schema.id for schema in self.type.extensions if schema.id in body]
        return {"schemas": [self.type.schema.id, *extensions], "id": id_, **body}

    def insert(self, bodies: Mapping[str, Mapping[str, Any]]) -> list[Stored]:
        """New resources by their ids."""
        new = [self.store.prepare(id_, self.document(id_, body)) for id_, body in bodies.items()]
        return self.database.transaction(lambda: [self.store.insert(one) for one in new])

    def update(self, bodies: Mapping[str, Mapping[str, Any]]) -> None:
        """Other documents for resources by their ids."""

        def work() -> None:
            for id_, body in bodies.items():
                stored = self.get(id_)
                self.store.update(stored, orjson.loads(stored.document), self.document(id_, body), "replace")

        self.database.transaction(work)

    def delete(self, id_: str) -> None:
        self.database.transaction(lambda: self.store.delete(self.get(id_)))

    def get(self, id_: str) -> Stored:
        stored = self.store.lock(id_)
        assert stored
        return stored

    def found(self, text: str) -> list[str]:
        """The ids of the resources that fulfil a filter."""
        query = parse_filter(text, self.type)
        with self.database.reading():
            page = [stored.id for stored in self.store.page(query, 0, 100)]
            assert self.store.count(query) == len(page)
        return page
