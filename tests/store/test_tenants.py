"""Tenants and their tokens."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.tenants import PREFIX, NameTaken, TenantRecord, TokenRecord, digest


def only(database: Database, tenant: TenantRecord) -> TokenRecord:
    (record,) = tenants.tokens(database, tenant)
    return record


def test_tenants_are_listed_in_the_order_of_their_making(database: Database):
    assert tenants.tenants(database) == []
    made = [tenants.create_tenant(database, name, "entra") for name in ("b", "a", "B")]
    assert tenants.tenants(database) == made
    assert tenants.find_tenant(database, "B") == made[2]
    assert tenants.find_tenant(database, "c") is None


def test_name_of_a_tenant_is_taken_once(shared_database: Database, tenant: TenantRecord):
    with pytest.raises(NameTaken):
        tenants.create_tenant(shared_database, tenant.name, "other")
    assert tenants.find_tenant(shared_database, tenant.name) == tenant


def test_only_the_digest_of_a_token_is_stored(shared_database: Database, tenant: TenantRecord):
    secret = tenants.create_token(shared_database, tenant, "for Entra", None)
    assert secret.startswith(PREFIX)
    assert digest(secret) == hashlib.sha256(secret.encode()).hexdigest()
    cursor = shared_database.peewee.execute_sql(f"SELECT * FROM token WHERE tenant_id = {tenant.id}")
    (row,) = cursor.fetchall()
    assert digest(secret) in row
    assert not [value for value in row if secret.removeprefix(PREFIX) in str(value)]


def test_tokens_are_different_each_time(shared_database: Database, tenant: TenantRecord):
    secrets = {tenants.create_token(shared_database, tenant, "", None) for _ in range(5)}
    assert len(secrets) == 5
    assert all(len(secret) >= len(PREFIX) + 43 for secret in secrets)


def test_every_live_token_speaks_for_its_tenant(shared_database: Database, tenant: TenantRecord):
    for secret in [tenants.create_token(shared_database, tenant, name, None) for name in ("old", "new")]:
        credential = tenants.find_credential(shared_database, digest(secret))
        assert credential
        assert credential.tenant == tenant
        assert not credential.expired


@pytest.mark.parametrize("hashed", ["", "x", digest(""), digest("scim_x"), "a" * 10_000])
def test_unknown_token_is_refused(shared_database: Database, hashed: str):
    assert tenants.find_credential(shared_database, hashed) is None


@pytest.mark.parametrize(
    "of", [str.upper, lambda hashed: hashed[:-1], lambda hashed: hashed + " ", lambda hashed: f"%{hashed[1:]}"]
)
def test_digest_is_compared_as_a_whole(shared_database: Database, tenant: TenantRecord, of):
    hashed = digest(tenants.create_token(shared_database, tenant, "", None))
    assert tenants.find_credential(shared_database, hashed)
    assert tenants.find_credential(shared_database, of(hashed)) is None


@pytest.mark.parametrize(
    ("expires", "live"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), False),
        (datetime(9998, 1, 1, tzinfo=UTC), True),
        (datetime.now(UTC) + timedelta(hours=1), True),
        (datetime.now(UTC) - timedelta(hours=1), False),
        ((datetime.now(UTC) - timedelta(hours=1)).astimezone(timezone(timedelta(hours=14))), False),
        ((datetime.now(UTC) + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-12))), True),
    ],
)
def test_expired_token_is_refused(shared_database: Database, tenant: TenantRecord, expires: datetime, live: bool):
    secret = tenants.create_token(shared_database, tenant, "", expires)
    assert bool(tenants.find_credential(shared_database, digest(secret))) is live
    record = only(shared_database, tenant)
    assert record.live is live
    assert record.expires == expires.astimezone(UTC).isoformat(timespec="milliseconds")[:23]


def test_revoked_token_is_refused_and_others_stay(shared_database: Database, tenant: TenantRecord):
    first, second = (tenants.create_token(shared_database, tenant, name, None) for name in ("first", "second"))
    record = tenants.tokens(shared_database, tenant)[0]
    assert tenants.revoke_token(shared_database, tenant, record.id)
    assert tenants.find_credential(shared_database, digest(first)) is None
    assert tenants.find_credential(shared_database, digest(second))
    assert [(one.description, one.live) for one in tenants.tokens(shared_database, tenant)] == [
        ("first", False),
        ("second", True),
    ]
    assert not tenants.revoke_token(shared_database, tenant, record.id)


def test_other_tenants_tokens_are_neither_listed_nor_revoked(shared_database: Database, tenant: TenantRecord, new_tenant):
    other = new_tenant()
    secret = tenants.create_token(shared_database, tenant, "", None)
    assert tenants.tokens(shared_database, other) == []
    assert not tenants.revoke_token(shared_database, other, only(shared_database, tenant).id)
    assert tenants.find_credential(shared_database, digest(secret))


def test_last_use_of_a_token_is_kept(shared_database: Database, tenant: TenantRecord):
    secret = tenants.create_token(shared_database, tenant, "", None)
    assert only(shared_database, tenant).last_used is None
    credential = tenants.find_credential(shared_database, digest(secret))
    assert credential
    tenants.note_use(shared_database, credential)
    record = only(shared_database, tenant)
    assert record.last_used
    assert record.last_used >= record.created
