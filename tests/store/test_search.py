"""Sorted results have every resource, whatever a profile made of an attribute since it was stored."""

import itertools
from collections.abc import Callable

import pytest

from scimsvc.schema.core import USER_TYPE
from scimsvc.schema.documents import read_resource_types
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import resolve
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.store.querying.search import SearchStore, Target
from scimsvc.store.tenants import TenantRecord, create_tenant
from tests.store.resources import Resources

DEVICE = "urn:example:2.0:Device"


def device_type(**characteristics: object) -> ResourceType:
    documents = {
        "Schemas": [{"id": DEVICE, "attributes": [{"name": "serial", **characteristics}]}],
        "ResourceTypes": [{"name": "Device", "endpoint": "/Devices", "schema": DEVICE}],
    }
    return next(one for one in read_resource_types({"f.json": documents}) if one.name == "Device")


@pytest.mark.parametrize("descending", [False, True])
def test_resource_without_what_is_required_since_is_not_lost(shared_database: Database, tenant: TenantRecord, descending: bool):
    Resources(shared_database, tenant, device_type()).insert({"a": {"serial": "2"}, "b": {}, "c": {"serial": "1"}})
    strict = device_type(required=True, uniqueness="server")
    targets = [Target(strict, None, resolve(strict, "serial"))]
    found = SearchStore(shared_database, tenant.id).page(targets, descending, 10)
    assert "".join(hit.stored.id for hit in found) == ("bac" if descending else "cab")


def test_order_by_one_of_many_values_takes_no_more_than_their_number(new_database_url: Callable[[str], str]):
    """In steps of SQLite's virtual machine: what twice as many values take is about twice as much, not four times."""
    database = Database(new_database_url("sqlite"))
    migrate(database)
    tenant = create_tenant(database, "t", "entra")
    users, store = Resources(database, tenant), SearchStore(database, tenant.id)
    path = resolve(USER_TYPE, "emails.value")
    taken = []
    for number, size in enumerate((500, 1000, 2000)):
        emails = [{"value": f"{place:04}@x", "primary": place == size - 1} for place in range(size)]
        users.insert({f"many{number}": {"userName": f"{number}", "emails": emails}})
        steps = itertools.count()
        database.peewee.connection().set_progress_handler(lambda steps=steps: next(steps) < 0, 100)
        hits = store.page([Target(USER_TYPE, None, path)], descending=False, limit=10)
        taken.append(next(steps))
        assert [hit.place.value for hit in hits] == [f"{499 + 500 * place:04}@x" for place in (0, 1, 3)][: number + 1]
    database.close()
    # All values that there are: 500, 1500 and 3500 in all.
    assert taken[1] < 3 * taken[0] * 1.5
    assert taken[2] < 7 * taken[0] * 1.5
