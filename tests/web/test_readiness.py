"""A server answers with a database that is as its version needs it, and says what is missing otherwise."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.reindex import reindex
from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.store.models import Token
from scimsvc.store.tenants import create_token, digest, find_tenant
from scimsvc.web.app import create_app
from tests.conftest import KINDS
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.old_database import PROFILE, execute, fill
from tests.support.server import BASE_PATH, new_token
from tests.support.wsgi import call

USERS = f"{BASE_PATH}/Users".encode()


@pytest.fixture(params=KINDS)
def old(
    request: pytest.FixtureRequest, new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    database = Database(new_database_url(request.param))
    fill(database, monkeypatch)
    yield database
    database.close()


@pytest.fixture
def app_on_old(old: Database, settings: Settings, tmp_path: Path) -> Iterator[Flask]:
    shutil.copy(PROFILE, tmp_path)
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(old.url)))
    yield app
    app.extensions["scimsvc"].database.close()


@pytest.fixture
def database(old: Database) -> Database:
    """What the fixture `settings` depends on."""
    return old


def refusals(app: Flask, headers: dict[str, str]) -> Iterator[Answer]:
    yield call(app, "GET", USERS + b"?filter=userName%20eq%20%22a%22", headers)
    yield call(app, "POST", USERS, headers, b'{"userName": "new", "externalId": "new"}')
    yield call(app, "POST", f"{BASE_PATH}/Bulk".encode(), headers, b'{"Operations": []}')
    yield call(app, "GET", f"{BASE_PATH}/Me".encode(), headers)
    yield call(app, "GET", b"/api/accounts", headers)
    yield call(app, "GET", f"{BASE_PATH}/Nope".encode(), headers)


def test_until_the_index_is_in_this_versions_form_nothing_is_answered(app_on_old: Flask, old: Database):
    tenant = find_tenant(old, "tenant-a")
    assert tenant
    # The version before had no journal, so its token is made without one.
    secret = "scim_of_the_version_before"
    with old.reading():
        Token.insert(tenant=tenant.id, hash=digest(secret), description="", created="2026-01-01T00:00:00.000").execute(old.peewee)
    headers = {"Authorization": f"Bearer {secret}"}
    catalogs = {"before": Catalog(load_profile(PROFILE))}
    expected = {"status": "unavailable", "reason": "run: scimsvc db migrate"}
    for step in (lambda: migrate(old), lambda: reindex(old, catalogs.__getitem__)):
        ready = call(app_on_old, "GET", b"/readyz")
        assert (ready.status, ready.body | expected) == (503, ready.body)
        for answer in refusals(app_on_old, headers):
            assert_scim_error(answer, 503)
            assert answer.headers["Retry-After"].isdigit()
        step()
    assert ready.body["reindex"] == {"done": 0, "total": 36}
    found = call(app_on_old, "GET", USERS + b"?filter=userName%20eq%20%22STRA%C3%9FE%40example.com%22", headers)
    assert [one["id"] for one in found.body["Resources"]] == ["a-03"]
    assert call(app_on_old, "POST", USERS, headers, b'{"userName": "new", "externalId": "new"}').status == 201


def test_resources_whose_values_are_no_longer_unique_are_named(app_on_old: Flask, old: Database):
    migrate(old)
    reindex(old, {"before": Catalog(load_profile(PROFILE))}.__getitem__)
    ready = call(app_on_old, "GET", b"/readyz")
    assert (ready.status, ready.body["status"]) == (200, "ok")
    ids = [f"{letter}-{number}" for letter in "ab" for number in ("02", "09", "11", "13", "18")]
    assert ready.body["conflicts"]["ids"] == ids
    assert "scimsvc db migrate" in ready.body["conflicts"]["reason"]
    tenant = find_tenant(old, "tenant-a")
    assert tenant
    headers = {"Authorization": f"Bearer {create_token(old, tenant, '', None)}"}
    assert call(app_on_old, "GET", USERS + b"/a-02", headers).body["userName"] == "josé@example.com"
    for id_ in ids[:4]:
        assert call(app_on_old, "DELETE", USERS + b"/" + id_.encode(), headers).status == 204
    assert call(app_on_old, "GET", b"/readyz").body["conflicts"]["ids"] == ids[4:]


@pytest.fixture
def served(app: Flask, database: Database) -> tuple[Flask, dict[str, str]]:
    return app, {"Authorization": f"Bearer {new_token(database, 'tenant')}"}


class TestNewerMigrations:
    """What an instance does when a newer version has migrated its database."""

    @pytest.fixture
    def database(self, request: pytest.FixtureRequest, new_database_url: Callable[[str], str]) -> Iterator[Database]:
        made = Database(new_database_url(request.param))
        migrate(made)
        yield made
        made.close()

    @pytest.mark.parametrize("database", KINDS, indirect=True)
    def test_beside_a_compatible_one_it_serves_as_before(self, served: tuple[Flask, dict[str, str]], database: Database):
        app, headers = served
        assert call(app, "GET", USERS, headers).status == 200
        execute(database, "INSERT INTO migration (name, compatible) VALUES ('9998_later', 1)")
        assert (call(app, "GET", b"/readyz").status, migrate(database)) == (200, [])
        assert call(app, "POST", USERS, headers, b'{"userName": "a"}').status == 201
        started = create_app(replace(app.extensions["scimsvc"].settings))
        assert call(started, "GET", USERS, headers).body["totalResults"] == 1
        started.extensions["scimsvc"].database.close()

    @pytest.mark.parametrize("database", KINDS, indirect=True)
    @pytest.mark.parametrize("rows", ["('9998_later', 0)", "('9997_later', 1), ('9998_later', 0)"])
    def test_beside_another_it_is_not_ready_and_none_starts(
        self, served: tuple[Flask, dict[str, str]], database: Database, rows: str
    ):
        app, headers = served
        execute(database, f"INSERT INTO migration (name, compatible) VALUES {rows}")
        ready = call(app, "GET", b"/readyz")
        assert (ready.status, ready.body["status"]) == (503, "unavailable")
        assert ready.body["reason"].startswith("the database was migrated by a newer scimsvc: it has 9998_later;")
        assert_scim_error(call(app, "POST", USERS, headers, b'{"userName": "a"}'), 503)
