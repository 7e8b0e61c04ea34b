"""PATCH (RFC 7644 §3.5.2): each operation on each kind of attribute, all of them or none."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.patch import STRICT, Policy, apply, parse_operations
from scimsvc.schema.classes import load
from scimsvc.schema.core import ENTERPRISE_USER_URN, USER_TYPE

WORK = {"type": "work", "value": "w@x", "primary": True}
HOME = {"type": "home", "value": "h@x"}
ANN: dict[str, Any] = {
    "userName": "ann",
    "title": "Boss",
    "active": True,
    "name": {"givenName": "Ann", "familyName": "Lee"},
    "emails": [WORK, HOME],
    ENTERPRISE_USER_URN: {"department": "R&D", "manager": {"value": "1"}},
}
MAKING = Policy(create_missing_elements=True, drop_hollow_elements=True)


def patched(*operations: dict[str, Any], document: dict[str, Any] = ANN, policy: Policy = STRICT) -> dict[str, Any]:
    return apply(document, parse_operations(USER_TYPE, {"Operations": list(operations)}), policy)


def op(name: str, path: str | None = None, value: Any = None) -> dict[str, Any]:
    return {"op": name} | ({"path": path} if path else {}) | ({} if value is None else {"value": value})


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (op("add", "nickName", "A"), {"nickName": "A"}),
        (op("replace", "title", "CEO"), {"title": "CEO"}),
        (op("replace", "TITLE", "CEO"), {"title": "CEO"}),
        (op("replace", "title", []), {"title": None}),
        (op("remove", "title"), {"title": None}),
        (op("remove", "nickName"), {}),
        (op("add", "name.middleName", "M"), {"name": {"givenName": "Ann", "familyName": "Lee", "middleName": "M"}}),
        (op("remove", "name.givenName"), {"name": {"familyName": "Lee"}}),
        (op("remove", "name"), {"name": None}),
        (op("replace", "name", {"givenName": "B"}), {"name": {"givenName": "B", "familyName": "Lee"}}),
        (op("add", None, {"title": "CEO", "nickName": "A"}), {"title": "CEO", "nickName": "A"}),
        (op("replace", None, {"name": {"givenName": "B"}}), {"name": {"givenName": "B", "familyName": "Lee"}}),
        (op("add", None, {"id": "x", "meta": {"version": "9"}, "title": "CEO"}), {"title": "CEO"}),
        (op("add", "emails", {"value": "n@x"}), {"emails": [WORK, HOME, {"value": "n@x"}]}),
        (op("add", "emails", [HOME]), {}),
        (
            op("add", "emails", [{"value": "n@x", "primary": True}]),
            {"emails": [{**WORK, "primary": False}, HOME, {"value": "n@x", "primary": True}]},
        ),
        (op("replace", "emails", [HOME]), {"emails": [HOME]}),
        (op("remove", "emails"), {"emails": None}),
        (op("remove", 'emails[type eq "work"]'), {"emails": [HOME]}),
        (op("remove", 'emails[type eq "other"]'), {}),
        (op("remove", "emails.type"), {"emails": [{"value": "w@x", "primary": True}, {"value": "h@x"}]}),
        (op("replace", 'emails[type eq "work"].value', "n@x"), {"emails": [{**WORK, "value": "n@x"}, HOME]}),
        (op("add", 'emails[type eq "home"]', {"display": "H"}), {"emails": [WORK, {**HOME, "display": "H"}]}),
        (op("replace", 'emails[type eq "home"]', {"value": "n@x"}), {"emails": [WORK, {"value": "n@x"}]}),
        (
            op("replace", 'emails[type eq "home"].primary', True),
            {"emails": [{**WORK, "primary": False}, {**HOME, "primary": True}]},
        ),
        (op("remove", 'emails[type eq "home"].value'), {"emails": [WORK, {"type": "home"}]}),
        (
            op("replace", f"{ENTERPRISE_USER_URN}:department", "IT"),
            {ENTERPRISE_USER_URN: {"department": "IT", "manager": {"value": "1"}}},
        ),
        (
            op("add", None, {ENTERPRISE_USER_URN: {"costCenter": "7"}}),
            {ENTERPRISE_USER_URN: {"department": "R&D", "manager": {"value": "1"}, "costCenter": "7"}},
        ),
        (op("remove", f"{ENTERPRISE_USER_URN}:manager"), {ENTERPRISE_USER_URN: {"department": "R&D"}}),
        (op("remove", ENTERPRISE_USER_URN), {ENTERPRISE_USER_URN: None}),
        (op("add", "userName", "bob"), {"userName": "bob"}),
    ],
)
def test_operation_changes_what_it_names_and_nothing_else(operation: dict[str, Any], changed: dict[str, Any]):
    expected = {name: value for name, value in {**ANN, **changed}.items() if value is not None}
    assert patched(operation) == expected


@pytest.mark.parametrize(
    ("path", "value", "element"),
    [
        ('emails[type eq "other"].value', "n@x", {"type": "other", "value": "n@x"}),
        ('emails[type eq "OTHER"].value', "n@x", {"type": "other", "value": "n@x"}),
        ('emails[type eq "other" and primary eq true].value', "n@x", {"type": "other", "primary": True, "value": "n@x"}),
        ('emails[type eq "other"]', {"value": "n@x"}, {"type": "other", "value": "n@x"}),
    ],
)
@pytest.mark.parametrize("name", ["add", "replace"])
def test_element_that_is_missing_is_made_where_the_policy_says_so(name: str, path: str, value: Any, element: dict[str, Any]):
    made = patched(op(name, path, value), policy=MAKING)
    first = {**WORK, "primary": False} if element.get("primary") else WORK
    assert made["emails"] == [first, HOME, element]
    with pytest.raises(ScimError, match="No element of emails fulfils the filter") as caught:
        patched(op(name, path, value))
    assert caught.value.scim_type == "noTarget"


def test_of_several_elements_that_a_filter_hits_one_becomes_the_primary_one():
    emails = [{"type": "home", "value": "a"}, {"type": "home", "value": "b"}]
    changed = patched(op("replace", 'emails[type eq "home"].primary', True), document={"userName": "a", "emails": emails})
    assert changed["emails"] == [{**emails[0], "primary": True}, {**emails[1], "primary": False}]


def test_element_of_which_nothing_is_left_that_matters_goes_where_the_policy_says_so():
    assert patched(op("remove", 'emails[type eq "work"].value'), policy=MAKING)["emails"] == [HOME]


def test_filter_that_describes_no_element_makes_none():
    for path in ('emails[type ne "other"].value', 'emails[not (type eq "x")].value', 'emails[type eq "a" or type eq "b"].value'):
        with pytest.raises(ScimError) as caught:
            patched(op("replace", path, "x"), document={"userName": "a"}, policy=MAKING)
        assert caught.value.scim_type == "noTarget"


@pytest.mark.parametrize(
    ("body", "scim_type", "message"),
    [
        ([], "invalidSyntax", "The body of a PATCH is an object"),
        ({}, "invalidSyntax", "A PATCH needs `Operations`"),
        ({"Operations": {}}, "invalidSyntax", "A PATCH needs `Operations`"),
        ({"Operations": ["x"]}, "invalidSyntax", "Operations[0] must be an object"),
        ({"schemas": ["x"], "Operations": []}, "invalidSyntax", "The `schemas` of a PATCH must be"),
        ({"Operations": [op("move", "title", "x")]}, "invalidSyntax", "Operations[0].op must be add, remove or replace"),
        ({"Operations": [{"op": "add", "path": 5, "value": "x"}]}, "invalidPath", "Operations[0].path must be a string"),
        ({"Operations": [op("add", "titel", "x")]}, "invalidPath", "did you mean 'title'?"),
        ({"Operations": [op("add", None, {"titel": "x"})]}, "invalidPath", "unknown attribute 'titel'"),
        ({"Operations": [op("add", None, "x")]}, "invalidValue", "its value must be an object of attributes"),
        ({"Operations": [op("add", "title")]}, "invalidValue", "no value to add to title"),
        ({"Operations": [op("add", "title", 5)]}, "invalidValue", "Operations[0]: title must be a string"),
        ({"Operations": [op("add", "emails", [{"value": 5}])]}, "invalidValue", "emails[0].value must be a string"),
        ({"Operations": [op("add", "title", "x"), op("add", "active", "x")]}, "invalidValue", "Operations[1]: active must be"),
        ({"Operations": [op("remove")]}, "noTarget", "name the attribute to remove"),
        ({"Operations": [op("remove", "userName")]}, "mutability", "userName is required"),
        ({"Operations": [op("replace", "userName", [])]}, "mutability", "userName is required"),
        ({"Operations": [op("replace", "id", "x")]}, "mutability", "id is read-only"),
        ({"Operations": [op("replace", "meta.version", "x")]}, "mutability", "meta.version is read-only"),
        ({"Operations": [op("add", "groups", [{"value": "x"}])]}, "mutability", "groups is read-only"),
    ],
)
def test_body_that_is_no_patch_is_refused(body: Any, scim_type: str, message: str):
    with pytest.raises(ScimError) as caught:
        parse_operations(USER_TYPE, body)
    assert (caught.value.status, caught.value.scim_type) == (400, scim_type)
    assert message in caught.value.detail


def test_operations_come_one_after_the_other_and_leave_what_was_given_as_it_was():
    before = copy.deepcopy(ANN)
    changed = patched(op("remove", "emails"), op("add", "emails", [HOME]), op("add", 'emails[type eq "home"].display', "H"))
    assert changed["emails"] == [{**HOME, "display": "H"}]
    with pytest.raises(ScimError):
        patched(op("remove", "emails"), op("replace", 'emails[type eq "home"].value', "x"))
    assert before == ANN


@pytest.mark.parametrize(
    ("elements", "terms", "operations", "refused_at"),
    [(2000, 50, 1, None), (2000, 51, 1, 0), (2000, 25, 3, 2), (400, 250, 45, 1), (100, 1, 1000, None), (101, 1, 1000, 990)],
)
def test_operations_times_elements_times_terms_have_a_bound(
    monkeypatch: pytest.MonkeyPatch, elements: int, terms: int, operations: int, refused_at: int | None
):
    looked_at = []
    monkeypatch.setattr("scimsvc.protocol.patch.matches", lambda *_: not looked_at.append(1))
    document = {"userName": "a", "emails": [{"value": str(number)} for number in range(elements)]}
    path = " or ".join(['value co "zz"'] * terms)
    many = [op("replace", f"emails[{path}].display", "d")] * operations
    if refused_at is None:
        assert patched(*many, document=document)["emails"][-1]["display"] == "d"
    else:
        with pytest.raises(ScimError, match="Send several requests") as caught:
            patched(*many, document=document)
        assert caught.value.scim_type == "tooMany"
        assert len(looked_at) == refused_at * elements


TEXTS = st.sampled_from(["a", "b", "A b", "é"])
ELEMENTS = st.fixed_dictionaries(
    {"value": TEXTS}, optional={"type": st.sampled_from(["work", "home", "other"]), "primary": st.booleans(), "display": TEXTS}
)
LISTS = st.lists(ELEMENTS, max_size=2).filter(lambda elements: sum(one.get("primary", False) for one in elements) < 2)
AT_HOME = ELEMENTS.filter(lambda element: element.get("type", "home") == "home")
OPERATIONS = st.one_of(
    st.builds(op, st.sampled_from(["add", "replace"]), st.sampled_from(["title", "name.givenName", "userName"]), TEXTS),
    st.builds(op, st.just("remove"), st.sampled_from(["title", "name", "name.givenName", "emails", ENTERPRISE_USER_URN])),
    st.builds(op, st.sampled_from(["add", "replace"]), st.just("emails"), LISTS),
    st.builds(
        op, st.sampled_from(["add", "replace"]), st.sampled_from(['emails[type eq "work"].value', "emails.display"]), TEXTS
    ),
    st.builds(op, st.just("remove"), st.sampled_from(['emails[type eq "work"]', 'emails[value eq "a"].type', "emails.type"])),
    st.builds(op, st.sampled_from(["add", "replace"]), st.just('emails[type eq "home"]'), AT_HOME),
    st.builds(op, st.just("add"), st.none(), st.fixed_dictionaries({}, optional={"title": TEXTS, "emails": LISTS})),
    st.builds(op, st.just("add"), st.just(f"{ENTERPRISE_USER_URN}:department"), TEXTS),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(OPERATIONS, max_size=6))
def test_any_operations_leave_a_document_that_can_be_read_again(operations: list[dict[str, Any]]):
    before = copy.deepcopy(ANN)
    changed = patched(*operations, policy=MAKING)
    assert before == ANN
    assert load(USER_TYPE, changed) == changed
    assert sum(bool(email.get("primary")) for email in changed.get("emails", [])) <= 1


@settings(max_examples=100, deadline=None)
@given(OPERATIONS)
def test_operation_twice_is_the_operation_once(operation: dict[str, Any]):
    once = patched(operation, policy=MAKING)
    assert patched(operation, document=once, policy=MAKING) == once


PLAIN = {"type": "home", "value": "h@x"}
MARKED = {"type": "work", "value": "w@x", "primary": True}


@pytest.mark.parametrize("policy", [STRICT, MAKING])
@pytest.mark.parametrize(
    ("path", "op_", "emails"),
    [
        ("emails[primary eq false].value", "replace", [MARKED, {**PLAIN, "value": "n"}]),
        ("emails[primary ne true].value", "add", [MARKED, {**PLAIN, "value": "n"}]),
        ('emails[type eq "home" and primary eq false].value', "add", [MARKED, {**PLAIN, "value": "n"}]),
        ("emails[not (primary eq true)].value", "replace", [MARKED, {**PLAIN, "value": "n"}]),
        ("emails[primary ne false].value", "replace", [{**MARKED, "value": "n"}, PLAIN]),
        ("emails[primary eq false]", "remove", [MARKED]),
        ("emails[primary ne false]", "remove", [PLAIN]),
    ],
)
def test_element_without_a_mark_counts_as_one_where_it_is_false(path: str, op_: str, emails: list[Any], policy: Policy):
    document = {"userName": "a", "emails": [MARKED, PLAIN]}
    value = None if op_ == "remove" else "n"
    assert patched(op(op_, path, value), document=document, policy=policy)["emails"] == emails


def test_element_is_made_with_the_mark_that_its_path_says():
    made = patched(op("add", 'emails[type eq "x" and primary eq false].value', "n"), document={"userName": "a"}, policy=MAKING)
    assert made["emails"] == [{"type": "x", "primary": False, "value": "n"}]
