"""Where the operations of a bulk request may refer to each other, and how a create goes without a reference."""

from typing import Any

import pytest

from scimsvc.protocol.bulk import hopeless
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.filter import parse_path
from scimsvc.protocol.references import names_in, parted, resolved
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.documents import read_resource_types
from scimsvc.schema.model import ResourceType

TEAM, PLACE, BADGE = ("urn:example:2.0:Team", "urn:example:2.0:Place", "urn:example:2.0:Badge")
LEAD = {"name": "lead", "type": "reference", "referenceTypes": ["User"]}
DOCUMENTS: dict[str, Any] = {
    "Schemas": [
        {
            "id": TEAM,
            "attributes": [
                {"name": "name"},
                LEAD,
                {"name": "wiki", "type": "reference", "referenceTypes": ["external", "uri"]},
                {"name": "owner", "type": "reference", "referenceTypes": ["external", "User"], "mutability": "readOnly"},
                {"name": "friends", "type": "reference", "multiValued": True},
                {"name": "rivals", "type": "reference", "multiValued": True, "required": True},
                {"name": "founders", "type": "reference", "multiValued": True, "mutability": "immutable"},
            ],
        },
        {"id": PLACE, "attributes": [{"name": "room"}, {**LEAD, "name": "host", "required": True}]},
        {"id": BADGE, "attributes": [{"name": "number"}, {**LEAD, "name": "of"}]},
    ],
    "ResourceTypes": [
        {
            "name": "Team",
            "endpoint": "/Teams",
            "schema": TEAM,
            "schemaExtensions": [{"schema": PLACE, "required": False}, {"schema": BADGE, "required": True}],
        }
    ],
}
TEAM_TYPE = next(one for one in read_resource_types({"f.json": DOCUMENTS}) if one.name == "Team")


def operation(op: str, path: str | None, value: Any = None) -> dict[str, Any]:
    return {"Operations": [{"op": op, "path": path, "value": value}]}


@pytest.mark.parametrize(
    ("resource_type", "method", "body", "names"),
    [
        (GROUP_TYPE, "POST", {"Members": [{"VALUE": "bulkId:a"}, {"$ref": "../Users/bulkId:b/c"}]}, ["a", "b/c"]),
        (GROUP_TYPE, "PUT", {"displayName": "bulkId:made", "members": [{"value": "../bulkId:a"}, {"display": "bulkId:b"}]}, []),
        (USER_TYPE, "POST", {"roles": [{"value": "bulkId:a"}, {"value": "bulkId:made"}], "emails": "bulkId:made"}, ["made"]),
        (USER_TYPE, "POST", {"id": "bulkId:a", "groups": [{"value": "bulkId:a"}], "unknown": "bulkId:a"}, []),
        (TEAM_TYPE, "POST", {"lead": "https://x/Users/bulkId:a", "wiki": "bulkId:b", "owner": "bulkId:c"}, ["a"]),
        (
            TEAM_TYPE,
            "POST",
            {"wiki": "x/bulkId:made", "friends": ["bulkId:a", "bulkId:"], PLACE: {"host": "bulkId:b"}},
            ["made", "a", "b"],
        ),
        (GROUP_TYPE, "PATCH", operation("add", "members", {"value": "bulkId:a"}), ["a"]),
        (GROUP_TYPE, "PATCH", operation("add", None, {"members": [{"value": "bulkId:a"}], "displayName": "bulkId:made"}), ["a"]),
        (GROUP_TYPE, "PATCH", operation("remove", 'members[value eq "bulkId:a" or display eq "bulkId:b"]', "bulkId:c"), ["a"]),
        (GROUP_TYPE, "PATCH", operation("remove", 'members[type eq "x" and not ($ref eq "Users/bulkId:a")]'), ["a"]),
        (TEAM_TYPE, "PATCH", operation("replace", f"{PLACE}:host", "bulkId:a"), ["a"]),
        (TEAM_TYPE, "PATCH", operation("replace", PLACE, {"room": "bulkId:made", "host": "bulkId:a"}), ["a"]),
        (TEAM_TYPE, "PATCH", operation("replace", "name", "bulkId:made"), []),
        (TEAM_TYPE, "PATCH", operation("replace", "no such [path", "bulkId:made"), []),
        (TEAM_TYPE, "PATCH", {"Operations": ["bulkId:made", {"path": 5, "value": "bulkId:made"}]}, []),
    ],
)
def test_where_a_reference_may_stand(resource_type: ResourceType, method: str, body: Any, names: list[str]):
    assert names_in(resource_type, method, body, {"made"}) == names


def test_ids_come_in_the_place_of_references():
    ids = {"a": "1", "b/c": 'a"b'}
    body = {"displayName": "bulkId:a", "members": [{"value": "bulkId:a", "$ref": "../Users/bulkId:a"}, {"value": "bulkId:d"}]}
    assert resolved(GROUP_TYPE, "POST", body, ids) == {
        "displayName": "bulkId:a",
        "members": [{"value": "1", "$ref": "../Users/1"}, {"value": "bulkId:d"}],
    }
    path = 'members[(value eq "bulkId:b/c") or display eq "bulkId:a" and  value eq "bulkId:a"]'
    (found,) = resolved(GROUP_TYPE, "PATCH", operation("remove", path), ids)["Operations"]
    meant = r'members[(value eq "a\"b") or display eq "bulkId:a" and  value eq "1"]'
    assert parse_path(found["path"], GROUP_TYPE) == parse_path(meant, GROUP_TYPE)


def test_reference_is_resolved_in_elements_that_are_removed_by_value():
    members = [{"value": "bulkId:a"}, {"value": "b"}]
    request = Request("PATCH", GROUP_TYPE, {}, {"Operations": [{"op": "remove", "path": "members", "value": members}]})
    body = standardise(request).body
    assert names_in(GROUP_TYPE, "PATCH", body, {"a"}) == ["a"]
    (found,) = resolved(GROUP_TYPE, "PATCH", body, {"a": "1"})["Operations"]
    assert parse_path(found["path"], GROUP_TYPE) == parse_path('members[value eq "1" or value eq "b"]', GROUP_TYPE)


B = "bulkId:x"


@pytest.mark.parametrize(
    ("body", "create", "completion"),
    [
        ({"name": "n", "lead": B}, {"name": "n"}, [("lead", B)]),
        ({"friends": [B, "f"], "lead": "l"}, {"friends": ["f"], "lead": "l"}, [("friends", [B])]),
        ({"friends": [B]}, {}, [("friends", [B])]),
        ({"rivals": [B, "r"]}, {"rivals": ["r"]}, [("rivals", [B])]),
        ({"founders": [B, "f"]}, {}, [("founders", [B, "f"])]),
        ({PLACE: {"room": "r", "host": B}}, {}, [(PLACE, {"room": "r", "host": B})]),
        ({BADGE: {"number": "1", "of": B}}, {BADGE: {"number": "1"}}, [(f"{BADGE}:of", B)]),
        # What is required can't be left out, and neither can the only attribute of an extension that is.
        ({"rivals": [B]}, None, []),
        ({BADGE: {"of": B}}, None, []),
    ],
)
def test_a_create_goes_without_what_is_missing(body: Any, create: Any, completion: Any):
    found = parted(TEAM_TYPE, body, {"x"})
    if create is None:
        assert found is None
    else:
        operations = [{"op": "add", "path": path, "value": value} for path, value in completion]
        assert found is not None
        assert (found.create, found.completion) == (create, {"Operations": operations})


def test_what_can_not_be_carried_out_whatever_happens():
    needs = {0: ["b"], 1: ["a", "c"], 2: ["d", "no"], 3: [], 5: ["e"]}
    assert hopeless(needs, {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}) == {0: ["b"], 1: ["c", "a"], 2: ["no"], 5: ["e"]}
