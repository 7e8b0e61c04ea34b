"""An export into a downloaded schema keeps what the profile does not have, and what it has is there afterwards."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.mapping import Profile, parse_profile
from scimsvc.mapping.expression import parse
from scimsvc.mapping.functions import installed
from scimsvc.mapping.synchronization import export_schema, import_schema, merged
from scimsvc.mapping.synchronization.merging import learned_keys
from scimsvc.mapping.synchronization.trees import to_tree
from tests.cli.conftest import Run
from tests.mapping.words import differences, kept, left_out

REGISTRY = installed()
URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
TARGETS = {
    "User": ["displayName", "title", "nickName", 'emails[type eq "work"].value', f"{URN}:department", "badge", "roles"],
    "Group": ["displayName", "badge"],
}
EXTRA = st.dictionaries(
    st.sampled_from(["@odata.type", "exportMissingReferences", "flowBehavior", "note"]),
    st.sampled_from(["FlowAlways", "FlowWhenChanged", False, None, {"a": [1]}]),
    max_size=2,
)


def attribute(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "Attribute"} | more


EXPRESSIONS = [
    'Append([mail], "x")',
    "AppRoleAssignmentsComplex([appRoleAssignments])",
    'Left( [city],"3" )',
    "Trim([dirSyncEnabled])",
]


def trees(text: str) -> st.SearchStrategy[dict[str, Any]]:
    """The tree of an expression with its documented keys, with others, with no text, or with the text alone."""
    tree = to_tree(parse(text), REGISTRY) | {"expression": text}
    other = copy.deepcopy(tree)
    for number, parameter in enumerate(other["parameters"]):
        parameter["key"] = f"p{number}"
    return st.sampled_from(
        [tree, other, {"type": "Function", "expression": text}, {k: tree[k] for k in tree if k != "expression"}]
    )


SOURCES = st.one_of(
    st.none(),
    st.sampled_from(
        [attribute("mail"), attribute("dirSyncEnabled", parameters=None), {"expression": "[city]", "type": "Attribute"}]
    ),
    st.sampled_from([{"type": "Constant", "name": "x"}, {"type": "constant", "expression": '"/staff"'}]),
    st.sampled_from(EXPRESSIONS).flatmap(trees),
)


@st.composite
def graph_rows(draw: st.DrawFn, kind: str) -> list[dict[str, Any]]:
    rows = [{"source": attribute("objectId"), "targetAttributeName": "externalId", "matchingPriority": 1} | draw(EXTRA)]
    for target in draw(st.lists(st.sampled_from(TARGETS[kind]), unique=True, max_size=4)):
        row: dict[str, Any] = {"source": draw(SOURCES), "targetAttributeName": target}
        row |= draw(
            st.fixed_dictionaries({}, optional={"flowType": st.sampled_from(["MultiValueAddOnly", "ObjectAddOnly", "Always"])})
        )
        row |= draw(st.fixed_dictionaries({}, optional={"defaultValue": st.sampled_from([None, "", "1"])}))
        row |= draw(st.fixed_dictionaries({}, optional={"matchingPriority": st.just(0)}))
        rows.append(row | draw(EXTRA))
    return rows


CLAUSE = {"operatorName": "EQUALS", "sourceOperandName": "city", "targetOperand": {"values": ["x"]}}
SCOPES = st.sampled_from(
    [
        None,
        {"groups": [], "inputFilterGroups": [{"clauses": [CLAUSE]}], "categoryFilterGroups": []},
        {"groups": [{"name": "a", "clauses": [CLAUSE], "note": 1}], "inputFilterGroups": [{"clauses": [CLAUSE]}], "note": 2},
        {"groups": [{"clauses": [CLAUSE]}]},
    ]
)


@st.composite
def object_mappings(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    return {
        "sourceObjectName": kind,
        "targetObjectName": f"T{kind}",
        "attributeMappings": draw(graph_rows(kind)),
        "scope": draw(SCOPES),
        "metadata": [{"key": "Disposition", "value": "x"}],
    } | draw(st.fixed_dictionaries({}, optional={"flowTypes": st.sampled_from(["Add, Update", "Add,Update,Delete", "Update"])}))


def definition(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "String", "apiExpressions": [], "flowNullValues": False} | more


@st.composite
def bases(draw: st.DrawFn) -> dict[str, Any]:
    """A schema that was downloaded: users, groups or both, in one rule or two, one of them perhaps twice and not enabled."""
    kinds = draw(st.sampled_from([["User"], ["Group"], ["Group", "User"]]))
    mappings = [draw(object_mappings(kind)) for kind in kinds]
    for kind in draw(st.lists(st.sampled_from(kinds), unique=True)):
        mappings.insert(0, draw(object_mappings(kind)) | {"enabled": False})
    badge = definition("badge", type=draw(st.sampled_from(["String", "string"])), multivalued=draw(st.booleans()))
    objects = [
        {"name": f"T{kind}", "attributes": [definition("id", anchor=True), badge, definition("title", required=True)]}
        for kind in kinds
    ]
    sources = [
        {"name": kind, "attributes": [definition("objectId"), definition("dirSyncEnabled", type="Boolean")]} for kind in kinds
    ]
    return {
        "id": "scim.1",
        "synchronizationRules": [
            {
                "id": "r",
                "sourceDirectoryName": "E",
                "targetDirectoryName": "customappsso",
                "objectMappings": mappings,
                "note": [5],
            }
        ],
        "directories": [{"name": "E", "objects": sources}, {"name": "customappsso", "objects": objects}],
    }


def imported(schema: Any) -> Profile:
    return import_schema(schema, "p", "P", REGISTRY).profile


@settings(max_examples=40)
@given(bases())
def test_what_was_not_changed_goes_back_as_it_came(base: dict[str, Any]):
    before = copy.deepcopy(base)
    assert merged(imported(base), REGISTRY, base)[0] == before
    assert base == before


@settings(max_examples=40)
@given(bases(), bases())
def test_profile_is_in_the_schema_afterwards_and_the_rest_is_as_it_was(base: dict[str, Any], other: dict[str, Any]):
    profile = imported(other)
    kinds = {one["sourceObjectName"] for one in base["synchronizationRules"][0]["objectMappings"]}
    wanted = {"users": "User", "groups": "Group"}
    if any(wanted[name] not in kinds for name in profile.tables()):
        return
    schema, _ = merged(profile, REGISTRY, base)
    again = imported(json.loads(json.dumps(schema)))
    lines = differences(profile, again)
    assert [line for line in lines if "flowTypes are" not in line and "the profile has no such table" not in line] == []
    rules = (base["synchronizationRules"], schema["synchronizationRules"])
    (before, after) = ([mapping for rule in found for mapping in rule["objectMappings"]] for found in rules)
    for old, new in zip(before, after, strict=True):
        rows = {row["targetAttributeName"]: row for row in old["attributeMappings"]}
        for row in new["attributeMappings"]:
            known = rows.get(row["targetAttributeName"], {})
            kept = {
                key: below
                for key, below in known.items()
                if key in ("@odata.type", "exportMissingReferences", "flowBehavior", "note")
            }
            assert {key: row.get(key) for key in kept} == kept
        skipped = ("attributeMappings", "scope", "flowTypes")
        assert {key: old[key] for key in old if key not in skipped} == {key: new[key] for key in new if key not in skipped}
        for key in ("inputFilterGroups", "note"):
            assert ((new["scope"] or {}).get(key) or None) == ((old["scope"] or {}).get(key) or None)
    names = [[one["name"] for found in directory["objects"] for one in found["attributes"]] for directory in base["directories"]]
    kept_names = [
        [one["name"] for found in directory["objects"] for one in found["attributes"]] for directory in schema["directories"]
    ]
    assert all(set(old) <= set(new) for old, new in zip(names, kept_names, strict=True))


def base_with(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    row = {"source": attribute("objectId"), "targetAttributeName": "externalId", "matchingPriority": 1}
    mapping = {"sourceObjectName": "User", "targetObjectName": "T", "attributeMappings": [row, *rows], "scope": None} | more
    return {"synchronizationRules": [{"objectMappings": [mapping]}]}


def profile_of(*rows: dict[str, Any], **more: Any) -> Profile:
    table = {"mappings": [{"source": "objectId", "target": "externalId", "matching": 1}, *rows]} | more
    return parse_profile(yaml.safe_dump({"profile": "p", "users": table}), Path("p.yaml"))


def only_row(schema: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"][1]
    return row


def test_of_a_row_only_what_differs_is_exchanged():
    row = {
        "source": attribute("proxyAddresses", parameters=None),
        "targetAttributeName": "emails",
        "flowType": "MultiValueAddOnly",
        "flowBehavior": "FlowAlways",
        "matchingPriority": 0,
        "defaultValue": "",
    }
    base = base_with(row)
    changed = export_schema(profile_of({"source": "otherMails", "target": "emails"}), REGISTRY, base)
    fresh = {"expression": "[otherMails]", "name": "otherMails", "type": "Attribute", "parameters": []}
    assert only_row(changed) == row | {"source": fresh}
    changed = export_schema(profile_of({"source": "proxyAddresses", "target": "emails", "apply": "create"}), REGISTRY, base)
    assert only_row(changed) == row | {"flowType": "ObjectAddOnly"}


def test_changed_expression_has_the_names_of_parameters_that_the_schema_has():
    parameters = [{"key": "value", "value": attribute("mail")}, {"key": "numChars", "value": {"type": "Constant", "name": "3"}}]
    tree = {"type": "Function", "name": "Left", "expression": "Left([mail], 3)", "parameters": parameters}
    base = base_with({"source": tree, "targetAttributeName": "title"})
    assert learned_keys(base) == {("Left", 2): {0: "value", 1: "numChars"}}
    changed = export_schema(profile_of({"expression": "Left([city], 4)", "target": "title"}), REGISTRY, base)
    assert [one["key"] for one in only_row(changed)["source"]["parameters"]] == ["value", "numChars"]


@pytest.mark.parametrize(
    "function",
    ["AppRoleAssignments", "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex", "SingleAppRoleAssignment"],
)
def test_functions_on_roles_have_the_engines_parameter(function: str):
    assert to_tree(parse(f"{function}([appRoleAssignments])"), REGISTRY)["parameters"][0]["key"] == "source"


def test_flow_types_go_both_ways_and_stay_if_the_profile_does_not_say_them():
    base = base_with(flowTypes="Add, Update")
    assert imported(base).users.flow_types == ("Add", "Update")
    schema, notes = merged(profile_of(), REGISTRY, base)
    assert schema == base
    assert kept(notes) == ["the profile does not say the flowTypes of users: Add, Update of the base stay"]
    assert differences(profile_of(), imported(base)) == [
        "users: flowTypes are Add, Update in Entra and Add, Update, Delete in the profile"
    ]
    changed = export_schema(profile_of(flowTypes=["Update"]), REGISTRY, base)
    assert changed["synchronizationRules"][0]["objectMappings"][0]["flowTypes"] == "Update"


def test_table_that_the_profile_does_not_have_stays_in_the_base():
    base = base_with()
    group = {"sourceObjectName": "Group", "attributeMappings": [{"targetAttributeName": "x"}]}
    base["synchronizationRules"][0]["objectMappings"].append(group)
    schema, notes = merged(profile_of(), REGISTRY, base)
    assert schema == base
    assert kept(notes) == ["the profile has no table groups: the mapping of groups in the base stays as it is, and is enabled"]
    group["enabled"] = False
    assert merged(profile_of(), REGISTRY, base) == (base, [])


def test_definitions_of_custom_attributes_follow_the_profile():
    base = base_with()
    badge = {"name": "badge", "type": "String", "metadata": [{"key": "x"}]}
    base["directories"] = [{"name": "D", "objects": [{"name": "T", "attributes": [badge]}, {"name": "User", "attributes": []}]}]
    profile = profile_of(
        {"source": "dirSyncEnabled", "target": "badge"},
        attributes=[{"name": "badge", "type": "Boolean", "required": True}],
        sourceAttributes=[{"name": "dirSyncEnabled", "type": "Boolean"}],
    )
    objects = export_schema(profile, REGISTRY, base)["directories"][0]["objects"]
    assert objects[0]["attributes"][0] == badge | {"type": "Boolean", "required": True}
    assert ("dirSyncEnabled", "Boolean") in [(one["name"], one["type"]) for one in objects[1]["attributes"]]


def test_source_attributes_of_a_directory_are_imported_with_their_types():
    base = base_with({"source": attribute("dirSyncEnabled"), "targetAttributeName": "title"})
    sources = [definition("dirSyncEnabled", type="boolean"), definition("unused"), definition("mail", type="Reference")]
    base["directories"] = [{"name": "E", "objects": [{"name": "User", "attributes": sources}]}]
    found = import_schema(base, "p", "P", REGISTRY)
    assert yaml.safe_load(found.text)["users"]["sourceAttributes"] == [{"name": "dirSyncEnabled", "type": "Boolean"}]
    assert [one.message for one in found.profile.warnings if "attribute" in one.message] == []


def test_what_is_lost_at_import_is_named():
    base = base_with(
        {
            "source": attribute("mail"),
            "targetAttributeName": "title",
            "flowBehavior": "FlowAlways",
            "exportMissingReferences": True,
        },
        {"source": attribute("city"), "targetAttributeName": "nickName", "flowBehavior": "FlowWhenChanged"},
    )
    title = definition("title", defaultValue="x", mutability="Immutable", flowNullValues=True, required=True, apiExpressions=[1])
    quiet = definition("nickName", defaultValue="", mutability="ReadWrite", required=False)
    unused = definition("locale", mutability="ReadOnly")
    base["directories"] = [{"name": "D", "objects": [{"name": "T", "attributes": [title, quiet, unused]}]}]
    row = "synchronizationRules[0].objectMappings[0].attributeMappings[1]"
    place = "directories[0].objects[0].attributes[0]"
    assert left_out(import_schema(base, "p", "P", REGISTRY)) == [
        f"{row}: flowBehavior FlowAlways of title; a profile has FlowWhenChanged",
        f"{row}: exportMissingReferences of title",
        f"{place}: defaultValue 'x' of title; a profile does not have it",
        f"{place}: mutability Immutable of title; a profile does not have it",
        f"{place}: flowNullValues of title; a profile does not have it",
        f"{place}: apiExpressions of title; a profile does not have it",
        f"{place}: required of title; in a profile it is optional, as in RFC 7643",
    ]


def test_commands_name_what_is_lost_and_what_stays(run: Run, folder: Path):
    row = {"source": attribute("mail"), "targetAttributeName": "userName", "flowBehavior": "FlowAlways"}
    base = base_with(row, flowTypes="Add, Update")
    (folder / "s.json").write_text(json.dumps(base))
    imported_text = run("mappings", "import", "s.json")
    assert "left out: synchronizationRules[0].objectMappings[0].attributeMappings[1]: flowBehavior" in imported_text.stderr
    (folder / "mappings" / "imported.yaml").write_text(imported_text.stdout)
    different = run("mappings", "diff", "imported", "s.json")
    assert (different.exit_code, different.stdout.count("flowBehavior FlowAlways of userName")) == (1, 1)
    (folder / "mappings" / "imported.yaml").write_text(imported_text.stdout.replace("flowTypes:\n  - Add\n  - Update\n", ""))
    exported = run("mappings", "export", "--profile", "imported", "--base", "s.json")
    assert (exported.exit_code, json.loads(exported.stdout)) == (0, base)
    assert "s.json: the profile does not say the flowTypes of users: Add, Update of the base stay" in exported.stderr
