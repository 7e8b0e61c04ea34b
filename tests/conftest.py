"""Fixtures: both databases, the application in this process, and scimsvc under real gunicorn."""

import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask

from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.api import Api, StartApi
from tests.support.client import Client
from tests.support.postgresql import PostgreSQL
from tests.support.server import ROOT, Server, new_token

# The same examples in every run, so that a change fails for what it changed; EXPLORE=1 looks for new ones. None has a deadline:
# how long an example takes says more about what else the machine does.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("explore" if os.environ.get("EXPLORE") else "steady")

KINDS = ["sqlite", "postgresql"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and the commands that they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    server = PostgreSQL(tmp_path_factory.mktemp("pg"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def new_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Makes an empty database of a kind; PostgreSQL is started by the first test that wants it."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path_factory.mktemp("sqlite") / "scimsvc.db"
            path.touch(0o600)
            return f"sqlite:///{path}"
        url: str = request.getfixturevalue("postgresql").database()
        return url

    return make


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, new_database_url: Callable[[str], str]) -> Iterator[Database]:
    """A migrated database of its own for one test."""
    found = Database(new_database_url(request.param))
    migrate(found)
    yield found
    found.close()


@pytest.fixture(scope="session", params=KINDS)
def server(
    request: pytest.FixtureRequest, new_database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """gunicorn with the settings of the project; tests share it and keep apart by tenants of their own."""
    url = new_database_url(request.param)
    prepared = Database(url)
    migrate(prepared)
    prepared.close()
    running = Server(url, tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


_tenants = itertools.count()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client of a tenant that no other test uses."""
    made = server.client(f"tenant-{next(_tenants)}")
    yield made
    made.close()


@pytest.fixture
def settings(database: Database) -> Settings:
    """Settings for the application in this process, on the database of this test."""
    return replace(Settings(), mappings=MappingsSettings(ROOT / "mappings"))


@pytest.fixture
def app(database: Database, settings: Settings) -> Iterator[Flask]:
    """The application in this process."""
    from scimsvc.web.app import create_app

    made = create_app(replace(settings, database=DatabaseSettings(database.url)))
    yield made
    made.extensions["scimsvc"].database.close()


@pytest.hookimpl(tryfirst=True)
@pytest.fixture
def api(app: Flask, database: Database) -> Api:
    """A client of the application in this process, for a tenant with the profile `entra`."""
    return Api(app, new_token(database, "t"))


@pytest.fixture
def start_api(database: Database, settings: Settings, tmp_path: Path) -> Iterator[StartApi]:
    """Starts the application with profiles of the test's own, and returns a client of a tenant that has the first."""
    started: list[Api] = []

    def start(documents: Mapping[str, Any] | None = None, **profiles: str) -> Api:
        from scimsvc.web.app import create_app

        folder = tmp_path / f"mappings-{len(started)}"
        folder.mkdir()
        for name, text in profiles.items():
            (folder / f"{name}.yaml").write_text(text)
        for name, document in (documents or {}).items():
            (folder / name).write_text(json.dumps(document))
        app = create_app(replace(settings, mappings=MappingsSettings(folder), database=DatabaseSettings(database.url)))
        started.append(Api(app, new_token(database, f"t{len(started)}", next(iter(profiles)))))
        return started[-1]

    yield start
    for api in started:
        api.database.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `-m sqlite` chooses. Quick tests first, those with a server last, so that a mistake shows early."""
    for item in items:
        names = {*getattr(item, "fixturenames", ()), *_parameters(item)}
        if names.isdisjoint(_SLOW) and not {"faults", "compliance", "deploy", "installation"} & set(Path(item.path).parts):
            item.add_marker("sqlite")
    items.sort(key=lambda item: ("server" in getattr(item, "fixturenames", ()), Path(str(item.fspath)).parent.name == "faults"))


_SLOW = frozenset({"postgresql", "server", "client", "new_server"})
"""Fixtures and parameters of tests that `-m sqlite` leaves out: they start PostgreSQL or gunicorn."""


def _parameters(item: pytest.Item) -> list[str]:
    callspec = getattr(item, "callspec", None)
    return [value for value in callspec.params.values() if isinstance(value, str)] if callspec else []
