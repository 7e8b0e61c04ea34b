"""What of a resource is answered, which page of them, and in which version."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.etag import etag, matches, require
from scimsvc.protocol.members import Change, RemoveWhere, member_ids, steps
from scimsvc.protocol.messages import list_response, parse_query
from scimsvc.protocol.patch import parse_operations
from scimsvc.protocol.projection import parse_projection, project
from scimsvc.schema.core import ENTERPRISE_USER_URN, GROUP_TYPE, USER_TYPE, USER_URN

ANN: dict[str, Any] = {
    "schemas": [USER_URN],
    "id": "1",
    "userName": "ann",
    "title": "Boss",
    "name": {"givenName": "Ann", "familyName": "Lee"},
    "emails": [{"type": "work", "value": "w@x"}, {"value": "h@x"}],
    ENTERPRISE_USER_URN: {"department": "IT", "manager": {"value": "2"}},
    "meta": {"resourceType": "User", "version": 'W/"1"'},
}


@pytest.mark.parametrize(
    ("attributes", "excluded", "names"),
    [
        (None, None, list(ANN)),
        ("title", None, ["schemas", "id", "title"]),
        ("TITLE, name.givenName", None, ["schemas", "id", "title", "name"]),
        ("emails.value", None, ["schemas", "id", "emails"]),
        (f"{USER_URN}:title", None, ["schemas", "id", "title"]),
        (f"{ENTERPRISE_USER_URN}", None, ["schemas", "id", ENTERPRISE_USER_URN]),
        ("meta", None, ["schemas", "id", "meta"]),
        ("unknown", None, ["schemas", "id"]),
        ("", None, list(ANN)),
        (", ,", ",", list(ANN)),
        (None, "emails,meta", [name for name in ANN if name not in ("emails", "meta")]),
        (None, "id,schemas", list(ANN)),
        (None, "unknown", list(ANN)),
    ],
)
def test_attributes_that_are_asked_for_are_answered(attributes: str | None, excluded: str | None, names: list[str]):
    assert list(project(USER_TYPE, ANN, parse_projection(USER_TYPE, attributes, excluded))) == names


@pytest.mark.parametrize(
    ("attributes", "excluded", "name", "value"),
    [
        ("name.givenName", None, "name", {"givenName": "Ann"}),
        ("emails.value", None, "emails", [{"value": "w@x"}, {"value": "h@x"}]),
        ("emails.type", None, "emails", [{"type": "work"}]),
        (f"{ENTERPRISE_USER_URN}:manager", None, ENTERPRISE_USER_URN, {"manager": {"value": "2"}}),
        (None, "emails.value", "emails", [{"type": "work"}]),
        (None, f"{ENTERPRISE_USER_URN}:manager.value", ENTERPRISE_USER_URN, {"department": "IT"}),
    ],
)
def test_parts_of_attributes_can_be_asked_for(attributes: str | None, excluded: str | None, name: str, value: Any):
    assert project(USER_TYPE, ANN, parse_projection(USER_TYPE, attributes, excluded))[name] == value


NAMES = ["id", "userName", "title", "name", "name.givenName", "emails", "emails.type", ENTERPRISE_USER_URN, "meta", "x"]
SOME = st.none() | st.lists(st.sampled_from(NAMES), max_size=4).map(",".join)


@settings(max_examples=100, deadline=None)
@given(SOME, SOME)
def test_projection_only_leaves_out_and_does_so_once(attributes: str | None, excluded: str | None):
    projection = parse_projection(USER_TYPE, attributes, excluded)
    once = project(USER_TYPE, ANN, projection)
    assert {"schemas", "id"} <= once.keys() <= ANN.keys()
    assert project(USER_TYPE, once, projection) == once
    for name in ANN:
        assert projection.wants(name) or name not in once or name in ("schemas", "id")


@pytest.mark.parametrize(
    ("parameters", "page"),
    [
        ({}, (1, 200)),
        ({"startindex": "3", "count": "5"}, (3, 5)),
        ({"startindex": "0", "count": "-1"}, (1, 0)),
        ({"startindex": "-7", "count": "9999"}, (1, 200)),
        ({"startindex": "", "count": " "}, (1, 200)),
        ({"startindex": "+2"}, (2, 200)),
        ({"startindex": "9999999999", "count": "9" * 5000}, (9999999999, 200)),
        ({"startindex": "9" * 5000, "count": "-" + "9" * 5000}, (10**15 - 1, 0)),
    ],
)
def test_page_is_what_the_standard_makes_of_the_parameters(parameters: dict[str, str], page: tuple[int, int]):
    query = parse_query(USER_TYPE, parameters, 200)
    assert (query.start_index, query.count) == page


@pytest.mark.parametrize("text", ["x", "1.5", "1e3", "0x1", "\u0661", "1_0", "--1"])
@pytest.mark.parametrize("name", ["startIndex", "count"])
def test_page_that_is_no_number_is_refused(name: str, text: str):
    with pytest.raises(ScimError, match=f"The parameter {name} must be a whole number") as caught:
        parse_query(USER_TYPE, {name.lower(): text}, 200)
    assert caught.value.scim_type == "invalidValue"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2), max_size=3), st.integers(0, 10**9))
def test_list_response_is_json_around_its_resources(resources: list[dict[str, str]], total: int):
    answer = orjson.loads(list_response([orjson.dumps(one) for one in resources], total, 7))
    assert answer == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": 7,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


@pytest.mark.parametrize(
    ("header", "version", "matching"),
    [
        ('W/"3"', "3", True),
        ('"3"', "3", True),
        ("*", "3", True),
        (' W/"1", W/"3"', "3", True),
        ('W/"33"', "3", False),
        ("3", "3", False),
        ("", "3", False),
        ('W/"3-0123abcd"', "3-0123abcd", True),
        ('W/"3"', "3-0123abcd", False),
    ],
)
def test_entity_tag_matches_its_version(header: str, version: str, matching: bool):
    assert matches(header, version) is matching
    assert matches(etag(version), version)


def test_precondition_counts_the_resource_itself_and_not_its_groups():
    require(None, "3")
    require("*", "3")
    require('W/"3"', "3")
    require('W/"3-0123abcd"', "3")
    for header in ('W/"2"', 'W/"2-0123abcd"', "", "x"):
        with pytest.raises(ScimError, match='its version is now W/"3"') as caught:
            require(header, "3")
        assert caught.value.status == 412
    require(None, "3", 'W/"2"')
    for header in ("*", 'W/"3"', 'W/"3-0123abcd"'):
        with pytest.raises(ScimError, match='in the version W/"3", which If-None-Match rules out') as caught:
            require(None, "3", header)
        assert caught.value.status == 412


def members(*operations: dict[str, Any]) -> list[Any]:
    return steps(parse_operations(GROUP_TYPE, {"Operations": list(operations)}))


def change(op: str, *ids: str) -> dict[str, Any]:
    return {"op": op, "path": "members", "value": [{"value": id_} for id_ in ids]}


def test_operations_on_members_become_as_few_steps_as_their_order_allows():
    remove = {"op": "remove", "path": 'members[value eq "b" or value eq "c"]'}
    assert members(change("add", "a", "b"), change("add", "c", "a")) == [Change(add=dict.fromkeys("abc"))]
    assert members(change("add", "a", "b"), remove) == [Change(add={"a": None}, remove=dict.fromkeys("bc"))]
    assert members(remove, change("add", "b")) == [Change(add={"b": None}, remove={"c": None})]
    assert members(change("add", "a"), change("replace", "b")) == [Change(clear=True, add={"b": None})]
    assert members({"op": "remove", "path": "members"}) == [Change(clear=True)]
    chosen = {"op": "remove", "path": 'members[type eq "User"]'}
    first, second, third = members(change("add", "a"), chosen, change("add", "b"))
    assert (first, third) == (Change(add={"a": None}), Change(add={"b": None}))
    assert isinstance(second, RemoveWhere)


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "replace", "path": 'members[value eq "a"]', "value": {"value": "b"}}, "mutability"),
        ({"op": "replace", "path": 'members[value eq "a"].value', "value": "b"}, "mutability"),
        ({"op": "add", "path": "members", "value": [{"type": "User"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": "x" * 257}]}, "invalidValue"),
        ({"op": "remove", "path": "members[" + 'value co "a" or ' * 20 + "type pr]"}, "tooMany"),
    ],
)
def test_members_come_and_go_and_never_change(operation: dict[str, Any], scim_type: str):
    with pytest.raises(ScimError) as caught:
        members(operation)
    assert caught.value.scim_type == scim_type


NAMELESS = [
    "",
    " ",
    "\t\n",
    "\u00a0",
    "\u200b",
    "[]",
    "{}",
    "null",
    "[null]",
    " [ ] ",
    '""',
    '"a"',
    "true",
    '[{"value": "a"}]',
    '["a"]',
]


@pytest.mark.parametrize("name", NAMELESS)
def test_text_that_names_no_member_is_refused(name: str):
    value, quoted = [{"value": "a"}, {"value": name}], json.dumps(name)
    paths = ("value eq {}", 'value eq "a" or value eq {}', 'value eq {} and type eq "User"', "not (value eq {})")
    operations = [
        *({"op": op, "path": "members", "value": value} for op in ("add", "replace")),
        *({"op": op, "value": {"members": value}} for op in ("add", "replace")),
        *({"op": "remove", "path": f"members[{path.format(quoted)}]"} for path in paths),
    ]
    for operation in operations:
        with pytest.raises(ScimError) as caught:
            members(operation)
        assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue"), operation
    with pytest.raises(ScimError, match=r"names no member\. Send the id of a User or Group"):
        member_ids(value)


@pytest.mark.parametrize(
    "name", ["17", "Null", "{3f2504e0-4f89-11d3-9a0c-0305e82c3301}", "[x", "nullable", "true-north", "(a)", "ä", "-"]
)
def test_external_id_that_only_looks_odd_names_a_member(name: str):
    assert members(change("add", name)) == [Change(add={name: None})]
    assert members({"op": "remove", "path": f"members[value eq {json.dumps(name)}]"}) == [Change(remove={name: None})]


def test_paths_that_look_at_all_members_are_counted_over_all_operations():
    by_name = [{"op": "remove", "path": f'members[value co "{number}"]'} for number in range(21)]
    by_id = [{"op": "remove", "path": f'members[value eq "{number}" and type eq "User"]'} for number in range(1000)]
    assert len(members(*by_name[1:], *by_id, change("add", "x" * 256))) == 1021
    with pytest.raises(ScimError, match="look at all members; here there are 21") as caught:
        members(*by_name)
    assert caught.value.scim_type == "tooMany"


IDS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3)
OPERATIONS = st.one_of(
    st.builds(lambda ids: change("add", *ids), IDS),
    st.builds(lambda ids: change("replace", *ids), IDS),
    st.builds(lambda id_: {"op": "remove", "path": f'members[value eq "{id_}"]'}, st.sampled_from("abcd")),
    st.just({"op": "remove", "path": "members"}),
)


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from("abcd")), st.lists(OPERATIONS, max_size=6))
def test_steps_come_to_what_the_operations_say_one_by_one(before: set[str], operations: list[dict[str, Any]]):
    expected = set(before)
    for operation in operations:
        named = set(member_ids(operation.get("value")))
        if operation["op"] == "add":
            expected |= named
        elif operation["path"] == "members":
            expected = named
        else:
            expected.discard(operation["path"][18])
    found = set(before)
    for step in members(*operations):
        assert not step.add.keys() & step.remove.keys()
        found = (set() if step.clear else found - step.remove.keys()) | step.add.keys()
    assert found == expected
