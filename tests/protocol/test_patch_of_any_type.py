"""PATCH on a resource type with attributes of every kind: what comes of it is a resource of the type, whatever the operations."""

import contextlib
import copy
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.patch import apply, parse_operations
from scimsvc.protocol.projection import parse_projection, project
from scimsvc.schema.classes import load
from scimsvc.schema.documents import read_resource_types
from scimsvc.schema.model import Attribute, ResourceType

ODD, EXTRA = "urn:example:2.0:Odd", "urn:example:2.0:Extra"
KINDS = ("string", "boolean", "decimal", "integer", "dateTime", "binary", "reference")
SIMPLE = [{"name": kind, "type": kind} for kind in KINDS]
SEVERAL = [{"name": f"{kind}s", "type": kind, "multiValued": True} for kind in KINDS]
INSIDE = [
    *SIMPLE,
    *SEVERAL,
    {"name": "value"},
    {"name": "type", "canonicalValues": ["Work", "Home"]},
    {"name": "Primary", "type": "boolean"},
    {"name": "stamp", "mutability": "readOnly"},
]
KEYS = {"name": "keys", "type": "complex", "multiValued": True, "subAttributes": INSIDE}
SOLO = {"name": "solo", "type": "complex", "subAttributes": INSIDE}
ATTRIBUTES = [*SIMPLE, *SEVERAL, KEYS, SOLO, {"name": "seen", "mutability": "readOnly"}]


def odd_type(attributes: Any = ATTRIBUTES) -> ResourceType:
    documents = {
        "Schemas": [{"id": ODD, "attributes": attributes}, {"id": EXTRA, "attributes": ATTRIBUTES}],
        "ResourceTypes": [{"name": "Odd", "endpoint": "/Odds", "schema": ODD, "schemaExtensions": [{"schema": EXTRA}]}],
    }
    return next(one for one in read_resource_types({"f.json": documents}) if one.name == "Odd")


TYPE = odd_type()


def patched(document: Any, *operations: Any, type_: ResourceType = TYPE) -> Any:
    """The document after operations as Entra or anyone sends them."""
    sent = [dict(zip(("op", "path", "value"), one, strict=False)) if isinstance(one, tuple) else one for one in operations]
    standard = standardise(Request("PATCH", type_, {}, {"Operations": sent}))
    return apply(document, parse_operations(type_, standard.body), standard.policy)


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        # Nothing can be made of a filter on simple values, on what only the server writes, or on what contradicts itself.
        ({"strings": ["a"]}, ("add", 'strings[value eq "z"]', "b"), "noTarget"),
        ({}, ("replace", 'integers[value eq "1"]', 2), "noTarget"),
        ({}, ("replace", "integers[value eq 1]", 2), "noTarget"),
        ({}, ("add", f'{EXTRA}:strings[value eq "z"]', "b"), "noTarget"),
        ({}, ("add", 'keys[stamp eq "x"].value', "v"), "noTarget"),
        ({}, ("add", 'keys[type eq "a" and type eq "b"].value', "v"), "noTarget"),
        ({}, ("add", 'keys[strings eq "a"].value', "v"), {"keys": [{"strings": ["a"], "value": "v"}]}),
        ({}, ("add", 'keys[type eq "work"].value', "v"), {"keys": [{"type": "Work", "value": "v"}]}),
        # A complex attribute with one value has one, which the filter doesn't describe.
        ({"solo": {"value": "a"}}, ("replace", 'solo[value eq "b"].type', "Work"), "noTarget"),
        ({"solo": {"value": "a"}}, ("replace", 'solo[value eq "a"].type', "Work"), {"solo": {"value": "a", "type": "Work"}}),
        # An extension is no value that a filter chooses.
        ({}, ("replace", f'{EXTRA}[string eq "a"].string', "x"), "invalidPath"),
        # What is empty isn't there.
        ({"keys": [{"value": "v"}]}, ("add", 'keys[value eq "v"].strings', []), {"keys": [{"value": "v"}]}),
        ({"keys": [{"strings": ["v"]}]}, ("replace", "keys.strings", []), {}),
        ({}, ("add", "keys.strings", []), {}),
        ({"keys": [{"value": "v", "type": "x"}]}, ("replace", 'keys[value eq "v"]', {"type": None}), "invalidValue"),
        ({"keys": [{"value": "v", "type": "x"}]}, ("add", 'keys[value eq "v"]', {"type": None}), "invalidValue"),
        ({"solo": {"string": "a"}}, ("add", "solo", {"string": None, "type": "x"}), {"solo": {"string": "a", "type": "x"}}),
        (
            {EXTRA: {"string": "a"}},
            ("add", None, {EXTRA: {"string": None, "integer": 1}}),
            {EXTRA: {"string": "a", "integer": 1}},
        ),
        # Null unassigns, wherever it stands; in an add it is nothing.
        ({"solo": {"value": "a", "string": "b"}}, ("replace", "solo", {"string": None}), {"solo": {"value": "a"}}),
        ({"solo": {"value": "a", "string": "b"}}, ("replace", None, {"solo": {"string": ""}}), {"solo": {"value": "a"}}),
        ({"solo": {"strings": ["b"]}}, ("replace", None, {"solo": {"strings": []}}), {}),
        ({EXTRA: {"string": "a", "integer": 1}}, ("replace", EXTRA, {"string": None}), {EXTRA: {"integer": 1}}),
        ({EXTRA: {"solo": {"value": "a"}}}, ("replace", None, {EXTRA: {"solo": None}}), {}),
        ({EXTRA: {"solo": {"value": "a"}}}, ("replace", None, {EXTRA: {"solo": ""}}), {}),
        ({"string": "a", "strings": ["b"]}, ("add", None, {"string": None, "strings": None}), {"string": "a", "strings": ["b"]}),
        ({"strings": ["b"]}, ("add", "strings", None), "invalidValue"),
        ({"string": "a"}, ("replace", "string", ""), {}),
        ({"string": "a"}, ("replace", None, {"string": None, "seen": None, "meta": None}), {}),
        # An object with nothing in it changes nothing.
        ({"solo": {"value": "a"}}, ("add", "solo", {}), {"solo": {"value": "a"}}),
        ({"solo": {"value": "a"}}, ("replace", "solo", {}), {"solo": {"value": "a"}}),
        ({EXTRA: {"string": "a"}}, ("replace", EXTRA, {}), {EXTRA: {"string": "a"}}),
        # The mark of the preferred value is found in any spelling.
        (
            {"keys": [{"value": "a", "Primary": True}]},
            ("add", "keys", [{"value": "b", "primary": True}]),
            {"keys": [{"value": "a", "Primary": False}, {"value": "b", "Primary": True}]},
        ),
        ({}, ("add", "keys", [{"value": "a", "primary": True}, {"value": "b", "PRIMARY": True}]), "invalidValue"),
        # A text that happens to be JSON is a text.
        ({}, ("add", "keys", [{"value": '{"value": "x"}'}]), {"keys": [{"value": '{"value": "x"}'}]}),
        # By value, whatever is removed.
        ({"keys": [{"value": "x" * 12_000}]}, ("remove", "keys", [{"value": "x" * 12_000}]), {}),
        (
            {"keys": [{"value": "a"}]},
            ("remove", "keys", [{"string": f"{n}", "type": "t", "reference": "r"} for n in range(90)]),
            ...,
        ),
    ],
)
def test_operation_on_any_attribute(document: Any, operation: Any, expected: Any):
    if isinstance(expected, str):
        with pytest.raises(ScimError) as caught:
            patched(document, operation)
        assert (caught.value.status, caught.value.scim_type) == (400, expected)
    else:
        assert patched(document, operation) == (document if expected is ... else expected)


SAY_NOTHING: list[Any] = [{}, {"type": None}, {"type": ""}, {"strings": []}, {"strings": ""}, {"type": None, "x": 1}]
NO_VALUE: list[Any] = [{"value": None}, {"value": "", "type": None}, {"value": None, "strings": []}]
IN_KEYS, IN_SOLO = ('keys[value eq "v"]', "keys[type pr]"), ('solo[value eq "v"]', f'{EXTRA}:solo[value eq "v"]')


@pytest.mark.parametrize("form", [lambda value: value, lambda value: [value]])
@pytest.mark.parametrize(
    ("path", "value"),
    # An object with an empty `value` stands for a reference that is cleared, if an attribute has one value.
    [*itertools.product(IN_KEYS, SAY_NOTHING + NO_VALUE), *itertools.product(IN_SOLO, SAY_NOTHING)],
)
@pytest.mark.parametrize("op", ["add", "replace"])
def test_element_of_a_filter_takes_no_object_that_assigns_nothing(op: str, path: str, value: Any, form: Any):
    element = {"value": "v", "type": "x", "strings": ["s"]}
    with pytest.raises(ScimError, match=r"has (no value|the unknown key 'x'); at least one of") as caught:
        patched({"keys": [element], "solo": element, EXTRA: {"solo": element}}, (op, path, form(value)))
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")


@pytest.mark.parametrize(
    "value", [None, "", [""], [None], [[]], {"value": None}, {"value": ""}, [{"value": None}], {"Value": None}]
)
@pytest.mark.parametrize(
    "name",
    [
        *("string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "solo"),
        *("solo.string", f"{EXTRA}:string", f"{EXTRA}:solo", f"{EXTRA}:solo.value", 'keys[value eq "v"].type', "keys.type"),
    ],
)
def test_add_takes_nothing_away(name: str, value: Any):
    simple = {"string": "a", "boolean": True, "decimal": 1.5, "integer": 1, "dateTime": "2026-01-31T08:30:00Z", "binary": "YQ=="}
    solo = {"value": "v", "string": "s"}
    have = {**simple, "reference": "r", "solo": solo, "keys": [{"value": "v", "type": "x"}], EXTRA: {"string": "a", "solo": solo}}
    urn, _, attribute = name.rpartition(":")
    for operation in (("add", name, value), ("add", None, {name: value}), ("add", None, {urn: {attribute: value}})):
        # In an object null is nothing to add, so it may be accepted.
        with contextlib.suppress(ScimError):
            assert patched(have, operation) == have


def of_another_shape(name: str, kind: str, several: bool) -> ResourceType:
    changed = {"name": name, "type": kind, "multiValued": several, "subAttributes": INSIDE if kind == "complex" else []}
    if kind != "complex":
        del changed["subAttributes"]
    return odd_type([one if one["name"] != name else changed for one in ATTRIBUTES])


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("kind", ["string", "integer", "dateTime", "complex"])
@pytest.mark.parametrize(
    ("name", "stored"), [("string", "x"), ("strings", ["x"]), ("solo", {"value": "x"}), ("keys", [{"value": "x"}])]
)
def test_value_that_is_left_of_another_type_is_none(name: str, stored: Any, kind: str, several: bool):
    type_ = of_another_shape(name, kind, several)
    document = {name: stored, "integer": 1}
    fresh: Any = {"string": "y", "integer": 5, "dateTime": "2026-01-31T08:30:00Z", "complex": {"value": "y"}}[kind]
    value = [fresh] if several else fresh
    for operations in (
        [("replace", name, value)],
        [("add", name, value)],
        [("replace", None, {name: value})],
        *([[("add", f"{name}.value", "y")], [("add", f'{name}[value eq "x"].type', "y")]] if kind == "complex" else []),
        *([[("remove", f"{name}[value eq {json.dumps(fresh)}]")]] if kind != "complex" and several else []),
        [("remove", name)],
    ):
        changed = patched(document, *operations, type_=type_)
        assert load(type_, changed) == changed
    for asked, excluded in ((name, None), (f"{name}.value", None), (None, "integer"), (None, name)):
        shown = project(type_, document, parse_projection(type_, asked, excluded))
        assert set(shown) <= {name, "integer"}


TEXTS = st.sampled_from(["a", "b", "", "Work", '{"value": "x"}', "ß", "İ", "😀"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "boolean": st.sampled_from([True, False, "True"]),
    "decimal": st.sampled_from([0, 1, -1.5, 1e300, -0.0, 2**63]),
    "integer": st.sampled_from([0, 1, -5, 2**63 - 1, 2**63, 1.0]),
    "dateTime": st.sampled_from(["2026-01-31T08:30:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-14:00", "x"]),
    "binary": st.sampled_from(["QUJD", "", "===", "é"]),
    "reference": st.sampled_from(["http://x", "bulkId:z", ""]),
}
ANYTHING = st.sampled_from([None, [], {}, "", [None], [{}], {"value": None}, {"value": "a"}, 5])
LITERALS = st.sampled_from(['"a"', '"Work"', "true", "null", "1", "-1.5", "1e400", '"2026-01-31T08:30:00Z"', '"QUJD"', '""'])


def objects(attribute: Attribute) -> st.SearchStrategy[Any]:
    some = st.lists(st.sampled_from(attribute.sub_attributes), max_size=3, unique=True)
    return some.flatmap(lambda subs: st.fixed_dictionaries({sub.name: value_of(sub) for sub in subs}))


def value_of(attribute: Attribute) -> st.SearchStrategy[Any]:
    one = objects(attribute) if attribute.type == "complex" else VALUES[attribute.type]
    return (st.lists(one, max_size=2) if attribute.multi_valued else one) | ANYTHING


@st.composite
def filters(draw: st.DrawFn, names: list[str]) -> str:
    term = st.builds(
        "{} {} {}".format, st.sampled_from(names), st.sampled_from(["eq", "eq", "eq", "ne", "co", "gt", "le"]), LITERALS
    )
    terms = draw(st.lists(term | st.builds("{} pr".format, st.sampled_from(names)), min_size=1, max_size=2))
    return draw(st.sampled_from(["{}", "{}", "not ({})"])).format(draw(st.sampled_from([" and ", " or "])).join(terms))


@st.composite
def operations(draw: st.DrawFn) -> Any:
    op = draw(st.sampled_from(["add", "replace", "remove", "Add", "Replace"]))
    attribute = draw(st.sampled_from([one for one in TYPE.root.sub_attributes if one.name not in ("schemas", EXTRA)]))
    path = draw(st.sampled_from(["", f"{EXTRA}:", f"{ODD}:"])) + attribute.name
    value = draw(value_of(attribute))
    if attribute.sub_attributes:
        sub = draw(st.sampled_from(attribute.sub_attributes))
        names = [one.name for one in attribute.sub_attributes]
        path, value = draw(
            st.sampled_from([(path, value), (f"{path}.{sub.name}", draw(value_of(sub)))])
            | filters(names).map(lambda text: (f"{path}[{text}]", value))
            | filters(names).map(lambda text: (f"{path}[{text}].{sub.name}", draw(value_of(sub))))
        )
    elif attribute.multi_valued and draw(st.booleans()):
        path = f"{path}[{draw(filters(['value']))}]"
    if draw(st.booleans()) and draw(st.booleans()):
        return {"op": op, "value": {path: value}}
    return {"op": op, "path": path, **({} if op == "remove" and draw(st.booleans()) else {"value": value})}


@settings(max_examples=500, deadline=None)
@given(st.lists(st.lists(operations(), min_size=1, max_size=2), max_size=4))
def test_whatever_is_patched_is_a_resource_of_its_type_or_refused(requests: Any):
    document: Any = {}
    for request in requests:
        before = copy.deepcopy(document)
        changed = document
        with contextlib.suppress(ScimError):
            changed = patched(document, *request)
        assert document == before
        assert load(TYPE, changed) == changed
        document = changed
