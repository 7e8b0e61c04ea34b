"""A name that filters and paths understand is understood wherever a name stands, in every spelling."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from scimsvc.mapping import parse_profile
from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import Present, parse_filter
from scimsvc.protocol.messages import one_of_each, parse_query, parse_query_of_several, parse_search_request
from scimsvc.protocol.patch import apply, parse_operations
from scimsvc.schema.classes import load
from scimsvc.schema.core import ENTERPRISE_USER_URN, USER_URN
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath

OWN_URN = "urn:example:2.0:User"
PROFILE = parse_profile(
    f"""profile: p
users:
  mappings: [{{source: a, target: externalId, matching: 1}}]
  attributes:
    - {{name: badge}}
    - {{name: '{OWN_URN}:level', type: Integer}}
    - {{name: '{OWN_URN}:tags', multiValued: true}}
groups:
  mappings: [{{source: a, target: externalId, matching: 1}}]
  attributes:
    - {{name: 'urn:example:2.0:Group:site'}}
""",
    Path("p.yaml"),
)
USER, GROUP = PROFILE.resource_types()


def paths_of(resource_type: ResourceType) -> list[AttributePath]:
    """Every attribute with a value that clients write and see."""
    paths = (AttributePath(steps[1:place]) for steps in resource_type.root.leaves() for place in range(2, len(steps) + 1))
    unique = {path.name: path for path in paths if not path.is_read_only and not path.is_secret}
    return [
        path for path in unique.values() if path.leaf.name not in resource_type.schema_ids and path.steps[0].name != "members"
    ]


NAMED = [(type_, path) for type_ in (USER, GROUP) for path in paths_of(type_)]


def spellings(resource_type: ResourceType, path: AttributePath) -> list[str]:
    """All the ways in which a path may be spelled."""
    urn = path.steps[0].name if ":" in path.steps[0].name else resource_type.schema.id
    inside = path.name.removeprefix(f"{urn}:")
    known = [path.name, inside, f"{urn}:{inside}", f"{urn}.{inside}"]
    return [*known, *(name.upper() for name in known), *(name.swapcase() for name in known)]


def places() -> st.SearchStrategy[tuple[ResourceType, AttributePath, str]]:
    return st.sampled_from(NAMED).flatmap(
        lambda named: st.sampled_from(spellings(*named)).map(lambda spelled: (named[0], named[1], spelled))
    )


def value_for(path: AttributePath) -> Any:
    """A value that an attribute may have."""
    leaf = path.leaf
    if leaf.type == "complex":
        value: Any = {"value": "v"} if leaf.sub_attribute("value") else {leaf.sub_attributes[0].name: "v"}
        value = value if not leaf.name.startswith("x509") else {"value": "AAAA"}
    else:
        value = {"boolean": True, "integer": 5, "binary": "AAAA"}.get(leaf.type, "v")
    return [value] if leaf.multi_valued else value


def other_value_for(path: AttributePath) -> Any:
    """Another value that it may have."""
    text = json.dumps(value_for(path))
    for one, other in (('"AAAA"', '"BBBB"'), ("true", "false"), ("5", "6"), ('"v"', '"w"')):
        if one in text:
            return json.loads(text.replace(one, other))
    raise AssertionError(path.name)


def within(path: AttributePath, value: Any) -> Any:
    """A document that has nothing but this value."""
    for step in reversed(path.steps):
        value = {step.name: value}
    return value


@settings(max_examples=400)
@given(places())
def test_name_means_its_attribute_in_parameters_and_filters(place: tuple[ResourceType, AttributePath, str]):
    resource_type, path, spelled = place
    sent = {"attributes": f"nope, {spelled} ,", "excludedattributes": spelled, "filter": f"{spelled} pr"}
    asked = standardise(Request("GET", resource_type, sent)).parameters
    query = parse_query(resource_type, asked, 10)
    assert (query.projection.attributes, query.projection.excluded) == ({path.name}, {path.name})
    assert isinstance(query.filter, Present)
    assert query.filter.path.name == path.name
    if path.value().leaf.type == "complex":
        return
    by_own_name, by_this = (
        parse_query(resource_type, standardise(Request("GET", resource_type, {"sortby": name})).parameters, 10).sort
        for name in (path.name, spelled)
    )
    assert by_own_name == by_this
    assert by_this
    assert by_this.path
    assert by_this.path.name == path.value().name


@settings(max_examples=400)
@given(places(), st.sampled_from(["add", "replace"]))
def test_name_means_its_attribute_in_bodies(place: tuple[ResourceType, AttributePath, str], op: str):
    resource_type, path, spelled = place
    single = not any(step.multi_valued for step in path.steps[:-1])
    value = value_for(path)
    expected = load_without_required(resource_type, within(path, value)) if single else None
    for method in ("POST", "PUT") if single else ():
        body = standardise(Request(method, resource_type, {}, {spelled: value})).body
        assert load_without_required(resource_type, body) == expected
    for operation in ({"op": op, "value": {spelled: value}}, {"op": op, "path": spelled, "value": value}):
        request = standardise(Request("PATCH", resource_type, {}, {"Operations": [operation]}))
        changed = apply({}, parse_operations(resource_type, request.body), request.policy)
        if single:
            assert changed == expected
        else:
            assert list(changed) == [path.steps[0].name]


def load_without_required(resource_type: ResourceType, body: Any) -> Any:
    required = {"userName": "u"} if resource_type is USER else {"displayName": "u"}
    found = load(resource_type, required | body)
    return {name: value for name, value in found.items() if (name, value) not in required.items()}


def test_two_values_for_one_attribute_are_refused():
    for body in (
        {"displayName": "a", f"{USER_URN}:displayName": "b"},
        {f"{USER_URN}:displayName": "a", f"{USER_URN}.displayname": "b"},
        {"department": "a", ENTERPRISE_USER_URN.upper(): {"Department": "b"}},
        {"name.givenName": "a", "NAME": {"givenName": "b"}},
        {"name.givenName": "a", "name": "b"},
    ):
        with pytest.raises(ScimError, match=r"the same attribute, or one is part of the other; send one of them"):
            standardise(Request("POST", USER, {}, body))
    body = {"displayName": "a", f"{USER_URN}:displayName": "a", "title": None, f"{USER_URN}:title": "t", "nope": 1}
    assert standardise(Request("POST", USER, {}, body)).body == {"displayName": "a", "title": "t", "nope": 1}
    parts = {"name.givenName": "a", "name.familyName": "b", "NAME": {"formatted": "c"}, "department": None}
    assert load(USER, standardise(Request("PUT", USER, {}, {"userName": "u", **parts})).body) == {
        "userName": "u",
        "name": {"formatted": "c", "familyName": "b", "givenName": "a"},
    }


@st.composite
def two_names(draw: st.DrawFn) -> tuple[ResourceType, AttributePath, dict[str, Any], bool]:
    """An attribute by two of its spellings, one of which may be the object that it is in, and whether both have one value."""
    resource_type, path = draw(
        st.sampled_from([named for named in NAMED if not any(s.multi_valued for s in named[1].steps[:-1])])
    )
    first, second = draw(st.lists(st.sampled_from(spellings(resource_type, path)), min_size=2, max_size=2, unique=True))
    value, other = value_for(path), other_value_for(path)
    same = draw(st.booleans())
    sent = {first: value if same else other} | {second: value}
    if len(path.steps) > 1 and draw(st.booleans()):
        sent = {second: value} | within(path, value if same else other)
    return resource_type, path, dict(draw(st.permutations(list(sent.items())))), same


@settings(max_examples=400)
@given(two_names(), st.sampled_from(["POST", "PUT", "add", "replace"]))
def test_one_attribute_by_two_names_has_one_value(
    named: tuple[ResourceType, AttributePath, dict[str, Any], bool], way: str
) -> None:
    resource_type, path, sent, same = named
    body = sent if way in ("POST", "PUT") else {"Operations": [{"op": way, "value": sent}]}
    request = Request(way if way in ("POST", "PUT") else "PATCH", resource_type, {}, body)
    if not same:
        with pytest.raises(ScimError) as refused:
            standardise(request)
        assert refused.value.scim_type == "invalidValue"
        assert all(name in refused.value.detail for name in sent)
        return
    standard = standardise(request)
    if way in ("POST", "PUT"):
        assert load_without_required(resource_type, standard.body) == load_without_required(
            resource_type, within(path, value_for(path))
        )
    else:
        changed = apply({}, parse_operations(resource_type, standard.body), standard.policy)
        assert changed == load_without_required(resource_type, within(path, value_for(path)))


WORK = 'emails[type eq "work"]'


@pytest.mark.parametrize(
    ("sent", "agrees"),
    [
        ({f"{WORK}.value": "a", 'Emails[Type  eq "Work"].Value': "b"}, False),
        ({f"{WORK}.value": "a", f'{USER_URN}:emails[type eq "work"].value': "a"}, True),
        ({f"{WORK}.value": "a", WORK: {"value": "b"}}, False),
        ({f"{WORK}.value": "a", WORK: {"display": "b"}}, True),
        ({f"{WORK}.value": "a", 'emails[type eq "home"].value': "b"}, True),
        ({f"{WORK}.value": "a", "emails": [{"type": "work", "value": "a"}]}, False),
        ({"emails.value": "a", "emails": [{"value": "b"}]}, False),
        ({"emails": [{"value": "a", "type": "work"}], "EMAILS": [{"TYPE": "work", "Value": "a"}]}, True),
        ({"active": "True", "ACTIVE": True}, True),
        ({"active": "True", f"{USER_URN}:active": False}, False),
        ({"manager": "1", ENTERPRISE_USER_URN: {"manager": {"value": "1"}}}, True),
        ({"manager": "1", ENTERPRISE_USER_URN: {"manager": {"value": "2"}}}, False),
        ({"name": {"familyName": "a"}, f"{USER_URN}:name": {"givenName": "b"}}, True),
        ({"name": None, "name.givenName": "a"}, False),
        ({"title": "", f"{USER_URN}:title": "a"}, False),
    ],
)
def test_names_in_a_replace_without_path_agree_or_are_refused(sent: dict[str, Any], agrees: bool) -> None:
    for names in (sent, dict(reversed(sent.items()))):
        request = Request("PATCH", USER, {}, {"Operations": [{"op": "replace", "value": names}]})
        if agrees:
            assert parse_operations(USER, standardise(request).body)
            continue
        with pytest.raises(ScimError, match="send one of them") as refused:
            standardise(request)
        assert all(name in refused.value.detail for name in names)


@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize("value", ["x", {"title": "x"}, "", []])
@pytest.mark.parametrize("name", ["nope", "", "name.nope", 'emails[nope eq "x"].value', 'nope[type eq "x"].value'])
def test_unknown_name_beside_known_ones_refuses_a_patch_without_path(op: str, value: Any, name: str) -> None:
    for sent in ({"name.givenName": "x", name: value}, {name: value, f"{WORK}.value": "x", "title": "x"}):
        with pytest.raises(ScimError) as refused:
            parse_operations(USER, standardise(Request("PATCH", USER, {}, {"Operations": [{"op": op, "value": sent}]})).body)
        assert refused.value.scim_type == "invalidPath"
        assert (name if "[" not in name else "nope") in refused.value.detail


@pytest.mark.parametrize(
    "body",
    [
        {ENTERPRISE_USER_URN: "x", f"{ENTERPRISE_USER_URN}:department": {}},
        {ENTERPRISE_USER_URN: [ENTERPRISE_USER_URN], "department": {}},
        {"title": {"nope": 1}, f"{USER_URN}:title": "t"},
        {"name": {"nope": 1}, f"{USER_URN}:name": "n"},
    ],
)
def test_value_by_two_names_that_fits_neither_is_refused(body: dict[str, Any]):
    with pytest.raises(ValidationError):
        load(USER, standardise(Request("POST", USER, {}, {"userName": "u", **body})).body)


def test_name_in_a_query_over_several_types_is_that_of_each():
    asked = [
        (one, standardise(Request("GET", one, {"sortby": "site", "attributes": "site"})).parameters) for one in (USER, GROUP)
    ]
    of_users, of_groups = parse_query_of_several(asked, 10)
    assert of_users.sort
    assert of_users.sort.path is None
    assert of_groups.sort
    assert of_groups.sort.path
    assert of_groups.sort.path.name == "urn:example:2.0:Group:site"
    assert of_groups.projection.attributes == {"urn:example:2.0:Group:site"}


PARAMETERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["attributes", "excludedAttributes", "filter", "count", "startIndex", "sortBy", "cursor", "nope"]
        ).flatmap(lambda name: st.sampled_from([name, name.upper(), name.lower()])),
        st.sampled_from(["", " ", "a", "5", "a,b"]),
    ),
    max_size=6,
)


@settings(max_examples=300)
@given(PARAMETERS)
def test_every_parameter_counts_or_the_request_is_refused(sent: list[tuple[str, str]]):
    counted: dict[str, list[str]] = {}
    for name, value in sent:
        if value.strip() or name.lower() in ("cursor", "nope"):
            counted.setdefault(name.lower(), []).append(value)
    lists = ("attributes", "excludedattributes")
    if any(len(values) > 1 for name, values in counted.items() if name not in lists):
        with pytest.raises(ScimError, match=r"is there more than once; send one"):
            one_of_each(sent)
    else:
        assert one_of_each(sent) == {name: ",".join(values) for name, values in counted.items()}


def test_parameters_in_a_body_count_alike():
    body = {"attributes": ["a"], "Attributes": ["b", "c"], "filter": "", "FILTER": "x", "excludedAttributes": [], "count": None}
    assert parse_search_request(body) == {"attributes": "a,b,c", "filter": "x"}
    with pytest.raises(ScimError, match="The parameter filter is there more than once"):
        parse_search_request({"filter": "x", "FILTER": "x"})


def test_column_of_a_name_that_is_respelled_is_that_of_the_text_as_sent():
    with pytest.raises(ScimError, match=r"unknown attribute 'nope' at column 22"):
        parse_filter(standardise(Request("GET", USER, {"filter": "department eq D and  nope pr"})).parameters["filter"], USER)
