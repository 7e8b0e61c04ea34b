"""Fixtures of the store's tests: one database of each kind for all of them, with a tenant for each test."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.store.tenants import TenantRecord
from tests.conftest import KINDS


@pytest.fixture(scope="session", params=KINDS)
def shared_database(request: pytest.FixtureRequest, new_database_url: Callable[[str], str]) -> Iterator[Database]:
    """A migrated database; tests keep apart by tenants of their own."""
    found = Database(new_database_url(request.param))
    migrate(found)
    yield found
    found.close()


@pytest.fixture(scope="session")
def new_tenant(shared_database: Database) -> Callable[[], TenantRecord]:
    """Makes a tenant of the shared database that nothing else uses."""
    numbers = itertools.count()
    return lambda: tenants.create_tenant(shared_database, f"tenant-{next(numbers)}", "entra")


@pytest.fixture
def tenant(new_tenant: Callable[[], TenantRecord]) -> TenantRecord:
    return new_tenant()
