"""Values in requests: one that is not understood is refused and takes nothing away; one that can mean one thing alone is read."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from scimsvc.schema.core import ENTERPRISE_USER_URN as ENT
from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.support.client import Answer, Client
from tests.support.errors import assert_scim_error
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

CUS = "urn:ietf:params:scim:schemas:extension:custom:2.0:User"
CUSTOM = {
    "tags": "{type: String, multiValued: true}",
    "numbers": "{type: Integer, multiValued: true}",
    "flags": "{type: Boolean, multiValued: true}",
    "badge": "{type: Integer}",
    "since": "{type: DateTime}",
    "contractor": "{type: Boolean}",
}
Ask = Callable[..., Answer]


@pytest.fixture
def ask(database: Database, tmp_path: Path) -> Any:
    """Requests to the application in this process; the tenant's profile is `entra` with custom attributes."""
    rows = [f"    - {{name: '{CUS}:{name}', {rest[1:]}" for name, rest in CUSTOM.items()]
    profile = (ROOT / "mappings" / "entra.yaml").read_text()
    (tmp_path / "entra.yaml").write_text(profile.replace("attributes: []", "attributes:\n" + "\n".join(rows) + "\n   "))
    settings = replace(Settings(), database=DatabaseSettings(database.url), mappings=MappingsSettings(tmp_path))
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant')}"}

    def send(method: str, path: str, body: Any = None) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return call(app, method, f"/api/scim/v2{path}".encode(), headers, data)

    yield send
    app.extensions["scimsvc"].database.close()


def made(ask: Ask, endpoint: str, body: dict[str, Any]) -> str:
    answer = ask("POST", endpoint, body)
    assert answer.status == 201, answer.raw
    return f"{endpoint}/{answer.body['id']}"


def stored(ask: Ask, path: str) -> dict[str, Any]:
    shown: dict[str, Any] = ask("GET", path).body
    return {name: value for name, value in shown.items() if name not in ("schemas", "id", "meta", "userName")}


def patched(ask: Ask, path: str, *operations: Any) -> Answer:
    return ask("PATCH", path, {"Operations": list(operations)})


def every_way(ask: Ask, path: str, name: str, value: Any) -> dict[str, Answer]:
    """The answers to all requests that set an attribute of a resource to a value; a create is of another resource."""
    endpoint = path.split("/")[1]
    whole = {"displayName": "g"} if endpoint == "Groups" else {"userName": "other"}
    urn, _, attribute = name.rpartition(":")
    body = {urn: {attribute: value}} if urn else {attribute: value}
    operations = [
        {"op": op, **rest}
        for op in ("add", "Replace")
        for rest in ({"path": name, "value": value}, {"value": body}, {"value": {name: value}})
    ]
    answers = {f"PATCH {one}": patched(ask, path, one) for one in operations}
    answers["PUT"] = ask("PUT", path, whole | body)
    answers["POST"] = ask("POST", f"/{endpoint}", whole | body)
    sent = [("PATCH", path, {"Operations": [operations[0]]}), ("PUT", path, whole | body), ("POST", f"/{endpoint}", whole | body)]
    bulk = ask("POST", "/Bulk", {"Operations": [{"method": m, "path": p, "data": d, "bulkId": m} for m, p, d in sent]})
    for outcome in bulk.body["Operations"]:
        answers[f"bulk {outcome['method']}"] = Answer(int(outcome["status"]), {}, json.dumps(outcome.get("response")).encode())
    return answers


USER: dict[str, Any] = {
    "name": {"givenName": "Ann", "familyName": "Lee"},
    "emails": [{"type": "work", "value": "a@x.com", "primary": True}],
    "addresses": [{"type": "work", "country": "NG"}],
    "roles": [{"value": "admin"}],
    ENT: {"department": "R&D", "manager": {"value": "1"}},
    CUS: {"tags": ["x"], "badge": 7},
}
NOT_UNDERSTOOD: list[tuple[str, Any, str]] = [
    ("emails", [{"address": "n@x.com"}], "emails[0] has the unknown key 'address'"),
    ("emails", {"address": "n@x.com"}, "emails[0] has the unknown key 'address'"),
    ("emails", [{"value": "b@x.com"}, {"valu": "c@x.com"}], "emails[1] has the unknown key 'valu', did you mean 'value'?"),
    ("emails", [{}], "emails[0] has no value; at least one of value, display, type, primary is required"),
    ("emails", {}, "emails[0] has no value"),
    ("emails", [{"value": None}], "emails[0] has no value"),
    ("emails", [{"type": "", "value": ""}], "emails[0] has no value"),
    ("emails", {"work": "a@x.com"}, "emails[0] has the unknown key 'work'"),
    ("emails", [None], "emails[0] must be an object"),
    ("emails", [[]], "emails[0] must be an object"),
    ("addresses", [{"city": "Lagos"}], "addresses[0] has the unknown key 'city'"),
    ("addresses", "Lagos", "addresses[0] must be an object"),
    ("roles", [{"id": "1"}], "roles[0] has the unknown key 'id'"),
    ("photos", [{"url": "https://x"}], "photos[0] has the unknown key 'url'"),
    ("name", {"first": "x"}, "name has the unknown key 'first'"),
    ("name", {"famlyName": "x"}, "did you mean 'familyName'?"),
    ("name", [{"first": "x"}], "name has the unknown key 'first'"),
    ("name", "x", "name must be an object"),
    ("title", [None], "title must be a string, not an array"),
    ("title", [[]], "title must be a string, not an array"),
    ("name", [[]], "name must be an object, not an array"),
    ("active", [[]], "active must be true or false, not an array"),
    (f"{ENT}:manager", [[]], f"{ENT}:manager must be an object, not an array"),
    (f"{ENT}:department", [[]], f"{ENT}:department must be a string, not an array"),
    (f"{CUS}:badge", [[]], f"{CUS}:badge must be a whole number"),
    (f"{CUS}:tags", [[]], f"{CUS}:tags[0] must be a string, not an array"),
    ("title", {"text": "x"}, "title must be a string, not an object"),
    ("active", {"enabled": True}, "active must be true or false, not an object"),
    (f"{ENT}:manager", {"id": "2"}, f"{ENT}:manager has the unknown key 'id'"),
    (f"{ENT}:manager", {"displayName": "Bob"}, f"{ENT}:manager has only displayName, which only the server writes"),
    (f"{CUS}:tags", [{"name": "y"}], f"{CUS}:tags[0] must be a string, not an object"),
    (f"{CUS}:tags", [None], f"{CUS}:tags[0] must be a string, not null"),
]


@pytest.mark.parametrize(("name", "value", "message"), NOT_UNDERSTOOD)
def test_value_that_is_not_understood_is_refused_and_changes_nothing(ask: Ask, name: str, value: Any, message: str):
    path = made(ask, "/Users", {"userName": "ann", **USER})
    before = ask("GET", path).raw
    for way, answer in every_way(ask, path, name, value).items():
        assert answer.status == 400, (way, answer.raw)
        assert answer.body["scimType"] == "invalidValue"
        assert message in answer.body["detail"], (way, answer.body["detail"])
        assert ask("GET", path).raw == before, way
    assert ask("GET", "/Users").body["totalResults"] == 1


@pytest.mark.parametrize("value", [[None], [[]], [[], []], {"value": [[]]}, [{"value": [None]}]])
@pytest.mark.parametrize("target", ["emails[value pr]", "emails[value pr].value", "emails.value", f'{CUS}:tags[value eq "x"]'])
@pytest.mark.parametrize("op", ["add", "replace"])
def test_array_without_a_value_changes_no_element(ask: Ask, op: str, target: str, value: Any):
    path = made(ask, "/Users", {"userName": "ann", **USER})
    before = ask("GET", path).raw
    assert_scim_error(patched(ask, path, {"op": op, "path": target, "value": value}), 400, "invalidValue")
    assert ask("GET", path).raw == before


@pytest.mark.parametrize(
    "value",
    [
        [{"id": "{ann}"}],
        [{"value": "{ann}"}, {"id": "{bob}"}],
        [{"Id": "{ann}"}, {"value": "{bob}"}],
        {"id": "{ann}"},
        {"members": [{"value": "{bob}"}]},
        [{}],
        {},
        [{"value": None}],
        [{"value": ""}],
        {"value": None},
        [""],
        [None],
        [{"display": "Ann"}],
        [{"$ref": "https://x/Users/{ann}"}],
        [{"type": "User"}],
        [["{bob}"]],
        "no-such-id",
        False,
    ],
)
def test_mistake_in_members_never_empties_a_group(ask: Ask, value: Any):
    ids = {name: made(ask, "/Users", {"userName": name}).rpartition("/")[2] for name in ("ann", "bob")}
    sent = json.loads(json.dumps(value).replace("{ann}", ids["ann"]).replace("{bob}", ids["bob"]))
    path = made(ask, "/Groups", {"displayName": "staff", "members": [{"value": ids["ann"]}]})
    before = ask("GET", path).raw
    for way, answer in every_way(ask, path, "members", sent).items():
        assert answer.status == 400, (way, answer.raw)
        assert answer.body["scimType"] == "invalidValue"
        assert "members" in answer.body["detail"]
        assert ask("GET", path).raw == before, way
    assert ask("GET", "/Groups").body["totalResults"] == 1


@pytest.mark.parametrize(
    ("path", "before"),
    [
        ("members", None),
        *((name, value) for name, value in USER.items() if name not in (ENT, CUS)),
        *((f"{urn}:{name}", value) for urn in (ENT, CUS) for name, value in USER[urn].items()),
        ('emails[type eq "work"].value', ...),
        ('emails[type eq "work"]', ...),
        ("name.givenName", ...),
        (ENT, ...),
        (None, ...),
    ],
)
@pytest.mark.parametrize(
    ("op", "member"),
    [
        *product(["add", "Replace"], [None, "values", "val", "members", "data"]),
        # A remove needs no value, so only one that has a misspelt value is refused.
        *product(["remove"], ["values", "val", "members", "data"]),
    ],
)
def test_operation_without_value_takes_nothing_away(ask: Ask, op: str, path: str | None, before: Any, member: str | None):
    if path == "members":
        ann = made(ask, "/Users", {"userName": "ann"}).rpartition("/")[2]
        resource = made(ask, "/Groups", {"displayName": "staff", "members": [{"value": ann}]})
    else:
        resource = made(ask, "/Users", {"userName": "ann", **USER})
    was = ask("GET", resource).raw
    operation = {"op": op} | ({"path": path} if path else {}) | ({member: [{"value": "x"}]} if member else {})
    answer = patched(ask, resource, operation)
    assert_scim_error(answer, 400, "invalidValue")
    assert "value" in answer.body["detail"]
    assert not member or f"The member {member!r} is unknown" in answer.body["detail"]
    assert ask("GET", resource).raw == was


def test_operation_has_its_value_in_any_case_and_may_have_a_name(ask: Ask):
    path = made(ask, "/Users", {"userName": "ann", **USER})
    assert patched(ask, path, {"OP": "replace", "Path": "title", "VALUE": "Boss", "name": "x"}).body["title"] == "Boss"
    assert "title" not in patched(ask, path, {"op": "remove", "path": "title", "name": "x", "comment": None}).body


@pytest.mark.parametrize("nothing", [[], None, ""])
@pytest.mark.parametrize("name", ["emails", "addresses", "roles", f"{CUS}:tags", "name", "title", f"{ENT}:manager"])
def test_nothing_removes_what_is_optional(ask: Ask, name: str, nothing: Any):
    urn, _, attribute = name.rpartition(":")
    for way in ("path", "dotted", "object", "PUT"):
        path = made(ask, "/Users", {"userName": f"{name}{way}"[-60:], "title": "Boss", **USER})
        body = {urn: {attribute: nothing}} if urn else {attribute: nothing}
        operations = {
            "path": {"op": "replace", "path": name, "value": nothing},
            "dotted": {"op": "replace", "value": {name: nothing}},
            "object": {"op": "replace", "value": body},
        }
        if way == "PUT":
            answer = ask("PUT", path, {"userName": f"{name}{way}"[-60:], **USER, **body})
        else:
            answer = patched(ask, path, operations[way])
        assert answer.status == 200, (way, answer.raw)
        assert attribute not in (answer.body.get(urn, {}) if urn else answer.body), way


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ('emails[type eq "work"].value', '"emails": [{…}]'),
        ('Emails[type eq "[a]"]', '"emails": [{…}]'),
        ("emails.value", '"emails": [{…}]'),
        ("urn:ietf:params:scim:schemas:core:2.0:User:emails.value", '"emails": [{…}]'),
        ('name[givenName eq "Ann"].familyName', '"name": {…}'),
        (f'{CUS}:tags[value eq "x"]', f'"tags": […] in the object {CUS!r}'),
        ('tags[value eq "x"]', f'"tags": […] in the object {CUS!r}'),
    ],
)
def test_name_that_leads_into_elements_is_refused_in_a_resource(ask: Ask, name: str, right: str):
    path = made(ask, "/Users", {"userName": "ann", **USER})
    before = ask("GET", path).raw
    for method, to, user_name in (("PUT", path, "ann"), ("POST", "/Users", "bob")):
        answer = ask(method, to, {"userName": user_name, name: "x"})
        assert_scim_error(answer, 400, "invalidValue")
        assert f"In a resource send {right}" in answer.body["detail"]
        assert ask(method, to, {"userName": user_name, **USER, name: None}).status in (200, 201)
    assert ask("GET", path).body["emails"] == json.loads(before)["emails"]


def test_display_of_a_role_is_kept_beside_an_empty_display_name(ask: Ask):
    path = made(ask, "/Users", {"userName": "ann", "roles": [{"value": "admin", "display": "Admin", "displayName": None}]})
    assert stored(ask, path) == {"roles": [{"value": "admin", "display": "Admin"}]}


def test_known_keys_beside_unknown_ones_are_kept(ask: Ask):
    role = {"id": "1", "value": "admin", "displayName": "Admin"}
    path = made(ask, "/Users", {"userName": "ann", "roles": [role], "name": {"givenName": "A", "first": "x"}})
    assert stored(ask, path) == {"roles": [{"value": "admin", "display": "Admin"}], "name": {"givenName": "A"}}


@pytest.mark.parametrize("unknown", [{"member": [{"value": "{ann}"}]}, {"Memebrs": ["{ann}"]}, {"users": ["{ann}"]}, {"x": 0}])
def test_put_with_an_unknown_attribute_does_not_empty_a_group(ask: Ask, unknown: Any):
    ann = made(ask, "/Users", {"userName": "ann"}).rpartition("/")[2]
    path = made(ask, "/Groups", {"displayName": "staff", "members": [{"value": ann}]})
    before = ask("GET", path).raw
    body = {"displayName": "crew", **json.loads(json.dumps(unknown).replace("{ann}", ann))}
    answer = ask("PUT", path, body)
    assert_scim_error(answer, 400, "invalidValue")
    assert f"the unknown attribute {next(iter(unknown))!r}" in answer.body["detail"]
    bulk = ask("POST", "/Bulk", {"Operations": [{"method": "PUT", "path": path, "data": body}]})
    assert bulk.body["Operations"][0]["status"] == "400"
    assert ask("GET", path).raw == before
    assert ask("PUT", path, body | {"members": [{"value": ann}]}).body["members"][0]["value"] == ann
    assert ask("PUT", path, body | {"members": []}).body["members"] == []
    assert ask("PUT", path, body).body["displayName"] == "crew"


@pytest.mark.parametrize(
    "urn", ["urn:scim:schemas:extension:enterprise:2.0", ENT.removesuffix(":User"), ENT.replace(":User", "User")]
)
def test_enterprise_extension_is_read_under_its_former_urns(ask: Ask, urn: str):
    path = made(ask, "/Users", {"userName": "ann", "schemas": [urn], urn: {"department": "Sales"}})
    assert stored(ask, path) == {ENT: {"department": "Sales"}}
    assert ask("PUT", path, {"userName": "ann", urn: {"department": "IT"}}).body[ENT] == {"department": "IT"}
    assert patched(ask, path, {"op": "add", "value": {urn: {"division": "D"}}}).body[ENT] == {"department": "IT", "division": "D"}
    assert patched(ask, path, {"op": "remove", "path": f"{urn}:division"}).body[ENT] == {"department": "IT"}
    assert_scim_error(ask("PUT", path, {"userName": "ann", urn: {"dept": "IT"}}), 400, "invalidValue")


def test_schemas_of_a_patch(ask: Ask):
    path = made(ask, "/Users", {"userName": "ann"})
    added = {"op": "add", "path": "schemas", "value": [ENT]}
    department = {"op": "add", "path": f"{ENT}:department", "value": "IT"}
    answer = ask("PATCH", path, {"schemas": [], "Operations": [added, department]})
    assert (answer.status, answer.body[ENT], ENT in answer.body["schemas"]) == (200, {"department": "IT"}, True)
    for operation in ({**added, "value": ["urn:x"]}, {**added, "op": "replace"}, {"op": "remove", "path": "schemas"}):
        assert_scim_error(patched(ask, path, operation), 400, "mutability")


READ: list[tuple[str, Any, Any]] = [
    # Lists of simple values, and one value for an array.
    (f"{CUS}:tags", "one", ["one"]),
    (f"{CUS}:tags", {"value": "one"}, ["one"]),
    (f"{CUS}:tags", [{"value": "one"}, "two", {"Value": "three", "$ref": None}], ["one", "two", "three"]),
    (f"{CUS}:tags", [1, -2], ["1", "-2"]),
    (f"{CUS}:numbers", ["1", {"value": "-2"}, 3.0, "4e2"], [1, -2, 3, 400]),
    (f"{CUS}:numbers", "17", [17]),
    (f"{CUS}:flags", ["True", False, {"value": "FALSE"}], [True, False]),
    ("emails", {"value": "n@x.com"}, [{"value": "n@x.com"}]),
    ("emails", "n@x.com", [{"value": "n@x.com"}]),
    ("emails", {"value": "n@x.com", "primary": "True"}, [{"value": "n@x.com", "primary": True}]),
    ("addresses", {"country": "NG"}, [{"country": "NG"}]),
    ("roles", ["admin", {"value": 5}], [{"value": "admin"}, {"value": "5"}]),
    # One value in an array, and in an object.
    ("title", ["Boss"], "Boss"),
    ("title", {"value": "Boss"}, "Boss"),
    ("title", [{"$ref": None, "Value": "Boss"}], "Boss"),
    ("name", [{"givenName": "Ann"}], {"givenName": "Ann"}),
    (f"{ENT}:manager", [{"value": "2"}], {"value": "2"}),
    (f"{ENT}:manager", {"value": 2}, {"value": "2"}),
    # Numbers and booleans as strings, and the reverse.
    ("active", "FALSE", False),
    (f"{CUS}:contractor", [{"value": "True"}], True),
    (f"{CUS}:badge", "17", 17),
    (f"{CUS}:badge", "-17", -17),
    (f"{CUS}:badge", 17.0, 17),
    (f"{CUS}:badge", "17.0", 17),
    (f"{CUS}:badge", "9223372036854775807", 9223372036854775807),
    (f"{CUS}:badge", {"value": "17"}, 17),
    (f"{ENT}:employeeNumber", 12345, "12345"),
    ("title", 0, "0"),
    ("name", {"givenName": 7}, {"givenName": "7"}),
]


@pytest.mark.parametrize(("name", "value", "expected"), READ)
def test_value_that_can_mean_one_thing_alone_is_read(ask: Ask, name: str, value: Any, expected: Any):
    urn, _, attribute = name.rpartition(":")
    body = {urn: {attribute: value}} if urn else {attribute: value}
    operations = [
        {"op": op, **rest}
        for op in ("add", "Replace")
        for rest in ({"path": name, "value": value}, {"value": body}, {"value": {name: value}})
    ]
    requests: list[Any] = [
        ("POST", "/Users", body),
        *(("PATCH", None, {"Operations": [one]}) for one in operations),
        ("PUT", None, body),
    ]
    for position, (method, path, sent) in enumerate(requests):
        whole = {"userName": f"ann{position}"}
        target = path or made(ask, "/Users", whole)
        full = sent if method == "PATCH" else whole | sent
        for in_bulk in (False, True):
            if in_bulk and not path:
                outcome = ask("POST", "/Bulk", {"Operations": [{"method": method, "path": target, "data": full}]}).body[
                    "Operations"
                ]
                assert outcome[0]["status"] == "200", (sent, outcome)
            elif not in_bulk:
                answer = ask(method, target, full)
                assert answer.status in (200, 201), (sent, answer.raw)
                target = f"/Users/{answer.body['id']}"
            shown = stored(ask, target)
            assert json.dumps((shown.get(urn) or {}).get(attribute) if urn else shown[attribute]) == json.dumps(expected), sent


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (f"{CUS}:badge", "007", 'badge must be a whole number of at most 64 bits, not "007"'),
        (f"{CUS}:badge", "1.5", 'badge must be a whole number of at most 64 bits, not "1.5"'),
        (f"{CUS}:badge", 1.5, "badge must be a whole number of at most 64 bits, not 1.5"),
        (f"{CUS}:badge", "9223372036854775808", "badge must be a whole number"),
        (f"{CUS}:badge", "1e999", "badge must be a whole number"),
        (f"{CUS}:badge", True, "badge must be a whole number of at most 64 bits, not true"),
        (f"{CUS}:badge", "x" * 1000, 'badge must be a whole number of at most 64 bits, not "' + "x" * 63 + "…"),
        (f"{CUS}:numbers", ["1", "one"], 'numbers[1] must be a whole number of at most 64 bits, not "one"'),
        (f"{CUS}:since", 5, "since must be a date and time such as 2026-01-31T08:30:00Z, not 5"),
        ("active", "yes", 'active must be true or false, not "yes"'),
        ("active", 1, "active must be true or false, not 1"),
        ("title", 1.5, "title must be a string, not 1.5"),
        ("title", True, "title must be a string, not true"),
        ("roles", [5], "roles[0] must be an object, not 5"),
        ("emails", [{"value": "a@x.com", "primary": "no"}], 'emails[0].primary must be true or false, not "no"'),
    ],
)
def test_value_in_doubt_is_refused_with_attribute_value_and_type(ask: Ask, name: str, value: Any, message: str):
    path = made(ask, "/Users", {"userName": "ann", "title": "Boss", **USER})
    before = ask("GET", path).raw
    for way, answer in every_way(ask, path, name, value).items():
        assert answer.status == 400, (way, answer.raw)
        assert (answer.body["scimType"], message in answer.body["detail"]) == ("invalidValue", True), (way, answer.body["detail"])
        assert ask("GET", path).raw == before


def test_filters_read_numbers_and_booleans_as_strings(ask: Ask):
    body = {"badge": 17, "contractor": True, "numbers": [1, 2], "flags": [True], "tags": ["5"]}
    path = made(ask, "/Users", {"userName": "ann", "active": True, CUS: body, ENT: {"employeeNumber": "12345"}})
    for text in (
        f'{CUS}:badge eq "17"',
        f"{CUS}:badge eq 17.0",
        f'{CUS}:badge eq "17.0"',
        f'{CUS}:badge gt "16"',
        f'{CUS}:contractor eq "True"',
        f'{CUS}:numbers eq "2"',
        f'{CUS}:numbers[value eq "2"]',
        f'{CUS}:flags eq "TRUE"',
        f'{CUS}:flags[value eq "true"]',
        f"{CUS}:tags eq 5",
        f"{CUS}:tags[value eq 5]",
        f"{ENT}:employeeNumber eq 12345",
        'active eq "True"',
    ):
        found = ask("POST", "/Users/.search", {"filter": text})
        assert (found.status, found.body.get("totalResults")) == (200, 1), (text, found.raw)
    assert_scim_error(ask("POST", "/Users/.search", {"filter": f'{CUS}:badge eq "017"'}), 400, "invalidFilter")
    left = patched(ask, path, {"op": "remove", "path": f"{CUS}:numbers", "value": ["1"]}).body[CUS]
    assert left["numbers"] == [2]
    left = patched(ask, path, {"op": "remove", "path": f"{CUS}:tags", "value": [{"value": 5}]}).body[CUS]
    assert "tags" not in left
    assert "flags" not in patched(ask, path, {"op": "remove", "path": f'{CUS}:flags[value eq "True"]'}).body[CUS]


def test_element_by_filter_may_be_in_an_array_of_one(ask: Ask):
    path = made(ask, "/Users", {"userName": "ann", "emails": [{"type": "work", "value": "a@x.com"}]})
    operation = {"op": "replace", "path": 'emails[type eq "work"]', "value": [{"value": "b@x.com"}]}
    assert patched(ask, path, operation).body["emails"] == [{"type": "work", "value": "b@x.com"}]
    assert_scim_error(patched(ask, path, {**operation, "value": {}}), 400, "invalidValue")
    assert_scim_error(patched(ask, path, {**operation, "value": {"address": "x"}}), 400, "invalidValue")
    two = [{"value": "b@x.com"}, {"value": "c@x.com"}]
    assert_scim_error(patched(ask, path, {**operation, "value": two}), 400, "invalidValue")


@pytest.mark.parametrize(
    ("name", "have", "added", "expected"),
    [
        ("roles", [{"value": "admin", "display": "Admin"}], ["admin"], [{"value": "admin", "display": "Admin"}]),
        ("roles", [{"value": "admin"}], [{"value": "ADMIN", "display": "A"}], [{"value": "admin", "display": "A"}]),
        (
            "emails",
            [{"type": "work", "value": "a@x.com", "primary": True}],
            [{"type": "Work", "value": "A@x.com"}],
            [{"type": "work", "value": "a@x.com", "primary": True}],
        ),
        (
            "emails",
            [{"type": "work", "value": "a@x.com"}, {"type": "home", "value": "b@x.com", "primary": True}],
            [{"type": "work", "value": "a@x.com", "primary": True}],
            [{"type": "work", "value": "a@x.com", "primary": True}, {"type": "home", "value": "b@x.com", "primary": False}],
        ),
        (
            "emails",
            [{"type": "work", "value": "a@x.com"}],
            [{"type": "home", "value": "a@x.com"}, {"value": "a@x.com"}],
            [{"type": "work", "value": "a@x.com"}, {"type": "home", "value": "a@x.com"}, {"value": "a@x.com"}],
        ),
        (
            "addresses",
            [{"country": "NG", "locality": "Lagos"}],
            [{"locality": "LAGOS", "country": "ng", "primary": True}, {"country": "NG"}],
            [{"country": "NG", "locality": "Lagos", "primary": True}, {"country": "NG"}],
        ),
        (f"{CUS}:tags", ["red", "Blue"], ["blue", "green"], ["red", "Blue", "green"]),
        (f"{CUS}:numbers", [1], ["1", 2], [1, 2]),
    ],
)
def test_value_that_is_there_is_not_added_again(ask: Ask, name: str, have: Any, added: Any, expected: Any):
    urn, _, attribute = name.rpartition(":")
    wrapped = (lambda value: {urn: {attribute: value}}) if urn else (lambda value: {attribute: value})
    for way in ("add", "pathless", "POST", "PUT", "replace"):
        path = made(ask, "/Users", {"userName": way, **wrapped(have)})
        # In one list two primary values are a mistake, so only an add takes the mark from another.
        both = [{**one, "primary": False} if isinstance(one, dict) and one.get("primary") else one for one in have] + added
        requests: dict[str, Any] = {
            "add": ("PATCH", path, {"Operations": [{"op": "add", "path": name, "value": added}]}),
            "pathless": ("PATCH", path, {"Operations": [{"op": "add", "value": wrapped(added)}]}),
            "POST": ("POST", "/Users", {"userName": "other", **wrapped(both)}),
            "PUT": ("PUT", path, {"userName": way, **wrapped(both)}),
            "replace": ("PATCH", path, {"Operations": [{"op": "replace", "path": name, "value": both}]}),
        }
        answer = ask(*requests[way])
        assert answer.status in (200, 201), answer.raw
        shown = answer.body[urn][attribute] if urn else answer.body[attribute]
        plain = [{key: one[key] for key in one if key != "primary"} if isinstance(one, dict) else one for one in shown]
        assert plain == [{key: one[key] for key in one if key != "primary"} if isinstance(one, dict) else one for one in expected]
        if way in ("add", "pathless"):
            assert shown == expected
            version = answer.body["meta"]["version"]
            assert ask(*requests[way]).body["meta"]["version"] == version


@pytest.mark.parametrize(
    "element", [{"value": "a@x.com", "Value": "b@x.com"}, {"type": "work", "TYPE": "home", "value": "a@x.com"}]
)
def test_key_in_two_cases_with_two_values_is_refused(client: Client, element: dict[str, str]):
    refused = client.post("/Users", {"userName": "u", "emails": [element]})
    assert_scim_error(refused, 400, "invalidValue")
    assert "is there twice with different values" in refused.body["detail"]
    same = {**dict.fromkeys(element, "work"), "value": "a@x.com"} if "TYPE" in element else dict.fromkeys(element, "a@x.com")
    assert client.post("/Users", {"userName": "u", "emails": [same]}).status == 201
