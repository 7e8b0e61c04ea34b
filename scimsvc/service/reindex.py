"""Bring the index of all tenants to the form that this version compares values in, and say what is no longer unique."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from scimsvc.service.catalog import Catalog
from scimsvc.store import reindex as store
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.reindex import Indexing
from scimsvc.store.resources import ResourceStore


class NoLongerUnique(NamedTuple):
    """A resource whose value of an attribute another one has, too. `kept_by` is that one's id; None if it has changed since."""

    tenant: str
    resource_type: str
    id: str
    attribute: str
    kept_by: str | None


def reindex(
    database: Database, catalog_of: Callable[[str], Catalog], report: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Index what is stored in the form that this version needs; return how many resources were gone through.

    `catalog_of` returns the catalog of a profile by its name. If it raises, the work ends; the next call goes on from there.
    `report` is called after each batch with the number of resources that are done, and of all. The memory that is needed does not
    depend on how many there are.
    """
    with database.reading():
        begun = store.unfinished(database)
    if begun is None:
        return 0
    names = {tenant.id: tenant.profile for tenant in tenants.tenants(database)}
    catalog = cache(catalog_of)

    @cache
    def indexing_of(tenant_id: int, resource_type: str) -> Indexing | None:
        types = catalog(names[tenant_id]).types.values()
        served = next((one for one in types if one.name == resource_type), None)
        if served is None:
            return None
        resources = ResourceStore(database, tenant_id, served.resource_type, served.indexer)
        return Indexing(served.indexer, resources, served.policies.unknown_members == "pending")

    done = begun.done
    report(done, begun.total)
    while more := database.transaction(lambda: store.advance(database, indexing_of)):
        done += more
        report(done, begun.total)
    return done


def settle(database: Database, catalog_of: Callable[[str], Catalog]) -> Iterator[NoLongerUnique]:
    """Make values unique again that nothing stands in the way of any more; yield what is left."""
    database.transaction(lambda: store.settle(database))
    profiles = {tenant.name: tenant.profile for tenant in tenants.tenants(database)}
    catalog = cache(catalog_of)

    def attribute_of(conflict: store.Conflict) -> str:
        types = catalog(profiles[conflict.tenant]).types.values()
        return next(
            (one.indexer.numbers()[conflict.attribute] for one in types if conflict.attribute in one.indexer.numbers()), "a value"
        )

    with database.reading():
        for one in store.conflicts(database):
            yield NoLongerUnique(one.tenant, one.resource_type, one.id, attribute_of(one), one.kept_by)
