"""Resource types and extensions by RFC 7643's own documents: endpoint, discovery, validation, filters and PATCH follow."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scimsvc.mapping import ProfileError
from scimsvc.schema.documents import DocumentProblem, read_resource_types
from scimsvc.service.profiles.files import load_profile
from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

DEVICE, PLACE, BADGE = ("urn:example:schemas:2.0:Device", "urn:example:schemas:2.0:Place", "urn:example:schemas:2.0:Badge")
ENTRA = (ROOT / "mappings" / "entra.yaml").read_text()
Ask = Callable[..., Answer]

DOCUMENTS: dict[str, Any] = {
    "Schemas": [
        {
            "id": DEVICE,
            "name": "Device",
            "attributes": [
                {"name": "serial", "required": True, "caseExact": True, "uniqueness": "server", "mutability": "immutable"},
                {"name": "label", "type": "string", "description": "What is on it."},
                {"name": "ports", "type": "integer"},
                {"name": "secret", "mutability": "writeOnly"},
                {"name": "notes", "returned": "request"},
                {"name": "kind", "returned": "always", "canonicalValues": ["laptop", "phone"]},
                {
                    "name": "bought",
                    "type": "complex",
                    "subAttributes": [{"name": "at", "type": "dateTime", "mutability": "immutable"}, {"name": "by"}],
                },
                {"name": "seen", "type": "dateTime", "mutability": "readOnly"},
                {
                    "name": "addresses",
                    "type": "complex",
                    "multiValued": True,
                    "subAttributes": [{"name": "value"}, {"name": "type"}, {"name": "primary", "type": "boolean"}],
                },
                {"name": "name", "type": "string"},
                {"name": "active", "type": "integer"},
            ],
        },
        {"id": PLACE, "name": "Place", "attributes": [{"name": "room"}]},
        {"id": BADGE, "name": "Badge", "attributes": [{"name": "number", "type": "integer"}]},
    ],
    "ResourceTypes": [
        {"name": "Device", "endpoint": "/Devices", "schema": DEVICE, "schemaExtensions": [{"schema": PLACE, "required": True}]},
        {
            "name": "User",
            "endpoint": "/Users",
            "schema": "urn:ietf:params:scim:schemas:core:2.0:User",
            "schemaExtensions": [{"schema": BADGE, "required": False}],
        },
    ],
}
LAPTOP: dict[str, Any] = {"serial": "S1", "label": "Blue", "ports": 4, "secret": "x", "notes": "n", PLACE: {"room": "1"}}


@pytest.fixture
def policies() -> str:
    return "{}"


@pytest.fixture
def profile() -> str:
    return ENTRA


@pytest.fixture
def ask(settings: Settings, database: Database, tmp_path: Path, policies: str, profile: str) -> Iterator[Ask]:
    (tmp_path / "entra.yaml").write_text(f"{profile}\ndocuments: [devices.json]\npolicies: {policies}\n")
    (tmp_path / "devices.json").write_text(json.dumps(DOCUMENTS))
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}
    yield lambda method, path, body=None: call(
        app, method, f"/api/scim/v2{path}".encode(), headers, b"" if body is None else json.dumps(body).encode()
    )
    app.extensions["scimsvc"].database.close()


def patch(ask: Ask, path: str, *operations: Any) -> Answer:
    return ask("PATCH", path, {"Operations": [dict(zip(("op", "path", "value"), one, strict=False)) for one in operations]})


def test_resource_type_is_served(ask: Ask):
    created = ask("POST", "/Devices", {"schemas": [DEVICE, PLACE], "externalId": "e", "seen": "2026-01-01T00:00:00Z", **LAPTOP})
    assert created.status == 201, created.raw
    id_ = created.body.pop("id")
    location = f"http://scim.example.com/api/scim/v2/Devices/{id_}"
    assert created.headers["Location"] == location
    body = ask("GET", f"/devices/{id_}").body
    assert body["meta"] == {**body["meta"], "resourceType": "Device", "location": location}
    shown = {name: value for name, value in body.items() if name not in ("id", "meta")}
    expected = {name: value for name, value in LAPTOP.items() if name not in ("secret", "notes")}
    assert shown == {"schemas": [DEVICE, PLACE], "externalId": "e", **expected}
    assert ask("GET", f"/Devices/{id_}?attributes=notes").body["notes"] == "n"
    for text, count in (
        ('serial eq "S1"', 1),
        ('serial eq "s1"', 0),
        ('label eq "BLUE" and ports gt 3', 1),
        ('ports eq "4"', 1),
        ('ports eq "5" or ports gt "3"', 1),
        (f'{PLACE}:room eq "1"', 1),
        ('externalId eq "e"', 1),
    ):
        assert ask("GET", f"/Devices?filter={text.replace(' ', '+')}").body["totalResults"] == count, text
    assert_scim_error(ask("GET", '/Devices?filter=secret+eq+"x"'), 400, "invalidFilter")
    assert_scim_error(ask("GET", '/Devices?filter=userName+eq+"x"'), 400, "invalidFilter")
    assert_scim_error(ask("POST", "/Devices", LAPTOP), 409, "uniqueness")
    assert ask("POST", "/Devices", {**LAPTOP, "serial": "s1"}).status == 201
    assert ask("GET", "/Devices?sortBy=serial&sortOrder=descending").body["Resources"][0]["serial"] == "s1"
    changed = patch(
        ask, f"/Devices/{id_}", ("add", 'addresses[type eq "lan"].value', "10.0.0.1"), ("replace", f"{PLACE}:room", "2")
    )
    assert (changed.body["addresses"], changed.body[PLACE]) == ([{"value": "10.0.0.1", "type": "lan"}], {"room": "2"})
    assert ask("GET", "/").body["totalResults"] == 2
    assert ask("DELETE", f"/Devices/{id_}").status == 204


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serial": None}, "serial is required"),
        ({"serial": ""}, "serial is required"),
        ({PLACE: None}, f"{PLACE} is required"),
        ({"ports": "four"}, "ports must be a whole number"),
        ({"bought": {"at": "yesterday"}}, "bought.at must be a date and time"),
        ({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}, "A Device has no schema"),
    ],
)
def test_resources_are_checked(ask: Ask, change: dict[str, Any], message: str):
    answer = ask("POST", "/Devices", {**LAPTOP, **change})
    assert_scim_error(answer, 400, "invalidValue")
    assert message in answer.body["detail"]


def test_immutable_attributes_have_one_value_for_ever(ask: Ask):
    path = "/Devices/" + ask("POST", "/Devices", LAPTOP).body["id"]
    for operation in (("replace", "serial", "S2"), ("remove", "serial"), ("replace", "serial", "s1")):
        assert patch(ask, path, operation).status == 400
    assert patch(ask, path, ("replace", "serial", "S1"), ("replace", "label", "x")).status == 200
    assert patch(ask, path, ("add", "bought", {"at": "2026-01-01T00:00:00Z", "by": "a"})).status == 200
    assert_scim_error(patch(ask, path, ("replace", "bought.at", "2027-01-01T00:00:00Z")), 400, "mutability")
    assert_scim_error(patch(ask, path, ("remove", "bought")), 400, "mutability")
    assert patch(ask, path, ("replace", "bought.by", "b")).body["bought"] == {"at": "2026-01-01T00:00:00Z", "by": "b"}
    assert_scim_error(ask("PUT", path, {**LAPTOP, "serial": "S2"}), 400, "mutability")
    # A PUT may leave out what it can't change.
    put = ask("PUT", path, LAPTOP)
    assert (put.status, put.body["bought"]) == (200, {"at": "2026-01-01T00:00:00Z"})
    assert_scim_error(patch(ask, path, ("replace", "seen", "2026-01-01T00:00:00Z")), 400, "mutability")


def test_discovery_and_the_openapi_document_follow(ask: Ask):
    found = {one["name"]: one for one in ask("GET", "/ResourceTypes").body["Resources"]}
    assert list(found) == ["User", "Group", "Device"]
    assert found["Device"]["schemaExtensions"] == [{"schema": PLACE, "required": True}]
    assert found["User"]["schemaExtensions"][-1] == {"schema": BADGE, "required": False}
    assert ask("GET", f"/Schemas/{DEVICE}").body["attributes"][0]["mutability"] == "immutable"
    assert ask("GET", "/ResourceTypes/Device").status == 200
    assert_scim_error(ask("GET", "/Nope"), 404)
    assert "/Devices" in ask("GET", "/Nope").body["detail"]


@pytest.mark.parametrize("endpoint", ["/Accounts", "/Search", "/Health", "/Discovery", "/Documents", "/Mappings", "/users2"])
def test_any_endpoint_that_is_free_is_served(settings: Settings, database: Database, tmp_path: Path, endpoint: str):
    (tmp_path / "entra.yaml").write_text(f"{ENTRA}\ndocuments: [devices.json]\n")
    (tmp_path / "devices.json").write_text(json.dumps(DOCUMENTS).replace("/Devices", endpoint))
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))
    headers = {"Authorization": f"Bearer {new_token(database, 't')}"}
    answer = call(app, "POST", f"/api/scim/v2{endpoint}".encode(), headers, json.dumps(LAPTOP).encode())
    assert (answer.status, f"/api/scim/v2{endpoint}/" in answer.headers["Location"]) == (201, True)
    app.extensions["scimsvc"].database.close()


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "POST", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/Devices", "/devices/x", "/Devices/.search"])
def test_endpoint_of_another_tenants_profile_is_none(
    settings: Settings, database: Database, tmp_path: Path, method: str, path: str
):
    (tmp_path / "entra.yaml").write_text(ENTRA)
    (tmp_path / "devices.yaml").write_text(ENTRA.replace("profile: entra", "profile: devices") + "\ndocuments: [devices.json]\n")
    (tmp_path / "devices.json").write_text(json.dumps(DOCUMENTS))
    app = create_app(replace(settings, mappings=MappingsSettings(tmp_path), database=DatabaseSettings(database.url)))

    def answer_to(tenant: str, asked: str) -> Answer:
        headers = {"Authorization": f"Bearer {new_token(database, tenant, tenant)}"}
        return call(app, method, f"/api/scim/v2{asked}".encode(), headers, b"{}")

    other, nowhere = answer_to("entra", path), answer_to("entra", path.replace("evices", "evils"))
    assert (other.status, other.headers.get("Allow")) == (404, None)
    assert_scim_error(other)
    assert_scim_error(nowhere, 404)
    assert "/Devices," not in other.body["detail"]
    assert answer_to("entra", "/Users").status != 404
    app.extensions["scimsvc"].database.close()


def test_extension_of_users(ask: Ask):
    created = ask("POST", "/Users", {"userName": "a", BADGE: {"number": 7}})
    assert (created.status, created.body["schemas"][-1]) == (201, BADGE)
    assert ask("GET", f"/Users?filter={BADGE}:number+eq+7").body["totalResults"] == 1


def with_attributes(of_users: list[str], of_groups: list[str]) -> str:
    """The profile with custom attributes of users and of groups."""
    users, groups = (f"  attributes: {json.dumps([{'name': name} for name in one])}" for one in (of_users, of_groups))
    return ENTRA.replace("  attributes: []", users).replace("groups:\n", f"groups:\n{groups}\n")


@pytest.mark.parametrize(
    "profile", [with_attributes([f"{BADGE}:colour", f"{PLACE}:floor", "urn:x:new:a"], [f"{PLACE.upper()}:desk", "URN:x:new:b"])]
)
def test_a_schema_is_one_whoever_extends_it(ask: Ask):
    shown = {
        one["id"]: [attribute["name"] for attribute in one["attributes"]] for one in ask("GET", "/Schemas").body["Resources"]
    }
    assert (shown[BADGE], shown[PLACE], shown["urn:x:new"]) == (["number", "colour"], ["room", "floor", "desk"], ["a", "b"])
    place = {"room": "1", "floor": "2", "desk": "3"}
    for path, body in (("/Devices", LAPTOP), ("/Users", {"userName": "u"}), ("/Groups", {"displayName": "g"})):
        answer = ask("POST", path, {**body, PLACE: place})
        assert (answer.status, answer.body[PLACE]) == (201, place)
    assert ask("GET", f"/?filter={PLACE}:floor+eq+%222%22").body["totalResults"] == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{DEVICE}:x", f"{DEVICE} is the schema of Device; the URN of an extension of User is another"),
        ("urn:ietf:params:scim:schemas:core:2.0:Group:x", "2.0:Group is the schema of Group"),
    ],
)
def test_attribute_that_a_schema_can_not_have_is_refused(tmp_path: Path, name: str, message: str):
    (tmp_path / "entra.yaml").write_text(f"{with_attributes([name], [])}\ndocuments: [devices.json]\n")
    (tmp_path / "devices.json").write_text(json.dumps(DOCUMENTS))
    with pytest.raises(ProfileError, match=message):
        load_profile(tmp_path / "entra.yaml")


def test_extension_of_another_type_is_had_by_listing_an_attribute_of_it(tmp_path: Path):
    (tmp_path / "entra.yaml").write_text(f"{with_attributes([f'{PLACE}:room'], [])}\ndocuments: [devices.json]\n")
    (tmp_path / "devices.json").write_text(json.dumps(DOCUMENTS))
    users, _, *others = load_profile(tmp_path / "entra.yaml").resource_types()
    (device,) = [one for one in others if one.name == "Device"]
    assert [one for one in users.extensions if one.id == PLACE] == [one for one in device.extensions if one.id == PLACE]


def test_device_is_no_member_of_a_group(ask: Ask):
    device = ask("POST", "/Devices", LAPTOP).body["id"]
    assert_scim_error(ask("POST", "/Groups", {"displayName": "g", "members": [{"value": device}]}), 400, "invalidValue")


@pytest.mark.parametrize("policies", ["{unknownMembers: pending}"])
def test_device_is_not_waited_for_as_a_member(ask: Ask, policies: str):
    group = ask("POST", "/Groups", {"displayName": "g", "members": [{"value": "e"}]}).body["id"]
    device = ask("POST", "/Devices", {**LAPTOP, "externalId": "e"}).body["id"]
    assert ask("GET", f"/Groups/{group}").body["members"] == []
    user = ask("POST", "/Users", {"userName": "u", "externalId": "e"}).body["id"]
    assert [one["value"] for one in ask("GET", f"/Groups/{group}").body["members"]] == [user]
    assert ask("DELETE", f"/Devices/{device}").status == 204


def test_cursor_belongs_to_its_endpoint(ask: Ask):
    for number in range(2):
        ask("POST", "/Devices", {**LAPTOP, "serial": str(number)})
        ask("POST", "/Users", {"userName": str(number)})
    paths = ("/Users", "/Devices", "/")
    cursors = {path: ask("GET", f"{path}?cursor&count=1").body["nextCursor"] for path in paths}
    for made_for, cursor in cursors.items():
        for path in paths:
            by_post = ask("POST", f"{path.rstrip('/')}/.search", {"cursor": cursor, "count": 1})
            for answer in (ask("GET", f"{path}?cursor={cursor}&count=1"), by_post):
                if path == made_for:
                    assert (answer.status, len(answer.body["Resources"])) == (200, 1)
                else:
                    assert_scim_error(answer, 400, "invalidCursor")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('name eq "p"', "D"),
        ("name pr", "DU"),
        ('name ne "x"', "DUG"),
        ('not (name eq "p")', "UG"),
        ('name.familyName eq "F"', "U"),
        ('name[familyName eq "F"] and userName pr', "U"),
        ('name[familyName eq "F"] or name sw "p"', "DU"),
        ("active gt 3", "D"),
        ("active eq true", "U"),
        ("active eq true or active eq 4", "DU"),
        ('addresses.value eq "10.0.0.1" or addresses[locality eq "L"]', "DU"),
    ],
)
def test_comparison_that_makes_no_sense_for_a_type_finds_none_of_it(ask: Ask, text: str, found: str):
    device = {"name": "p", "active": 4, "addresses": [{"value": "10.0.0.1"}]}
    user = {"userName": "u", "name": {"familyName": "F"}, "active": True, "addresses": [{"locality": "L"}]}
    for path, body in (("/Devices", {**LAPTOP, **device}), ("/Users", user), ("/Groups", {"displayName": "g"})):
        assert ask("POST", path, body).status == 201
    answer = ask("GET", f"/?filter={text.replace(' ', '+')}")
    assert sorted(one["meta"]["resourceType"][0] for one in answer.body["Resources"]) == sorted(found), text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('bought eq "x"', "bought is complex: compare one of at, by"),
        ('active eq "x"', "active is compared with true or false"),
        ('name eq "p" or active co "x"', "active is a boolean, which co can't compare"),
        ('addresses[nope eq "x"]', "unknown attribute 'nope'"),
        ('nope eq "x" or name eq "p"', "unknown attribute 'nope'"),
    ],
)
def test_comparison_that_makes_sense_for_no_type_is_refused(ask: Ask, text: str, reason: str):
    answer = ask("GET", f"/?filter={text.replace(' ', '+')}")
    assert_scim_error(answer, 400, "invalidFilter")
    assert reason in answer.body["detail"]


def test_order_by_what_only_one_type_can_be_sorted_by(ask: Ask):
    ask("POST", "/Users", {"userName": "u", "name": {"familyName": "A"}})
    for number, name in enumerate("ba"):
        ask("POST", "/Devices", {**LAPTOP, "serial": str(number), "name": name})
    answer = ask("GET", "/?sortBy=name")
    assert [one.get("userName") or one["name"] for one in answer.body["Resources"]] == ["a", "b", "u"]
    assert_scim_error(ask("GET", "/Users?sortBy=name"), 400, "invalidValue")
    assert_scim_error(ask("GET", "/?sortBy=bought"), 400, "invalidValue")


def test_bulk_knows_the_endpoint(ask: Ask):
    answer = ask("POST", "/Bulk", {"Operations": [{"method": "POST", "path": "/Devices", "bulkId": "d", "data": LAPTOP}]})
    assert answer.body["Operations"][0]["status"] == "201"


def with_(path: str, value: Any) -> Any:
    """The documents with another value at a path."""
    changed = json.loads(json.dumps(DOCUMENTS))
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = changed
    for step in steps:
        place = place[step]
    place[last] = value
    return changed


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "f.json: must be a JSON object"),
        ({"Schema": []}, "f.json: unknown key 'Schema'; known are Schemas, ResourceTypes"),
        ({"Schemas": {}}, "f.json: Schemas must be a list"),
        ({"Schemas": [5]}, r"Schemas\[0\] must be an object"),
        (with_("Schemas.0.id", "device"), r"Schemas\[0\].id must be a URN, not 'device'"),
        (with_("Schemas.0.id", 5), r"Schemas\[0\].id must be a text"),
        (with_("Schemas.1.id", DEVICE), r"Schemas\[1\].id: there is a schema .* already"),
        (with_("Schemas.0.attributes", []), r"Schemas\[0\].attributes must be a list of 1 to 500"),
        (with_("Schemas.0.attributes.0", 5), r"attributes\[0\] must be an object"),
        (with_("Schemas.0.attributes.0.name", "a b"), r"attributes\[0\].name must be letters"),
        (with_("Schemas.0.attributes.1.name", "SERIAL"), r"attributes\[1\].name: there is an attribute SERIAL already"),
        (with_("Schemas.0.attributes.0.type", "text"), r"attributes\[0\].type must be one of string, boolean"),
        (with_("Schemas.0.attributes.0.required", "yes"), r"attributes\[0\].required must be true or false"),
        (with_("Schemas.0.attributes.0.mutability", "never"), r"mutability must be one of readOnly, readWrite"),
        (with_("Schemas.0.attributes.0.canonicalValues", [5]), r"canonicalValues must be a list of texts"),
        (with_("Schemas.0.attributes.0.type", "complex"), r"attributes\[0\].subAttributes must be a list"),
        (
            with_("Schemas.0.attributes.6.subAttributes.0.type", "complex"),
            r"subAttributes\[0\].type must be .* inside a complex attribute",
        ),
        (with_("Schemas.0.attributes.6.uniqueness", "server"), r"attributes\[6\].uniqueness: a complex value isn't compared"),
        (with_("Schemas.0.attributes.3.uniqueness", "server"), r"attributes\[3\].uniqueness: what is never returned isn't kept"),
        (with_("Schemas.0.attributes.1.name", "$ref"), r"attributes\[1\].name must be letters"),
        (with_("Schemas.0.attributes.1.name", "id"), "declares id, which every resource has"),
        (
            with_("ResourceTypes.0.schema", "urn:x:y"),
            r"ResourceTypes\[0\].schema: there is no schema 'urn:x:y'; there are urn:ietf",
        ),
        (with_("ResourceTypes.0.schema", "urn:ietf:params:scim:schemas:core:2.0:User"), "is the schema of another resource type"),
        (with_("ResourceTypes.1.schema", DEVICE), r"ResourceTypes\[1\].schema: that of User is"),
        (with_("ResourceTypes.0.endpoint", "Devices"), "endpoint must be a path such as /Devices"),
        (with_("ResourceTypes.0.endpoint", "/users"), "endpoint: /users is taken"),
        (with_("ResourceTypes.0.endpoint", "/bulk"), "endpoint: /bulk is taken"),
        (with_("ResourceTypes.0.name", "deleted:User"), "name must be letters"),
        (with_("ResourceTypes.1.name", "Device"), r"ResourceTypes\[1\].schema: that of Device|ResourceTypes\[1\].name: there is"),
        (with_("Schemas.0.attribute", []), r"Schemas\[0\]: unknown key 'attribute'; known are id, name, description, attributes"),
        (
            with_("Schemas.0.attributes.1.multivalued", True),
            r"attributes\[1\]: unknown key 'multivalued'; known are name, type, multiValued, .*, mutability, .*, subAttributes",
        ),
        (with_("Schemas.0.attributes.6.subAttributes.1.unique", True), r"subAttributes\[1\]: unknown key 'unique'; known are"),
        (with_("Schemas.0.attributes.1.subAttributes", [{"name": "x"}]), r"attributes\[1\].subAttributes: a string has none"),
        (
            with_("Schemas.0.attributes.2.canonicalValues", ["low"]),
            r"attributes\[2\].canonicalValues: these are texts, of string or reference alone, and integer is none",
        ),
        (with_("Schemas.0.attributes.6.canonicalValues", ["x"]), r"attributes\[6\].canonicalValues: these are texts"),
        (with_("ResourceTypes.0.extensions", []), r"ResourceTypes\[0\]: unknown key 'extensions'; known are name, description"),
        (
            with_("ResourceTypes.0.schemaExtensions.0.Required", True),
            r"schemaExtensions\[0\]: unknown key 'Required'; known are schema, required",
        ),
        (with_("ResourceTypes.1.endpoint", "/People"), r"ResourceTypes\[1\].endpoint: that of User is /Users"),
        (with_("ResourceTypes.0.schemaExtensions", {}), "schemaExtensions must be a list of objects"),
        (with_("ResourceTypes.0.schemaExtensions.0.schema", DEVICE), "isn't extended by its own schema"),
    ],
)
def test_mistake_in_a_document_is_named(documents: Any, message: str):
    with pytest.raises(DocumentProblem, match=message):
        read_resource_types({"f.json": documents})


def test_documents_as_other_service_providers_publish_them_are_read():
    published = with_("ResourceTypes.1.endpoint", "/users")
    for name, documents in published.items():
        for one in documents:
            one |= {"schemas": [f"urn:ietf:params:scim:schemas:core:2.0:{name[:-1]}"], "meta": {"resourceType": name[:-1]}}
    for one in published["ResourceTypes"]:
        one |= {"id": one["name"], "externalId": "x"}
    for attribute in published["Schemas"][0]["attributes"]:
        characteristics = {"canonicalValues": [], "referenceTypes": [], "subAttributes": []}
        attribute |= characteristics | attribute
    assert [one.name for one in read_resource_types({"f.json": published})] == ["User", "Group", "Device"]


def test_all_mistakes_in_documents_are_named_at_once():
    wrong = with_("Schemas.0.attributes.0.type", "text")
    wrong["Schemas"][0]["attributes"][0]["Type"] = "string"
    wrong["Schemas"][0]["attributes"][1]["name"] = "a b"
    wrong["Schemas"][2]["id"] = "x"
    wrong["ResourceTypes"][0]["endpoint"] = "/users"
    with pytest.raises(DocumentProblem) as caught:
        read_resource_types({"f.json": wrong})
    assert [one.split(" ")[1].rstrip(":") for one in caught.value.problems] == [
        "Schemas[0].attributes[0]",
        "Schemas[0].attributes[0].type",
        "Schemas[0].attributes[1].name",
        "Schemas[2].id",
        "ResourceTypes[0].endpoint",
        "ResourceTypes[1].schemaExtensions[0].schema",
    ]


@pytest.mark.parametrize(
    ("documents", "content", "message"),
    [
        ("[other.json]", "{}", "other.json: there is no such file|other.json: can't be read"),
        ("[devices.json]", "{", "devices.json: not JSON"),
        ("[devices.json]", "{\xff", "devices.json: not UTF-8: byte 0xff at position 1"),
        ("[devices.json]", '{"Schemas": 5}', "devices.json: Schemas must be a list"),
        ("[../devices.json]", "{}", "a document is the name of a"),
        ("[[devices.json]]", "{}", "a document must be a string"),
        ("devices.json", "{}", "documents must be a list"),
    ],
)
def test_profile_with_wrong_documents_is_refused_at_its_place(tmp_path: Path, documents: str, content: str, message: str):
    (tmp_path / "entra.yaml").write_text(f"{ENTRA}\ndocuments: {documents}\n")
    (tmp_path / "devices.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ProfileError, match=message) as caught:
        load_profile(tmp_path / "entra.yaml")
    assert caught.value.findings[0].line == len(ENTRA.splitlines()) + 2


def test_document_may_have_a_byte_order_mark(tmp_path: Path):
    (tmp_path / "entra.yaml").write_text(f"{ENTRA}\ndocuments: [devices.json]\n")
    (tmp_path / "devices.json").write_text("{}", encoding="utf-8-sig")
    assert load_profile(tmp_path / "entra.yaml").documents == ("devices.json",)
