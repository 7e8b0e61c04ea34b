"""Queries in an order, by cursor, or over all resource types of a tenant (RFC 7644 §3.4.2 and §3.4.3, RFC 9865)."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.messages import Query, cursor_response, list_response
from scimsvc.schema.paths import AttributePath
from scimsvc.service.catalog import ServedType
from scimsvc.service.resources import ResourceService
from scimsvc.store.database import Database
from scimsvc.store.membership import ALL
from scimsvc.store.search import Hit, Place, SearchStore, Target

CREATION = "meta.created"
_MAX_SEQ = 2**63 - 1
_MAX_VALUE_LENGTH = 1024


class Cursor(NamedTuple):
    """Where the next page of a query begins. It carries the total of the first page, which counting again would cost."""

    digest: int
    total: int
    behind: Place

    def text(self) -> str:
        """The cursor as the client gets it."""
        return base64.urlsafe_b64encode(orjson.dumps([self.digest, self.total, *self.behind])).decode().rstrip("=")


class SearchService:
    """Searches in some resource types of one tenant. `base` is the absolute URL of the SCIM endpoint, `listed_members` as in
    ResourceService.
    """

    def __init__(
        self, database: Database, tenant_id: int, served: Sequence[ServedType], base: str, listed_members: int = ALL
    ) -> None:
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
        digest = zlib.crc32(b"%d" % self._tenant, first.digest)
        cursor = _cursor(first, digest) if first.cursor else None
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
        following = Cursor(digest, total, hits[-1].place).text() if len(found) > len(hits) else None
        return cursor_response(rendered, total, following)

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


def _cursor(query: Query, expected: int) -> Cursor:
    """The cursor that a client sends, of the same query of the same tenant. Raises ScimError invalidCursor (RFC 9865 §2.1)."""
    text = query.cursor or ""
    try:
        digest, total, has_value, value, seq = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):
        raise _invalid("The cursor is none that this service provider gave") from None
    sound = type(total) is int and type(has_value) is bool and isinstance(value, str) and type(seq) is int
    if not sound or not 0 <= total <= _MAX_SEQ or not 0 <= seq <= _MAX_SEQ or "\0" in value or len(value) > _MAX_VALUE_LENGTH:
        raise _invalid("The cursor is none that this service provider gave")
    if digest != expected or (has_value and query.sort is None):
        raise _invalid("The cursor is of another query: endpoint, filter, sortBy and sortOrder must stay as they were")
    return Cursor(digest, total, Place(has_value, value, seq))


def _invalid(reason: str) -> ScimError:
    return ScimError(400, f"{reason}. An empty cursor asks for the first page.", "invalidCursor")
