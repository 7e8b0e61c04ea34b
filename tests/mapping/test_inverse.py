"""An account back in the directory's own terms: only what is certain."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.mapping import parse_profile
from scimsvc.mapping.entra.requests import create_body
from scimsvc.mapping.functions import Function, Parameter, Registry, installed, plain
from scimsvc.mapping.inverse import Inverse
from scimsvc.mapping.mapper import Mapper
from tests.support.server import ROOT


def inverse(*rows: str, registry: Registry | None = None) -> Inverse:
    lines = "".join(f"    - {row}\n" for row in ("{source: objectId, target: externalId, matching: 1}", *rows))
    groups = "groups:\n  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"
    profile = parse_profile(f"profile: p\nusers:\n  mappings:\n{lines}{groups}", Path("p.yaml"), registry)
    return Inverse(profile.users)


def of(expression: str, value: Any, target: str = "title") -> Any:
    """The directory's `x`, where the expression over it came to a value."""
    found = inverse(f"expression: '{expression}'\n      target: {target}").source({target: value})
    assert found.keys() <= {"x"}
    return found.get("x")


@pytest.mark.parametrize(
    ("expression", "value", "before"),
    [
        ('Append([x], "@example.com")', "jane@example.com", "jane"),
        ('Append([x], "@example.com")', "jane@example.org", None),
        ("Not([x])", "False", "True"),
        ("ConvertToBase64([x])", "SABpAA==", "Hi"),
        ("ConvertToBase64([x])", "?", None),
        ("ConvertToUTF8Hex([x])", "4869", "Hi"),
        ("ConvertToUTF8Hex([x])", "zz", None),
        ("ConvertToUTF8Hex([x])", "48 69", None),
        ('Switch([x], , "a", "1", "b", "2")', "2", "b"),
        ('Switch([x], , "a", "1", "b", "1")', "1", None),
        ('Switch([x], "1", "a", "1", "b", "2")', "1", None),
        ('Switch([x], "3", "a", "1", "b", "2")', "1", "a"),
        ('Switch([x], , "", "none", "b", "2")', "none", None),
        ('Append(Switch([x], , "a", "1"), "!")', "1!", "a"),
        ("DateFromNum([x])", "1/1/2020 12:00:00 AM", "132223104000000000"),
        ("NumFromDate([x])", "132223104000000000", "1/1/2020 12:00:00 AM"),
        ("ToLower([x])", "jane", None),
        ('Switch("a", , "a", [x])', "jane", None),
        ("Append([x], [y])", "jane", None),
        ("Append(Now(), [x])", "jane", None),
    ],
)
def test_expression_is_undone_where_that_is_certain(expression: str, value: Any, before: Any):
    assert of(expression, value) == before


def test_booleans_are_the_directorys_texts():
    switch = """expression: Switch([IsSoftDeleted], , "False", "True", "True", "False")\n      target: active"""
    assert inverse(switch).source({"externalId": "7", "active": True}) == {"objectId": "7", "IsSoftDeleted": "False"}
    assert inverse("{source: accountEnabled, target: active}").source({"active": False}) == {"accountEnabled": "False"}


def test_split_values_are_joined():
    row = """expression: 'Split([x], ";")'\n      target: schemas"""
    with pytest.raises(Exception, match="read-only"):
        inverse(row)
    rows = inverse("{source: proxyAddresses, target: emails}")
    assert rows.source({"emails": [{"value": "a@x"}, {"value": "b@x"}]}) == {"proxyAddresses": ["a@x", "b@x"]}


def test_several_rows_of_one_attribute_and_rows_of_create_only():
    rows = inverse(
        "{source: mail, target: userName, apply: create}",
        "{source: mail, target: 'emails[type eq \"work\"].value'}",
        "{source: department, target: title, default: none}",
        "{source: manager, target: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager'}",
        "{constant: x, target: nickName}",
        "{target: locale}",
    )
    account = {"userName": "old", "emails": [{"type": "work", "value": "new"}], "title": "none", "nickName": "x", "locale": "y"}
    assert rows.source(account) == {"mail": "new"}
    assert rows.source({"userName": "old", "title": "T"}) == {"mail": "old", "department": "T"}


def test_inverse_of_a_plugin_is_believed_only_where_it_holds():
    def function(name: str, back: Any) -> Function:
        return Function(name, "", (Parameter("source"),), plain(lambda value: str(value)[::-1], 1), inverse=back)

    functions = [known for name in installed().names() if (known := installed().get(name))]
    registry = Registry([*functions, function("Right", lambda value: value[::-1]), function("Wrong", str)])
    for name, source in [("Right", {"x": "cba"}), ("Wrong", {})]:
        rows = inverse(f"{{expression: '{name}([x])', target: title}}", registry=registry)
        assert rows.source({"title": "abc"}) == source


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6)


@given(
    st.fixed_dictionaries(
        {"objectId": TEXT, "IsSoftDeleted": st.sampled_from(["True", "False"])},
        optional=dict.fromkeys(("displayName", "userPrincipalName", "givenName", "surname"), TEXT),
    )
)
def test_what_a_profile_makes_of_an_object_gives_it_back(source: dict[str, str]):
    table = parse_profile((ROOT / "mappings" / "entra.yaml").read_text(), Path("entra.yaml")).users
    account = create_body(table, Mapper(table).flows(source))
    assert Inverse(table).source(account) == {name: value for name, value in source.items() if value}
