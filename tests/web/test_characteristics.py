"""Every characteristic of an attribute (RFC 7643 §2.2 and §7) holds at every depth and for every method, by the schema data."""

from typing import Any

import pytest

from scimsvc.schema.core import ENTERPRISE_USER, ENTERPRISE_USER_URN, GROUP, USER
from scimsvc.schema.discovery import schema_document
from scimsvc.store.database import Database
from tests.support.api import ENTRA, Api, StartApi
from tests.support.client import Answer
from tests.support.errors import assert_scim_error

THING, PART = "urn:example:schemas:2.0:Thing", "urn:example:schemas:2.0:Part"


def complex_(name: str, *subs: dict[str, Any], **characteristics: Any) -> dict[str, Any]:
    return {"name": name, "type": "complex", "subAttributes": list(subs), **characteristics}


PRIMARY = {"name": "primary", "type": "boolean"}
VALUE = {"name": "value"}
THING_SCHEMA: dict[str, Any] = {
    "id": THING,
    "name": "Thing",
    "attributes": [
        {"name": "label"},
        complex_(
            "keys",
            VALUE,
            {"name": "type"},
            PRIMARY,
            {"name": "pin", "mutability": "writeOnly"},
            {"name": "seal", "mutability": "immutable"},
            {"name": "tags", "multiValued": True},
            {"name": "$ref", "type": "reference", "referenceTypes": ["external"], "caseExact": False},
            multiValued=True,
        ),
        complex_("marks", VALUE | {"mutability": "writeOnly"}, {"name": "type"}, multiValued=True),
        complex_("vault", VALUE, {"name": "code"}, returned="never"),
        complex_("lock", VALUE, {"name": "words", "multiValued": True}, {"name": "pin", "returned": "never"}),
        complex_("memo", VALUE, {"name": "by"}, returned="request"),
        complex_("kind", VALUE, {"name": "of"}, returned="always"),
        {"name": "site", "type": "reference", "referenceTypes": ["external"], "caseExact": False, "uniqueness": "server"},
        {"name": "seen", "type": "dateTime", "mutability": "readOnly"},
        complex_("displayName", {"name": "long"}),
    ],
}
PART_SCHEMA: dict[str, Any] = {
    "id": PART,
    "name": "Part",
    "attributes": [
        {"name": "number", "required": True},
        {"name": "batch", "mutability": "immutable"},
        {"name": "secret", "mutability": "writeOnly"},
        complex_("made", {"name": "at", "mutability": "immutable"}, {"name": "by"}),
        complex_("notes", {"name": "value", "required": True}, {"name": "text"}, PRIMARY, multiValued=True),
    ],
}
NEEDY = "urn:example:schemas:2.0:Needy"
NEEDY_SCHEMA: dict[str, Any] = {
    "id": NEEDY,
    "name": "Needy",
    "attributes": [complex_("needs", VALUE, multiValued=True, required=True), complex_("size", {"name": "wide"}, required=True)],
}
# RFC 7643 §8.7.1 under other names, as /Schemas publishes it.
PERSON, TEAM, STAFF = "urn:example:schemas:2.0:Person", "urn:example:schemas:2.0:Team", "urn:example:schemas:2.0:Staff"
PUBLISHED = [schema_document(one, "") | {"id": id_} for one, id_ in ((USER, PERSON), (GROUP, TEAM), (ENTERPRISE_USER, STAFF))]
DOCUMENTS: dict[str, Any] = {
    "Schemas": [THING_SCHEMA, PART_SCHEMA, NEEDY_SCHEMA, *PUBLISHED],
    "ResourceTypes": [
        {"name": "Thing", "endpoint": "/Things", "schema": THING, "schemaExtensions": [{"schema": PART, "required": False}]},
        {"name": "Person", "endpoint": "/People", "schema": PERSON, "schemaExtensions": [{"schema": STAFF, "required": False}]},
        {"name": "Team", "endpoint": "/Teams", "schema": TEAM},
        {"name": "Needy", "endpoint": "/Needies", "schema": NEEDY, "schemaExtensions": [{"schema": PART, "required": True}]},
    ],
}
NEEDS: dict[str, Any] = {"needs": [{"value": "a"}], "size": {"wide": "1"}, PART: {"number": "1"}}


@pytest.fixture
def ask(start_api: StartApi) -> Api:
    return start_api(entra=f"{ENTRA}\ndocuments: [things.json]\n", documents={"things.json": DOCUMENTS})


def made(ask: Api, body: Any, endpoint: str = "/Things") -> str:
    answer = ask("POST", endpoint, body)
    assert answer.status == 201, answer.raw
    return f"{endpoint}/{answer.body['id']}"


def patch(ask: Api, path: str, *operations: Any) -> Answer:
    return ask("PATCH", path, {"Operations": [dict(zip(("op", "path", "value"), one, strict=False)) for one in operations]})


def own(answer: Answer) -> dict[str, Any]:
    assert answer.status < 300, answer.raw
    return {name: value for name, value in answer.body.items() if name not in ("schemas", "id", "meta")}


def found(ask: Api, text: str, endpoint: str = "/Things") -> int:
    answer = ask("POST", f"{endpoint}/.search", {"filter": text})
    assert answer.status == 200, answer.raw
    return int(answer.body["totalResults"])


SECRETS: dict[str, Any] = {
    "keys": [{"value": "a", "pin": "hush"}, {"pin": "hush"}],
    "vault": {"value": "hush"},
    "lock": {"pin": "hush"},
    PART: {"number": "1", "secret": "hush"},
}


def test_what_is_never_returned_is_stored_nowhere(ask: Api, database: Database):
    path = made(ask, SECRETS)
    kept = {"keys": [{"value": "a"}], PART: {"number": "1"}}
    assert own(ask("GET", path)) == kept
    assert own(ask("PUT", path, SECRETS)) == kept
    version = ask("GET", path).headers["ETag"]
    changes = [
        ("add", f"{PART}:secret", "hush"),
        ("add", 'keys[value eq "a"].pin', "hush"),
        ("add", "keys", [{"value": "a", "pin": "hush"}]),
        ("replace", 'keys[value eq "a"]', {"value": "a", "pin": "hush"}),
        ("add", None, {"vault": {"code": "hush"}, "lock": {"pin": "hush"}, PART: {"secret": "hush"}}),
        ("remove", f"{PART}:secret"),
    ]
    answer = patch(ask, path, *changes)
    assert (own(answer), answer.headers["ETag"]) == (kept, version)
    with database.reading():
        documents = database.execute("SELECT document FROM resource", []).fetchall()
        rows = database.execute("SELECT value FROM attribute_value", []).fetchall()
    assert "hush" not in str(documents) + str(rows)


def test_what_is_no_longer_returned_stays_with_the_server(ask: Api, database: Database):
    path = made(ask, {"label": "l", "lock": {"value": "v"}})
    older = """UPDATE resource SET document = REPLACE(document, '"value":"v"', '"value":"v","pin":"hush"')"""
    database.transaction(lambda: database.execute(older, []))
    assert own(ask("GET", path)) == {"label": "l", "lock": {"value": "v"}}


@pytest.mark.parametrize("name", ["vault.code", "vault", "lock.pin", "keys.pin", f"{PART}:secret", "seen"])
def test_what_nothing_can_be_found_by_is_refused(ask: Api, name: str):
    for text in (f'{name} eq "2026-01-01T00:00:00Z"', f"{name} pr"):
        assert_scim_error(ask("POST", "/Things/.search", {"filter": text}), 400, "invalidFilter")
    assert_scim_error(ask("GET", f"/Things?sortBy={name}"), 400, "invalidValue")


def test_elements_without_a_value_to_find_are_found_by_the_rest(ask: Api):
    path = made(ask, {"marks": [{"value": "secret", "type": "a"}]})
    for text, found in (('marks[type eq "a"]', 1), ('marks[type eq "b"]', 0)):
        assert ask("POST", "/Things/.search", {"filter": text}).body["totalResults"] == found
    assert own(patch(ask, path, ("replace", 'marks[type eq "a"].type', "b"))) == {"marks": [{"type": "b"}]}
    for text in ("marks", "marks.value"):
        assert_scim_error(ask("POST", "/Things/.search", {"filter": f'{text} eq "secret"'}), 400, "invalidFilter")


def test_value_filter_by_what_is_never_returned_is_refused(ask: Api):
    assert_scim_error(ask("POST", "/Things/.search", {"filter": 'keys[pin eq "x"]'}), 400, "invalidFilter")
    assert_scim_error(patch(ask, made(ask, {}), ("remove", 'keys[pin eq "x"]')), 400, "invalidPath")


TWO = [{"value": "a", "primary": True}, {"value": "b", "primary": True}]


@pytest.mark.parametrize(
    ("name", "endpoint"), [("emails", "/Users"), ("roles", "/Users"), ("keys", "/Things"), (f"{PART}:notes", "/Things")]
)
def test_one_value_is_primary(ask: Api, name: str, endpoint: str):
    urn, _, attribute = name.rpartition(":")
    whole: dict[str, Any] = {"userName": "ann"} if endpoint == "/Users" else {}

    def with_(elements: Any) -> dict[str, Any]:
        return whole | ({urn: {"number": "1", attribute: elements}} if urn else {attribute: elements})

    path = made(ask, with_(TWO[:1]), endpoint)
    refused = [
        ask("POST", endpoint, with_(TWO)),
        ask("PUT", path, with_(TWO)),
        patch(ask, path, ("replace", name, TWO)),
        patch(ask, path, ("add", name, TWO)),
        patch(ask, path, ("add", None, with_(TWO))),
    ]
    for answer in refused:
        assert_scim_error(answer, 400, "invalidValue")
        assert f"{name} may have one primary value, not 2" in answer.body["detail"]
    for operation in (("add", name, TWO[1:]), ("add", None, with_([{"value": "c", "primary": True}]))):
        body = own(patch(ask, path, operation))
        elements = body[urn][attribute] if urn else body[attribute]
        assert [one["primary"] for one in elements] == [False] * (len(elements) - 1) + [True]


@pytest.mark.parametrize(
    ("endpoint", "before", "operation", "scim_type", "name"),
    [
        ("/Things", {}, ("add", f"{PART}:batch", "b"), "invalidValue", f"{PART}:number"),
        ("/Things", {}, ("add", None, {PART: {"batch": "b"}}), "invalidValue", f"{PART}:number"),
        ("/Things", {}, ("add", f"{PART}:made.by", "b"), "invalidValue", f"{PART}:number"),
        (
            "/Things",
            {PART: {"number": "1", "notes": [{"value": "a", "text": "t"}]}},
            ("remove", f'{PART}:notes[value eq "a"].value'),
            "mutability",
            f"{PART}:notes.value",
        ),
        (
            "/Things",
            {PART: {"number": "1"}},
            ("add", f'{PART}:notes[text eq "x"].primary', True),
            "invalidValue",
            f"{PART}:notes.value",
        ),
        ("/Needies", NEEDS, ("remove", 'needs[value eq "a"]'), "mutability", "needs"),
        ("/Needies", NEEDS, ("remove", "needs.value"), "mutability", "needs"),
        ("/Needies", NEEDS, ("replace", "needs", [{"other": 1}]), "invalidValue", "needs"),
        ("/Needies", NEEDS, ("remove", "size.wide"), "mutability", "size"),
        ("/Needies", NEEDS, ("remove", PART), "mutability", PART),
        ("/Needies", NEEDS, ("remove", f"{PART}:number"), "mutability", f"{PART}:number"),
    ],
)
def test_patch_leaves_nothing_without_what_is_required(
    ask: Api, endpoint: str, before: Any, operation: Any, scim_type: str, name: str
):
    path = made(ask, before, endpoint)
    answer = patch(ask, path, operation)
    assert_scim_error(answer, 400, scim_type)
    assert f"{name} is required" in answer.body["detail"] or f"{name}[0] is required" in answer.body["detail"]
    assert own(ask("GET", path)) == before


@pytest.mark.parametrize("change", [{"size": {}}, {"size": {"other": 1}}, {PART: {}}, {"needs": [{}]}, {"needs": []}])
def test_nothing_in_it_is_no_value(ask: Api, change: Any):
    answer = ask("POST", "/Needies", NEEDS | change)
    assert_scim_error(answer, 400, "invalidValue")
    assert "is required" in answer.body["detail"]


def test_patch_may_bring_everything_that_is_required(ask: Api):
    path = made(ask, {})
    body = own(patch(ask, path, ("add", f"{PART}:batch", "b"), ("add", f"{PART}:number", "1")))
    assert body == {PART: {"number": "1", "batch": "b"}}
    path = made(ask, NEEDS, "/Needies")
    assert own(patch(ask, path, ("remove", 'needs[value eq "a"]'), ("add", "needs", [{"value": "b"}])))["needs"] == [
        {"value": "b"}
    ]


def test_put_keeps_what_is_immutable_and_the_schemas_say_so(ask: Api):
    part = {"number": "1", "batch": "b", "made": {"at": "x", "by": "y"}}
    path = made(ask, {"label": "l", PART: part})
    # With what is immutable stays what must be beside it.
    assert own(ask("PUT", path, {"label": "m"})) == {"label": "m", PART: {"number": "1", "batch": "b", "made": {"at": "x"}}}
    assert own(ask("PUT", path, {PART: {"number": "2"}}))[PART] == {"number": "2", "batch": "b", "made": {"at": "x"}}
    assert_scim_error(ask("PUT", path, {PART: {"number": "2", "made": {"at": "z"}}}), 400, "mutability")
    path = made(ask, NEEDS | {PART: {"number": "1", "batch": "b"}}, "/Needies")
    assert ask("PUT", path, NEEDS).body["schemas"] == [NEEDY, PART]


@pytest.mark.parametrize(
    ("operation", "elements"),
    [
        (("replace", 'keys[value eq "a"]', {"value": "c"}), [{"value": "c", "seal": "s"}]),
        (("replace", 'keys[value eq "a"]', {"value": "a", "seal": "s"}), [{"value": "a", "seal": "s"}]),
        (("replace", 'keys[value eq "a"]', {"value": "a", "seal": "t"}), None),
        (("add", 'keys[value eq "a"]', {"seal": "t"}), None),
        (("replace", 'keys[value eq "a"].seal', "t"), None),
        (("remove", 'keys[value eq "a"].seal'), None),
        (("remove", "keys.seal"), None),
        (("replace", "keys", [{"value": "a", "seal": "t"}]), [{"value": "a", "seal": "t"}]),
        (("remove", 'keys[value eq "a"]'), None),
    ],
)
def test_element_keeps_what_is_immutable_and_goes_as_a_whole(ask: Api, operation: Any, elements: Any):
    path = made(ask, {"keys": [{"value": "a", "type": "x", "seal": "s"}]})
    answer = patch(ask, path, operation)
    if operation == ("remove", 'keys[value eq "a"]'):
        assert "keys" not in answer.body
    elif elements is None:
        assert_scim_error(answer, 400, "mutability")
        assert "seal" in answer.body["detail"]
    else:
        assert [{name: value for name, value in one.items() if name != "type"} for one in own(answer)["keys"]] == elements


SHOWN: dict[str, Any] = {
    "label": "l",
    "displayName": {"long": "x"},
    "memo": {"value": "m", "by": "b"},
    "kind": {"value": "k", "of": "o"},
}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"label", "displayName", "kind"}),
        ("?attributes=label", {"label", "kind"}),
        ("?attributes=memo", {"memo", "kind"}),
        ("?attributes=memo.by", {"memo", "kind"}),
        ("?attributes=id", {"kind"}),
        ("?excludedAttributes=kind", {"label", "displayName", "kind"}),
        ("?excludedAttributes=label,displayName", {"kind"}),
    ],
)
def test_complex_attribute_is_returned_as_its_characteristic_says(ask: Api, query: str, names: set[str]):
    path = made(ask, SHOWN)
    body = own(ask("GET", path + query))
    assert body.keys() == names
    assert body["kind"] == SHOWN["kind"]
    if "memo" in names:
        assert body["memo"] == ({"by": "b"} if query.endswith(".by") else SHOWN["memo"])


def test_what_is_returned_on_request_comes_back_to_who_sent_it(ask: Api):
    created = ask("POST", "/Things", SHOWN)
    path = f"/Things/{created.body['id']}"
    assert own(created) == SHOWN
    assert "memo" not in own(patch(ask, path, ("replace", "label", "x")))
    assert own(patch(ask, path, ("replace", "memo.by", "c")))["memo"] == {"value": "m", "by": "c"}
    assert own(ask("PUT", path, SHOWN))["memo"] == SHOWN["memo"]
    assert "memo" not in own(ask("PUT", path, {"label": "y"}))


def test_reference_folds_case_where_the_schema_says_so(ask: Api):
    made(ask, {"site": "https://Example.com/A"})
    assert found(ask, 'site eq "HTTPS://example.com/a"') == 1
    assert_scim_error(ask("POST", "/Things", {"site": "https://example.com/a"}), 409, "uniqueness")
    made(ask, {"keys": [{"$ref": "https://Example.com/B"}]})
    assert found(ask, 'keys[$ref sw "https://example"]') == found(ask, 'keys.$ref ew "/b"') == 1


def test_sub_attribute_with_several_values(ask: Api):
    keys = [
        {"value": "a", "type": "x", "tags": ["red", "Blue"]},
        {"value": "b", "type": "y", "primary": True, "tags": ["green"]},
        {"value": "c"},
    ]
    path = made(ask, {"keys": keys, "lock": {"words": ["one", "two"]}})
    for text, count in (
        ('keys.tags eq "BLUE"', 1),
        ('keys[tags eq "blue" and type eq "x"]', 1),
        ('keys[tags eq "red" and tags eq "blue"]', 1),
        ('keys[tags eq "green" and type eq "x"]', 0),
        ('keys[type eq "y" and tags eq "blue"]', 0),
        ('keys[type eq "x" and tags ne "blue"]', 1),
        ('keys[type eq "y" and tags ne "green"]', 0),
        ('keys[type eq "x" and not (tags eq "blue")]', 0),
        ('keys[value eq "c" and tags pr]', 0),
        ("keys[tags pr or type pr]", 1),
        ('keys[not (tags pr) and value eq "a"]', 0),
        ('keys.tags[value sw "gr" and value ew "n"]', 1),
        ('keys.tags[value sw "gr" and value ew "d"]', 0),
        ('lock.words eq "two"', 1),
        ('lock[words eq "one" and words eq "two"]', 1),
    ):
        assert found(ask, text) == count, text
    assert ask("GET", "/Things?sortBy=keys.tags").body["totalResults"] == 1
    body = own(
        patch(
            ask,
            path,
            ("add", 'keys[tags eq "red"].tags', ["pink"]),
            ("replace", 'keys[type eq "y"].tags', "grey"),
            ("add", "lock.words", ["three"]),
            ("remove", 'lock.words[value eq "one"]'),
            ("add", 'keys[type eq "z"].tags', ["new"]),
        )
    )
    assert [one.get("tags") for one in body["keys"]] == [["red", "Blue", "pink"], ["grey"], None, ["new"]]
    assert body["lock"]["words"] == ["two", "three"]
    assert found(ask, 'keys[tags eq "grey" and type eq "y"]') == 1
    assert own(patch(ask, path, ("remove", 'keys[type eq "x"].tags')))["keys"][0] == {"value": "a", "type": "x"}
    assert own(patch(ask, path, ("remove", "keys.tags")))["keys"][1] == {"value": "b", "type": "y", "primary": True}
    assert_scim_error(patch(ask, path, ("remove", 'keys.tags[value eq "x"]')), 400, "invalidPath")
    assert_scim_error(patch(ask, path, ("add", "keys", [{"tags": [5.5]}])), 400, "invalidValue")
    many = {"value": "m", "tags": [str(number) for number in range(1025)]}
    assert_scim_error(patch(ask, path, ("add", "keys", [many])), 400, "invalidValue")


def test_who_a_manager_is_says_the_value_alone(ask: Api):
    manager = {"value": "boss", "$ref": "https://elsewhere/x", "displayName": "Boss"}
    path = made(ask, {"userName": "ann", ENTERPRISE_USER_URN: {"manager": manager}}, "/Users")
    assert own(ask("GET", path))[ENTERPRISE_USER_URN] == {"manager": {"value": "boss"}}
    other = patch(ask, path, ("replace", f"{ENTERPRISE_USER_URN}:manager", {**manager, "value": "other"}))
    assert other.body[ENTERPRISE_USER_URN] == {"manager": {"value": "other"}}
    assert_scim_error(patch(ask, path, ("replace", f"{ENTERPRISE_USER_URN}:manager.$ref", "x")), 400, "mutability")
    assert ENTERPRISE_USER_URN not in patch(ask, path, ("remove", f"{ENTERPRISE_USER_URN}:manager")).body


@pytest.mark.parametrize("query", ["", "?attributes=members", "?attributes=members.value", "?excludedAttributes=displayName"])
def test_empty_group_has_members_in_every_projection(ask: Api, query: str):
    path = made(ask, {"displayName": "g"}, "/Groups")
    assert ask("GET", path + query).body["members"] == []


def test_standards_own_schemas_can_be_those_of_other_types(ask: Api):
    person = {"userName": "ann", "emails": TWO[:1], STAFF: {"department": "d", "manager": {"value": "x"}}}
    path = made(ask, person | {"password": "hush", "groups": [{"value": "x"}]}, "/People")
    assert own(ask("GET", path)) == person
    assert found(ask, f'userName eq "ANN" and {STAFF}:manager.value eq "x"', "/People") == 1
    assert_scim_error(ask("POST", "/People", person), 409, "uniqueness")
    assert_scim_error(ask("POST", "/People/.search", {"filter": "groups pr"}), 400, "invalidFilter")
    # Those of a team are values like others, and no memberships, which groups alone have.
    members = [{"value": "nobody", "$ref": "https://x/Y", "type": "User"}, {"value": path.rpartition("/")[2]}]
    team = {"displayName": "t", "members": members}
    path = made(ask, team | {"members": [one | {"display": "d"} for one in members]}, "/Teams")
    assert own(ask("GET", path)) == team
    assert own(ask("GET", f"{path}?excludedAttributes=members")) == {"displayName": "t"}
    assert found(ask, 'members[value eq "NOBODY" and type eq "user"]', "/Teams") == 0
    assert found(ask, 'members[value eq "nobody" and $ref eq "https://x/Y"]', "/Teams") == 1
    assert own(patch(ask, path, ("remove", 'members[value eq "nobody"]')))["members"] == members[1:]
    assert_scim_error(patch(ask, path, ("replace", "members.value", "x")), 400, "mutability")


def test_discovery_shows_what_holds(ask: Api):
    shown = {one["name"]: one for one in ask("GET", f"/Schemas/{THING}").body["attributes"]}
    keys = {one["name"]: one for one in shown["keys"]["subAttributes"]}
    assert (keys["pin"]["mutability"], keys["pin"]["returned"]) == ("writeOnly", "never")
    assert (keys["$ref"]["caseExact"], keys["tags"]["multiValued"]) == (False, True)
