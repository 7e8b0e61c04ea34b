"""The schema data says what RFC 7643 says, and what is made of it agrees with it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from scimsvc.schema.classes import describe, load
from scimsvc.schema.core import ENTERPRISE_USER, ENTERPRISE_USER_URN, GROUP_TYPE, USER_TYPE, USER_URN
from scimsvc.schema.discovery import schema_document, schemas_of
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath, resolve
from scimsvc.schema.types import check, normaliser

# Ids are caseExact wherever they stand, and what the server alone writes is readOnly, as the RFC says in words.
# Name, type, then what differs from the defaults of RFC 7643 §2.2: M multi-valued, R required, E caseExact,
# r readOnly, i immutable, w writeOnly, A returned always, N returned never, U unique by the server, G globally.
DECLARED = {
    USER_TYPE: """
        id string E r A G; externalId string E; schemas reference M E r A; meta complex r; meta.created dateTime r;
        meta.lastModified dateTime r; meta.location reference E r; meta.resourceType string E r; meta.version string E r;
        userName string R U; name complex; name.formatted string; name.familyName string; name.givenName string;
        name.middleName string; name.honorificPrefix string; name.honorificSuffix string; displayName string; nickName string;
        profileUrl reference; title string; userType string; preferredLanguage string; locale string; timezone string;
        active boolean; password string w N; emails complex M; emails.value string; emails.display string; emails.type string;
        emails.primary boolean; phoneNumbers complex M; phoneNumbers.value string; ims complex M; ims.value string;
        photos complex M; photos.value reference; addresses complex M; addresses.formatted string; addresses.streetAddress string;
        addresses.locality string; addresses.region string; addresses.postalCode string; addresses.country string;
        addresses.type string; groups complex M r; groups.value string E r; groups.$ref reference r; groups.display string r;
        groups.type string r; entitlements complex M; entitlements.value string; roles complex M; roles.value string;
        roles.primary boolean; x509Certificates complex M; x509Certificates.value binary
    """,
    GROUP_TYPE: """
        id string E r A G; externalId string E; displayName string R; members complex M; members.value string E i;
        members.$ref reference i; members.type string i
    """,
}


@pytest.mark.parametrize(
    ("resource_type", "line"), [(type_, line.split()) for type_, text in DECLARED.items() for line in text.split(";")]
)
def test_attribute_has_the_characteristics_of_the_standard(resource_type: ResourceType, line: list[str]):
    name, type_, *marks = line
    path = resolve(resource_type, name)
    assert path, name
    attribute = path.leaf
    assert (attribute.type, attribute.multi_valued, attribute.required) == (type_, "M" in marks, "R" in marks)
    mutability = {"r": "readOnly", "i": "immutable", "w": "writeOnly"}
    assert attribute.mutability == next((mutability[mark] for mark in marks if mark in mutability), "readWrite")
    assert attribute.returned == ("always" if "A" in marks else "never" if "N" in marks else "default")
    assert attribute.uniqueness == ("server" if "U" in marks else "global" if "G" in marks else "none")
    if attribute.type == "string":
        assert attribute.case_exact == ("E" in marks)


def test_extension_has_the_attributes_of_the_standard():
    names = ["employeeNumber", "costCenter", "organization", "division", "department", "manager"]
    assert [attribute.name for attribute in ENTERPRISE_USER.attributes] == names
    manager = resolve(USER_TYPE, f"{ENTERPRISE_USER_URN}:manager")
    assert manager
    assert [sub.name for sub in manager.leaf.sub_attributes] == ["value", "$ref", "displayName"]
    assert [sub.mutability for sub in manager.leaf.sub_attributes] == ["readWrite", "readOnly", "readOnly"]


def paths(resource_type: ResourceType) -> list[AttributePath]:
    return [AttributePath(steps[1:]) for steps in resource_type.root.leaves()]


@pytest.mark.parametrize("resource_type", [USER_TYPE, GROUP_TYPE], ids=["user", "group"])
def test_every_attribute_is_found_by_its_name_in_any_case_and_with_its_urn(resource_type: ResourceType):
    for path in paths(resource_type):
        core = [f"{resource_type.schema.id}:{path.name}"] if ":" not in path.name else []
        for name in [path.name, path.name.upper(), path.name.lower(), *core]:
            assert resolve(resource_type, name) == path, name


@pytest.mark.parametrize(
    "name", ["", "x", "name.", ".name", "name.x", "name.givenName.x", "urn:x:title", f"{USER_URN}", f"{USER_URN}:", "a" * 600]
)
def test_name_of_nothing_leads_to_nothing(name: str):
    assert resolve(USER_TYPE, name) is None


INSTANTS = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
TYPED = {
    type_: normaliser(Attribute("x", type_))  # type: ignore[arg-type]
    for type_ in ("integer", "decimal", "dateTime", "boolean", "string", "reference", "binary")
}


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_order_as_their_texts_do(one: int, other: int, decimal: float):
    for type_, first, second in (("integer", one, other), ("decimal", decimal, one), ("decimal", decimal, -decimal)):
        texts = TYPED[type_](first), TYPED[type_](second)
        assert (texts[0] < texts[1], texts[0] == texts[1]) == (first < second, first == second)


@settings(max_examples=200, deadline=None)
@given(INSTANTS, INSTANTS, st.integers(-14 * 60, 14 * 60))
def test_instants_order_as_their_texts_do_in_every_zone(one: datetime, other: datetime, minutes: int):
    normalise = TYPED["dateTime"]
    texts = normalise(one.isoformat()), normalise(other.astimezone(timezone(timedelta(minutes=minutes))).isoformat())
    assert (texts[0] < texts[1], texts[0] == texts[1]) == (one < other, one == other)


@pytest.mark.parametrize(
    ("type_", "right", "wrong"),
    [
        ("string", ["", "x", "é"], [1, True, None, [], {}, "\0"]),
        ("boolean", [True, False], ["true", 0, 1, None]),
        ("integer", [0, -1, 2**63 - 1], [1.0, "1", True, 2**63]),
        ("decimal", [0, 1.5, -1], ["1.5", True, None]),
        (
            "dateTime",
            ["2026-01-31T08:30:00Z", "2026-01-31T08:30:00.123456789+01:00", "2026-01-31t08:30:00z"],
            ["2026-01-31", "2026-02-31T00:00:00Z", "2026-01-31T08:30Z", "2026-01-31T08:30:00+15:00", "x", 5, ""],
        ),
        ("binary", ["", "QUJD", "QUI="], ["x", "QUJ", "Q!==", 5]),
        ("reference", ["https://x", "x"], [5, None, "\0"]),
        ("complex", [{}], [[], "x", None]),
    ],
)
def test_type_takes_its_values_and_no_others(type_: Any, right: list[Any], wrong: list[Any]):
    assert [value for value in right if check(type_, value)] == []
    assert [value for value in wrong if not check(type_, value)] == []


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "userName is required"),
        ({"userName": ""}, "userName is required"),
        ({"userName": None}, "userName is required"),
        ({"userName": 5}, "userName must be a string"),
        ({"userName": "a", "active": "yes"}, "active must be true or false"),
        ({"userName": "a", "emails": {"value": "x"}}, "emails must be an array"),
        ({"userName": "a", "emails": [{"value": "x"}, {"value": 5}]}, "emails[1].value must be a string"),
        ({"userName": "a", "emails": ["x"]}, "emails[0] must be an object"),
        ({"userName": "a", "name": "x"}, "name must be an object"),
        ({"userName": "a", "title": "\0"}, "title must be a text without NUL characters"),
        (
            {"userName": "a", ENTERPRISE_USER_URN: {"department": 5}},
            f"{ENTERPRISE_USER_URN}:department must be a string",
        ),
        ({"userName": 5, "title": 6}, "userName must be a string; title must be a string"),
        ("x", "the resource must be an object"),
    ],
)
def test_mistake_in_a_document_is_named_with_its_place(document: Any, message: str):
    with pytest.raises(ValidationError) as caught:
        load(USER_TYPE, document)
    assert describe(caught.value.messages) == message


def test_document_is_read_into_its_one_form():
    sent = {
        "TITLE": "Boss",
        "username": "a",
        "unknown": 1,
        "id": "x",
        "meta": {},
        "nickName": None,
        "emails": [],
        "name": {"GIVENNAME": "A", "x": 1, "familyName": None},
        ENTERPRISE_USER_URN.upper(): {"Department": "IT"},
    }
    assert load(USER_TYPE, sent) == {
        "userName": "a",
        "name": {"givenName": "A"},
        "title": "Boss",
        ENTERPRISE_USER_URN: {"department": "IT"},
    }


def values(attribute: Attribute) -> st.SearchStrategy[Any]:
    simple: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(-5, 5),
        "decimal": st.integers(-5, 5),
        "dateTime": st.just("2026-01-31T08:30:00Z"),
        "binary": st.sampled_from(["", "QUJD"]),
    }
    one = objects(attribute) if attribute.type == "complex" else simple.get(attribute.type, st.sampled_from(["a", "é", "B c"]))
    if attribute.type == "complex" and ":" not in attribute.name and attribute.mutability != "readOnly":
        writable = {sub.name for sub in attribute.sub_attributes if sub.mutability != "readOnly"}
        one = one.filter(lambda element: not writable.isdisjoint(element) or not (element or attribute.multi_valued))
    if not attribute.multi_valued:
        return one
    return st.lists(one, max_size=2).filter(lambda found: not attribute.primary or sum(map(is_primary, found)) < 2)


def is_primary(element: Any) -> bool:
    return element.get("primary") is True


def objects(attribute: Attribute) -> st.SearchStrategy[dict[str, Any]]:
    required = {sub.name: values(sub) for sub in attribute.sub_attributes if sub.required}
    optional = {sub.name: values(sub) for sub in attribute.sub_attributes if not sub.required}
    return st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({**required, **{name: optional[name] for name in names}})
    )


@pytest.mark.parametrize("resource_type", [USER_TYPE, GROUP_TYPE], ids=["user", "group"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_document_that_was_read_is_read_as_itself(resource_type: ResourceType, data: st.DataObject):
    once = load(resource_type, data.draw(objects(resource_type.root)))
    assert load(resource_type, once) == once
    order = [attribute.name for attribute in resource_type.root.sub_attributes]
    assert list(once) == sorted(once, key=order.index)


def test_schemas_that_are_published_say_all_that_is_declared():
    def compared(published: dict[str, Any], declared: Attribute) -> None:
        assert published["name"] == declared.name
        assert (published["type"], published["multiValued"]) == (declared.type, declared.multi_valued)
        assert (published["required"], published["mutability"]) == (declared.required, declared.mutability)
        assert published["returned"] == declared.returned
        below = published.get("subAttributes", [])
        assert len(below) == len(declared.sub_attributes)
        for one, other in zip(below, declared.sub_attributes, strict=True):
            compared(one, other)

    for schema in schemas_of([USER_TYPE, GROUP_TYPE]):
        document = schema_document(schema, "https://x")
        assert (document["id"], document["name"]) == (schema.id, schema.name)
        assert len(document["attributes"]) == len(schema.attributes)
        for one, other in zip(document["attributes"], schema.attributes, strict=True):
            compared(one, other)
