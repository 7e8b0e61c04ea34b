"""Queries in an order, by cursor, or over all resource types of a tenant (RFC 7644 §3.4.2 and §3.4.3, RFC 9865)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.messages import Query, cursor_response, list_response
from scimsvc.schema.paths import AttributePath
from scimsvc.service.catalog import ServedType
from scimsvc.service.cursors import Cursors
from scimsvc.service.resources import ResourceService
from scimsvc.store.database import Database
from scimsvc.store.membership import ALL
from scimsvc.store.querying.search import Hit, Place, SearchStore, Target

CREATION = "meta.created"
_USE = "search"


class Cursor(NamedTuple):
    """Where the next page of a query begins. It carries the total of the first page, which counting again would cost."""

    total: int
    behind: Place


class SearchService:
    """Searches in some resource types of one tenant. `base` is the absolute URL of the SCIM endpoint, `listed_members` as in
    ResourceService.
    """

    def __init__(
        self,
        database: Database,
        tenant_id: int,
        served: Sequence[ServedType],
        base: str,
        cursors: Cursors,
        listed_members: int = ALL,
    ) -> None:
        self._cursors = cursors
        self._database = database
        self._tenant = tenant_id
        self._served = served
        self._store = SearchStore(database, tenant_id)
        self._services = {
            one.name: ResourceService(database, tenant_id, one, base, listed_members=listed_members) for one in served
        }

    def query(self, queries: Sequence[Query]) -> bytes:
        """A ListResponse; one query for each resource type, alike but for what the type makes of it. Raises ScimError."""
        first = queries[0]
        types = [one.resource_type for one in self._served]
        targets = [Target(type_, query.filter, _sort(query)) for type_, query in zip(types, queries, strict=True)]
        descending = bool(first.sort and first.sort.descending)
        cursor = self._cursor(first) if first.cursor else None
        with self._database.reading():
            total = cursor.total if cursor else self._store.count(targets)
            if first.cursor is None:
                offset = first.start_index - 1
                hits = self._store.page(targets, descending, first.count, offset) if offset < total else []
                return list_response(self._rendered(hits, queries), total, first.start_index)
            # One more than is asked for tells whether there is a page behind this one.
            found = self._store.page(targets, descending, first.count + 1, behind=cursor and cursor.behind)
            hits = found[: first.count]
            rendered = self._rendered(hits, queries)
        following = None
        if len(found) > len(hits):
            following = self._cursors.seal(self._tenant, _USE, [first.digest, total, *hits[-1].place])
        return cursor_response(rendered, total, following)

    def _cursor(self, query: Query) -> Cursor:
        """Read the cursor that a client sends. Raises ScimError invalidCursor unless it is of this query (RFC 9865 §2.1)."""
        content = self._cursors.open(self._tenant, _USE, query.cursor or "")
        if content is None:
            raise _invalid("The cursor is none that this service provider gave")
        digest, total, *behind = content
        if digest != query.digest:
            raise _invalid("The cursor is of another query: endpoint, filter, sortBy and sortOrder must stay as they were")
        return Cursor(total, Place(*behind))

    def _rendered(self, hits: Sequence[Hit], queries: Sequence[Query]) -> list[bytes]:
        """The resources as JSON in their order; a fixed number of statements for each resource type."""
        bodies: dict[int, bytes] = {}
        for served, query in zip(self._served, queries, strict=True):
            page = [hit.stored for hit in hits if hit.resource_type == served.name]
            rendered = self._services[served.name].render_page(page, query.projection)
            bodies.update(zip((one.seq for one in page), rendered, strict=True))
        return [bodies[hit.stored.seq] for hit in hits]


def _sort(query: Query) -> AttributePath | None:
    """What is sorted by; the order of `meta.created` is that of creation, which is there without sorting."""
    path = query.sort and query.sort.path
    return path if path and path.name != CREATION else None


def _invalid(reason: str) -> ScimError:
    return ScimError(400, f"{reason}. An empty cursor asks for the first page.", "invalidCursor")
