"""/openapi.json and /docs."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from flask import Flask

from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.errors import assert_scim_error
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call


def test_document_has_the_tenants_own_attributes(settings: Settings, database: Database, tmp_path: Path):
    profile = (ROOT / "mappings" / "entra.yaml").read_text()
    (tmp_path / "entra.yaml").write_text(
        profile.replace("attributes: []", "attributes: [{name: badge, type: Integer, required: true}]", 1)
    )
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))
    answer = call(app, "GET", b"/openapi.json", {"Authorization": f"Bearer {new_token(database, 't')}"})
    app.extensions["scimsvc"].database.close()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.body["servers"] == [{"url": "http://scim.example.com/api/scim/v2"}]
    schemas = answer.body["components"]["schemas"]
    assert schemas["User"]["properties"]["badge"]["type"] == "integer"
    assert set(schemas["UserWrite"]["required"]) == {"userName", "badge"}
    assert "password" in schemas["UserWrite"]["properties"]
    assert "password" not in schemas["User"]["properties"]
    assert "id" not in schemas["UserWrite"]["properties"]
    references = {one.split('"')[0] for one in answer.raw.decode().split('"$ref":"')[1:]}
    for reference in references:
        found = answer.body
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_every_route_below_the_base_path_is_in_the_document(app: Flask, database: Database):
    document = call(app, "GET", b"/openapi.json", {"Authorization": f"Bearer {new_token(database, 't')}"}).body
    described = {(path.lower(), method) for path, one in document["paths"].items() for method in one if method != "parameters"}
    served = {
        (rule.rule.removeprefix("/api/scim/v2").replace("<id_>", "{id}").replace("<resource:id_>", "{id}") or "/", method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule.startswith("/api/scim/v2") and method != "HEAD"
    }
    assert described == served


def test_document_needs_a_token_and_the_page_does_not(app: Flask):
    assert_scim_error(call(app, "GET", b"/openapi.json"), 401)
    page = call(app, "GET", b"/docs")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    text = page.raw.decode()
    for shown in ("/Users/{id}", "emails.primary", "nextCursor", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"):
        assert shown in text


def test_page_is_html(app: Flask):
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.append(tag)

    Reader().feed(call(app, "GET", b"/docs").raw.decode())
    assert tags.count("table") == 6
    assert tags.count("h2") == 6
    assert "script" not in tags
