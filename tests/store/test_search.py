"""Sorted results have every resource, whatever a profile made of an attribute since it was stored."""

import pytest

from scimsvc.schema.documents import read_resource_types
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import resolve
from scimsvc.store.database import Database
from scimsvc.store.search import SearchStore, Target
from scimsvc.store.tenants import TenantRecord
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
