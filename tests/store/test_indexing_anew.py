"""Every resource is gone through, some at a time, and indexed as another profile wants it."""

from collections.abc import Callable

import pytest

from scimsvc.protocol.filter import parse_path
from scimsvc.schema.core import USER_TYPE
from scimsvc.store.database import Database, UniquenessViolation
from scimsvc.store.querying.index import UniqueRule
from scimsvc.store.tenants import TenantRecord
from tests.store.resources import Resources

NICK_NAME = [UniqueRule(parse_path("nickName", USER_TYPE).target)]


def test_all_have_every_resource_once(shared_database: Database, new_tenant: Callable[[], TenantRecord]):
    tenant, other = new_tenant(), new_tenant()
    for number in (0, 1, 2, 7):
        users = Resources(shared_database, tenant)
        users.insert({f"u{number}-{place}": {"userName": f"{number}-{place}"} for place in range(number)})
        Resources(shared_database, other).insert({f"o{number}": {"userName": f"o{number}"}})
        ids = [stored.id for stored in users.store.all()]
        assert len(ids) == len(set(ids)) == {0: 0, 1: 1, 2: 3, 7: 10}[number]


def test_more_than_one_batch(shared_database: Database, tenant: TenantRecord):
    users = Resources(shared_database, tenant)
    users.insert({f"u{place:04d}": {"userName": str(place)} for place in range(1003)})
    assert [stored.id for stored in users.store.all()] == [f"u{place:04d}" for place in range(1003)]


def test_resource_is_indexed_as_is_wanted_now(shared_database: Database, tenant: TenantRecord):
    Resources(shared_database, tenant).insert({"a": {"userName": "a", "nickName": "N"}, "b": {"userName": "b", "nickName": "n"}})
    users = Resources(shared_database, tenant, unique=NICK_NAME)
    assert users.store.index_anew("a")
    with pytest.raises(UniquenessViolation):
        users.store.index_anew("b")
    assert users.found('nickName eq "n"') == ["a", "b"]
    assert users.found('userName eq "B"') == ["b"]
    with pytest.raises(UniquenessViolation):
        users.insert({"c": {"userName": "c", "nickName": "N"}})
    assert not users.store.index_anew("nobody")
