"""/openapi.json and /docs."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask

from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.client import Answer
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
    assert set(schemas["User.Write"]["required"]) == {"userName", "badge"}
    assert "password" in schemas["User.Write"]["properties"]
    assert "password" not in schemas["User"]["properties"]
    assert "id" not in schemas["User.Write"]["properties"]
    assert_references_lead_somewhere(answer)


def assert_references_lead_somewhere(answer: Answer) -> None:
    references = {one.split('"')[0] for one in answer.raw.decode().split('"$ref":"')[1:]}
    for reference in references:
        found = answer.body
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


NAMES = ("Error", "PatchOp", "Resource", "ResourceList", "Schema", "SchemaList", "scim", "A$B", "A-24B", "A_24B", "A", "AWrite")


def test_whatever_a_resource_type_is_called_its_components_are_its_own(settings: Settings, database: Database, tmp_path: Path):
    documents = {
        "Schemas": [
            {
                "id": f"urn:x:{name.replace('$', '.')}",
                "attributes": [
                    {"name": f"of{place}"},
                    {"name": "kinds", "multiValued": True, "canonicalValues": ["a", "b"]},
                    {"name": "kind", "type": "reference", "canonicalValues": ["a"]},
                ],
            }
            for place, name in enumerate(NAMES)
        ],
        "ResourceTypes": [
            {"name": name, "endpoint": f"/Type{place}", "schema": f"urn:x:{name.replace('$', '.')}"}
            for place, name in enumerate(NAMES)
        ],
    }
    (tmp_path / "types.json").write_text(json.dumps(documents))
    profile = (ROOT / "mappings" / "entra.yaml").read_text()
    (tmp_path / "entra.yaml").write_text(f"{profile}\ndocuments: [types.json]\n")
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))
    answer = call(app, "GET", b"/openapi.json", {"Authorization": f"Bearer {new_token(database, 't')}"})
    app.extensions["scimsvc"].database.close()
    assert_references_lead_somewhere(answer)
    schemas = answer.body["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"[a-zA-Z0-9._-]+", name)] == []

    def component(content: Any) -> Any:
        return schemas[content["content"]["application/scim+json"]["schema"]["$ref"].rpartition("/")[2]]

    for place in range(len(NAMES)):
        path = answer.body["paths"][f"/Type{place}"]
        own = f"of{place}"
        assert own in component(path["post"]["requestBody"])["properties"]
        created = component(path["post"]["responses"]["201"])["properties"]
        assert created[own] == {"type": "string"}
        assert created["kinds"] == {"type": "array", "items": {"type": "string", "examples": ["a", "b"]}}
        assert created["kind"]["examples"] == ["a"]
        listed = component(path["get"]["responses"]["200"])["properties"]["Resources"]["items"]["$ref"].rpartition("/")[2]
        assert own in schemas[listed]["properties"]
    assert "scimType" in component(answer.body["components"]["responses"]["400"])["properties"]
    assert "attributes" in component(answer.body["paths"]["/Schemas/{id}"]["get"]["responses"]["200"])["properties"]


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
