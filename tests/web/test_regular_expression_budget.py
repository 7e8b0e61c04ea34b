"""Slow regular expressions of a profile end a preview and a page of accounts, and lose no account."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.store.tenants import ACCOUNTS
from scimsvc.web.app import create_app
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import BASE_PATH, new_token
from tests.support.wsgi import call

SLOW = "a" * 5000 + "!"
REPLACE = 'Replace([displayName], , "(a+)+$", , "x", , )'
KEY = {"source": "objectId", "target": "externalId", "matching": 1}
TARGETS = ["title", "nickName", "userType", "locale", "timezone", "preferredLanguage"]
Send = Callable[..., Answer]


@pytest.fixture
def send(settings: Settings, database: Database, tmp_path: Path) -> Send:
    """Send a request to a service whose profile has twelve slow fields in its record, and six slow rows."""
    rows = [KEY, {"source": "userPrincipalName", "target": "userName"}]
    rows += [{"expression": REPLACE, "target": target} for target in TARGETS]
    record = {f"field{number}": REPLACE for number in range(12)} | {"login": "userName"}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({"profile": "p", "users": {"mappings": rows}, "record": record}))
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))
    tokens = {"scim": new_token(database, "t", "p"), ACCOUNTS: new_token(database, "t", "p", ACCOUNTS)}

    def ask(method: str, path: str, body: Any = None) -> Answer:
        token = tokens[ACCOUNTS if path.startswith("/api/accounts") else "scim"]
        content = b"" if body is None else json.dumps(body).encode()
        return call(app, method, path.encode(), {"Authorization": f"Bearer {token}"}, content)

    return ask


def test_preview_that_takes_too_long_is_refused_and_others_are_not(send: Send):
    quick = {"id": "1", "userPrincipalName": "a@b.c", "displayName": "aab"}
    assert len(send("POST", "/api/mappings/preview/users", [quick] * 100).body) == 100
    for path in ("users", "users?explain"):
        answer = send("POST", f"/api/mappings/preview/{path}", [quick, *[quick | {"displayName": SLOW}] * 20])
        assert_scim_error(answer, 400, "tooMany")
        assert "the regular expressions of the profile p take more than 1 s" in answer.body["detail"]


def test_page_of_accounts_ends_early_and_the_cursor_leads_to_the_rest(send: Send):
    for number in range(3):
        name = SLOW if number < 2 else "b"
        made = send("POST", f"{BASE_PATH}/Users", {"userName": f"u{number}", "displayName": name})
        assert made.status == 201, made.raw
    logins, path = [], "/api/accounts"
    while path:
        page = send("GET", path)
        assert page.status == 200, page.raw
        assert page.body["accounts"]
        logins += [account["record"]["login"] for account in page.body["accounts"]]
        problems = [account["problems"] for account in page.body["accounts"] if "problems" in account]
        assert all("regular expression" in problem for one in problems for problem in one.values())
        cursor = page.body.get("nextCursor")
        path = f"/api/accounts?cursor={cursor}" if cursor else ""
    assert logins == ["u0", "u1", "u2"]
