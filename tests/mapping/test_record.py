"""The record block: SCIM attributes to the application's own fields."""

from pathlib import Path
from typing import Any

import pytest

from scimsvc.mapping import ProfileError, parse_profile
from scimsvc.mapping.profile.record import Record

TABLE = "  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"
JANE = {
    "userName": "jane",
    "active": True,
    "displayName": "Jane Doe",
    "emails": [{"type": "work", "value": "Jane@Example.com"}, {"type": "home", "value": "j@x"}],
    "groups": [{"value": "1", "display": "Staff"}],
    "badge": 7,
}


def record(*fields: str) -> Record:
    lines = "".join(f"  {field}\n" for field in fields)
    users = f"users:\n{TABLE}  attributes: [{{name: badge, type: Integer}}]\n"
    found = parse_profile(f"profile: p\n{users}groups:\n{TABLE}record:\n{lines}", Path("p.yaml")).record
    assert found
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('ToLower([emails[type eq "work"].value])', "jane@example.com"),
        ("displayName", "Jane Doe"),
        ("active", True),
        ("title", None),
        ("badge", 7),
        ("emails.value", ["Jane@Example.com", "j@x"]),
        ('emails[type eq "home"].value', "j@x"),
        ("groups.display", ["Staff"]),
        ('Join(",", [groups.display], [userName])', "Staff,jane"),
        ('IIF([active], "in", "out")', "in"),
        ('Word([displayName], 2, " ")', "Doe"),
        ("Coalesce([title], [nickName], [userName])", "jane"),
    ],
)
def test_field_is_an_attribute_or_an_expression(text: str, value: Any):
    assert record(f"field: {text}").of(JANE) == ({"field": value}, {})


def test_fields_keep_their_order_and_one_without_flow_is_left_out():
    shaped = record("b: userName", "a: IgnoreFlowIfNullOrEmpty([title])", "c: badge").of(JANE)
    assert list(shaped.record.items()) == [("b", "jane"), ("c", 7)]


def test_field_that_can_not_be_worked_out_is_a_problem_of_that_field_alone():
    shaped = record("b: userName", "a: CBool([userName])").of(JANE)
    assert shaped.record == {"b": "jane", "a": None}
    assert shaped.problems == {"a": "expected True, False or a number, not 'jane'"}


@pytest.mark.parametrize(
    ("field", "place", "message"),
    [
        ("f: [displayName]", (10, 6), "a SCIM attribute that stands alone has no brackets here"),
        ("f: {a: b}", (10, 6), "f must be a string"),
        ("f: displayNam", (10, 6), "no such SCIM attribute"),
        ("f: password", (10, 6), "no such SCIM attribute: password is never returned"),
        ("f: Lower([userName])", (10, 6), "unknown function Lower"),
        ("f: ToLower([userNam])", (10, 14), "no such SCIM attribute"),
        ('f: ToLower([emails[typ eq "work"].value])', (10, 14), "no such SCIM attribute"),
        ("'': userName", (10, 3), "the name of a field has 1 to 128 characters"),
        ("? [a]\n  : b", (10, 5), "the name of a field must be a string"),
        ("f: userName\n  f: title", (11, 3), "f is here twice"),
        ("- f", (10, 3), "record must be a mapping"),
    ],
)
def test_mistake_is_named_at_its_place(field: str, place: tuple[int, int], message: str):
    with pytest.raises(ProfileError) as caught:
        record(field)
    (finding,) = (one for one in caught.value.findings if one.severity == "error")
    assert (finding.line, finding.column) == place
    assert message in finding.message


def test_profile_without_a_record():
    for ending in ("", "record:\n"):
        assert parse_profile(f"profile: p\nusers:\n{TABLE}groups:\n{TABLE}{ending}", Path("p.yaml")).record is None
