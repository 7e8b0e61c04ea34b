"""Profiles go to Microsoft Graph's synchronization schema and come back, and where the two disagree is said in words."""

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.mapping import Profile, parse_profile
from scimsvc.mapping.expression import compile_expression, parse, show
from scimsvc.mapping.expression.tree import Call, Node, Number, Omitted, SourceAttribute, Text
from scimsvc.mapping.functions import installed
from scimsvc.mapping.profile.scope import OPERATORS
from scimsvc.mapping.synchronization import ImportProblem, export_schema, import_schema
from scimsvc.mapping.synchronization.trees import TreeError, from_tree, to_tree
from scimsvc.schema.paths import resolve
from scimsvc.service.profiles.files import load_profile
from tests.cli.conftest import Run
from tests.mapping.words import differences, left_out
from tests.support.server import ROOT

SHIPPED = ["entra", "entra-default", "okta"]
REGISTRY = installed()
ACTIVE = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'


def shipped(name: str) -> Profile:
    return load_profile(ROOT / "mappings" / f"{name}.yaml")


def parsed(text: str) -> Profile:
    return parse_profile(text, Path("p.yaml"))


def imported(schema: Any) -> Profile:
    found = import_schema(schema, "imported", "Imported", REGISTRY)
    assert differences(found.profile, parsed(found.text)) == []
    return found.profile


def users(*rows: dict[str, Any], groups: bool = True) -> dict[str, Any]:
    """A schema with rows for users, and one for groups."""
    mappings = [{"sourceObjectName": "User", "targetObjectName": "T", "attributeMappings": list(rows)}]
    if groups:
        row = {"source": {"name": "objectId"}, "targetAttributeName": "externalId", "matchingPriority": 1}
        mappings.append({"sourceObjectName": "Group", "attributeMappings": [row]})
    return {"synchronizationRules": [{"objectMappings": mappings}]}


MATCH = {"source": {"name": "objectId", "type": "Attribute"}, "targetAttributeName": "externalId", "matchingPriority": 1}


def test_table_is_exported_as_graph_documents_it():
    schema = export_schema(shipped("entra"), REGISTRY)
    groups, people = schema["synchronizationRules"][0]["objectMappings"]
    assert (people["sourceObjectName"], people["scope"], people["enabled"]) == ("User", None, True)
    assert people["attributeMappings"][0] == {
        "defaultValue": None,
        "exportMissingReferences": False,
        "flowBehavior": "FlowWhenChanged",
        "flowType": "Always",
        "matchingPriority": 1,
        "source": {"expression": "[objectId]", "name": "objectId", "type": "Attribute", "parameters": []},
        "targetAttributeName": "externalId",
    }

    def constant(text: str) -> dict[str, Any]:
        return {"expression": f'"{text}"', "name": text, "type": "Constant", "parameters": []}

    source = {"expression": "[IsSoftDeleted]", "name": "IsSoftDeleted", "type": "Attribute", "parameters": []}
    values = [{"key": "switchValue", "value": constant(text)} for text in ("False", "True", "True", "False")]
    assert people["attributeMappings"][1]["source"] == {
        "expression": ACTIVE,
        "name": "Switch",
        "type": "Function",
        "parameters": [{"key": "source", "value": source}, *values],
    }
    assert [row["targetAttributeName"] for row in groups["attributeMappings"]] == ["externalId", "displayName", "members"]
    source_directory, target_directory = schema["directories"]
    assert [attribute["name"] for attribute in source_directory["objects"][0]["attributes"]] == [
        "objectId",
        "IsSoftDeleted",
        "displayName",
        "userPrincipalName",
        "givenName",
        "surname",
    ]
    people, groups = (one["attributes"] for one in source_directory["objects"])
    kinds = ("name", "type", "required", "multivalued")
    assert [people[1][key] for key in kinds] == ["IsSoftDeleted", "Boolean", True, False]
    assert [groups[-1][key] for key in kinds] == ["members", "Reference", False, True]
    assert [one["referencedObjectName"] for one in groups[-1]["referencedObjects"]] == ["User", "Group"]
    for one in (*source_directory["objects"], *target_directory["objects"]):
        assert sum(attribute["anchor"] for attribute in one["attributes"]) == 1
    members = target_directory["objects"][1]["attributes"][-1]
    assert (members["name"], members["type"], members["multivalued"]) == ("members", "Reference", True)


@pytest.mark.parametrize("name", SHIPPED)
def test_profile_that_is_exported_and_imported_is_the_same(name: str):
    profile = shipped(name)
    schema = json.loads(json.dumps(export_schema(profile, REGISTRY)))
    again = imported(schema)
    assert differences(profile, again) == []
    for ours, theirs in ((profile.users, again.users), (profile.groups, again.groups)):
        assert [row.expression and row.expression.text for row in ours.mappings] == [
            row.expression and row.expression.text for row in theirs.mappings
        ]
    assert export_schema(again, REGISTRY)["synchronizationRules"] == schema["synchronizationRules"]


CUSTOM = """profile: p
users:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
    - {source: extensionAttribute1, target: badge, matching: 2}
    - {source: city, target: 'urn:example:2.0:User:sizes', default: none, apply: create}
    - {constant: 'a"b\\c', target: title}
    - {target: nickName, default: x}
  attributes:
    - {name: badge, type: Integer, exactCase: true}
    - {name: 'urn:example:2.0:User:sizes', multiValued: true, required: true}
groups:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
"""


def test_custom_attributes_defaults_and_constants_come_back():
    profile = parsed(CUSTOM)
    again = imported(export_schema(profile, REGISTRY))
    assert differences(profile, again) == []
    assert [row.constant for row in again.users.mappings] == [None, None, None, 'a"b\\c', None]
    for name in ("badge", "urn:example:2.0:User"):
        ours, theirs = (one.users.resource_type.root.sub_attribute(name) for one in (profile, again))
        assert ours
        assert theirs
        assert (theirs.type, theirs.multi_valued, theirs.required) == (ours.type, ours.multi_valued, ours.required)


def test_custom_paths_and_references_come_back():
    text = """profile: p
users:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
    - {source: country, target: name.nick}
    - {source: state, target: 'emails[type eq "work"].rank'}
    - {source: city, target: 'doors[type eq "front"].code'}
    - {source: employeeType, target: assistant}
  attributes:
    - {name: name.nick, exactCase: true, required: true}
    - {name: 'emails[type eq "work"].rank', type: Integer}
    - {name: 'doors[type eq "front"].code'}
    - {name: assistant, type: Reference, referencedObjectAttribute: [User.id, Group.id]}
groups:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
"""
    profile = parsed(text)
    again = imported(export_schema(profile, REGISTRY))
    assert differences(profile, again) == []
    for name in ("name.nick", "emails.rank", "doors.code", "assistant"):
        ours, theirs = (path.leaf for one in (profile, again) if (path := resolve(one.users.resource_type, name)))
        assert (theirs.type, theirs.case_exact, theirs.required) == (ours.type, ours.case_exact, ours.required)
        assert theirs.reference_types == ours.reference_types


@pytest.mark.parametrize(
    ("row", "result"),
    [
        ({"source": {"name": "mail"}, "targetAttributeName": "title"}, {"source": "mail", "target": "title"}),
        ({"source": {"name": "x", "type": "constant"}, "targetAttributeName": "title"}, {"constant": "x", "target": "title"}),
        ({"source": None, "targetAttributeName": "title", "defaultValue": "y"}, {"target": "title", "default": "y"}),
        ({"targetAttributeName": "title", "defaultValue": "", "matchingPriority": 0}, {"target": "title"}),
        (
            {"source": {"name": "mail"}, "targetAttributeName": "title", "flowType": "ObjectAddOnly", "@odata.type": "x"},
            {"source": "mail", "target": "title", "apply": "create"},
        ),
        (
            {"source": {"type": "Function", "name": "X", "expression": "Append( [a],[b] )"}, "targetAttributeName": "title"},
            {"expression": "Append( [a],[b] )", "target": "title"},
        ),
        (
            {
                "source": {
                    "type": "Function",
                    "name": "Replace",
                    "parameters": [
                        {"key": "Replacement", "value": {"type": "Constant", "name": "_"}},
                        {"key": "source", "value": {"name": "preferredLanguage"}},
                        {"key": "Find", "value": {"type": "Constant", "name": "-"}},
                    ],
                },
                "targetAttributeName": "title",
            },
            {"expression": 'Replace([preferredLanguage], "-", , , "_")', "target": "title"},
        ),
    ],
)
def test_row_is_imported(row: dict[str, Any], result: dict[str, Any]):
    found = import_schema(users(MATCH, row), "p", "P", REGISTRY)
    assert yaml.safe_load(found.text)["users"]["mappings"][1] == result
    assert found.left_out == []


def test_what_a_profile_does_not_have_is_told():
    schema = users(MATCH, {"source": {"name": "mail"}, "targetAttributeName": "emails", "flowType": "MultiValueAddOnly"})
    rule = schema["synchronizationRules"][0]
    rule["objectMappings"][0]["scope"] = {"groups": [], "inputFilterGroups": [{}]}
    rule["objectMappings"] += [
        {"sourceObjectName": "Device", "attributeMappings": []},
        {"sourceObjectName": "User", "enabled": False, "attributeMappings": []},
    ]
    assert left_out(import_schema(schema, "p", "P", REGISTRY)) == [
        "synchronizationRules[0].objectMappings[0].attributeMappings[1]: flowType MultiValueAddOnly of emails; "
        "a profile has always and create",
        "synchronizationRules[0].objectMappings[0].scope.inputFilterGroups: a profile has filters by which objects fall out of "
        "scope, and no others",
        "synchronizationRules[0].objectMappings[2]: objects of 'Device' have no table in a profile",
    ]
    group = users(MATCH)["synchronizationRules"][0]["objectMappings"][1] | {"enabled": False, "flowTypes": "Add"}
    rule["objectMappings"] = [*users(MATCH, groups=False)["synchronizationRules"][0]["objectMappings"], group]
    assert left_out(import_schema(schema, "p", "P", REGISTRY)) == [
        "synchronizationRules[0].objectMappings[1]: the mapping of groups is not enabled, so Entra sends none of them",
    ]


@pytest.mark.parametrize(
    ("flow_types", "lost"),
    [(None, None), ("", None), ("add, UPDATE", None), ("None", "None"), ("Add,Rename", "Rename"), (["Add"], "['Add']")],
)
def test_flow_types_that_a_profile_does_not_know_are_told(flow_types: Any, lost: str | None):
    schema = users(MATCH, groups=False)
    schema["synchronizationRules"][0]["objectMappings"][0]["flowTypes"] = flow_types
    place = "synchronizationRules[0].objectMappings[0].flowTypes"
    told = [f"{place}: {lost}; a profile has Add, Update, Delete"] if lost else []
    assert left_out(import_schema(schema, "p", "P", REGISTRY)) == told


def function(**more: Any) -> dict[str, Any]:
    return {"source": {"type": "Function", "name": "Join", **more}, "targetAttributeName": "title"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ([], "must have a JSON object with synchronizationRules"),
        ({}, "synchronizationRules must be a list of objects"),
        ({"synchronizationRules": [5]}, r"synchronizationRules\[0\] must be an object"),
        ({"synchronizationRules": [{}]}, r"synchronizationRules\[0\].objectMappings must be a list"),
        ({"synchronizationRules": []}, "there is no mapping of users or groups"),
        (users({}), r"objectMappings\[0\].attributeMappings\[0\]: there is no targetAttributeName"),
        (users({"targetAttributeName": "title", "source": "mail"}), "source must be an object or null"),
        (users({"targetAttributeName": "title", "source": {}}), "source has no name"),
        (users({"targetAttributeName": "title", "source": {"name": "x", "type": "Magic"}}), "'magic' is not a type of a source"),
        (users({"targetAttributeName": "title", "matchingPriority": "1"}), "matchingPriority must be an integer"),
        (users(function(parameters="x")), "the parameters of Join must be"),
        (users(function(parameters=[{"key": "source", "value": 5}])), "a source must be an object with name, type"),
        (users({"targetAttributeName": "title"}), r"Rules\[0\].objectMappings\[0\]: no User mapping has `matching`"),
        (users(MATCH) | {"directories": 5}, "directories must be a list of objects"),
        (users(MATCH) | {"directories": [{"objects": [5]}]}, r"directories\[0\].objects\[0\] must be an object"),
        (users(MATCH, function(expression='Join(", ")')), r"attributeMappings\[1\]: write Join"),
        (users(MATCH, {"targetAttributeName": "titel"}), r"attributeMappings\[1\]: no such target attribute"),
    ],
)
def test_file_that_is_no_schema_is_refused_at_its_place(schema: Any, message: str):
    with pytest.raises(ImportProblem, match=message):
        import_schema(schema, "p", "P", REGISTRY)


def test_everything_that_is_wrong_is_named_at_once_with_its_place():
    rows = [
        {"targetAttributeName": "title", "source": "mail", "matchingPriority": -1},
        {"source": {"name": "mail"}},
        {"targetAttributeName": "nickName", "source": {"type": "Function", "expression": 'Join(", ", [a],\n  Swich())'}},
        {"targetAttributeName": "titel", "source": {"name": "mail"}},
    ]
    schema = users(*rows)
    group = schema["synchronizationRules"][0]["objectMappings"][1]
    group["scope"] = {"groups": [{"clauses": [{"sourceOperandName": "x", "operatorName": "EQUAL"}]}, 5]}
    with pytest.raises(ImportProblem) as problem:
        import_schema(schema, "p", "P", REGISTRY)
    lines = [
        line for line in str(problem.value).replace("synchronizationRules[0].objectMappings", "").splitlines() if line[0] == "["
    ]
    assert lines == [
        "[0].attributeMappings[0]: source must be an object or null",
        "[0].attributeMappings[0]: matchingPriority must be an integer",
        "[0].attributeMappings[1]: there is no targetAttributeName",
        "[1].scope.groups[1] must be an object",
        "[0].attributeMappings[2]: unknown function Swich, did you mean Switch?",
        "[0].attributeMappings[3]: no such target attribute 'titel', did you mean 'title'?",
        "[1].scope.groups[0]: unknown operator 'EQUAL', did you mean 'EQUALS'?; known are " + ", ".join(OPERATORS),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(below, (*path, key))


EXPORTED = export_schema(shipped("entra"), REGISTRY)


@given(st.sampled_from([path for path in places(EXPORTED) if path]), JSON)
def test_schema_with_anything_in_it_is_imported_or_refused(path: tuple[Any, ...], value: Any):
    schema = copy.deepcopy(EXPORTED)
    below: Any = schema
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = value
    for work in (lambda: import_schema(schema, "p", "P", REGISTRY), lambda: export_schema(shipped("okta"), REGISTRY, schema)):
        with contextlib.suppress(ImportProblem):
            work()


def test_export_into_a_downloaded_schema_changes_its_mappings_alone():
    base = export_schema(shipped("entra-default"), REGISTRY)
    base |= {"id": "scim.1234", "kept": {"x": 1}}
    base["synchronizationRules"][0]["id"] = "own-id"
    changed = export_schema(parsed(CUSTOM), REGISTRY, base)
    assert (changed["id"], changed["kept"], changed["synchronizationRules"][0]["id"]) == ("scim.1234", {"x": 1}, "own-id")
    assert differences(parsed(CUSTOM), imported(changed)) == []
    assert base["synchronizationRules"][0]["objectMappings"] != changed["synchronizationRules"][0]["objectMappings"]
    for wrong in ([], {}, {"synchronizationRules": []}, users(MATCH, groups=False)):
        with pytest.raises(ImportProblem, match="the base "):
            export_schema(parsed(CUSTOM), REGISTRY, wrong)


def test_differences_are_told_in_words():
    ours = parsed(CUSTOM)
    theirs = parsed(
        CUSTOM.replace("{source: extensionAttribute1, target: badge, matching: 2}", "{source: employeeId, target: badge}")
        .replace("default: none, apply: create", "default: some")
        .replace("    - {target: nickName, default: x}\n", "    - {source: department, target: userType}\n")
    )
    assert differences(ours, theirs) == [
        "users: Entra sends [department] to userType; the profile has no such row",
        "users: badge is [employeeId] in Entra and [extensionAttribute1] in the profile",
        "users: badge has no matching precedence in Entra and matching precedence 2 in the profile",
        "users: urn:example:2.0:User:sizes has the default 'some' in Entra and the default 'none' in the profile",
        "users: urn:example:2.0:User:sizes is applied always in Entra and only during creation in the profile",
        "users: the profile has nothing for nickName; Entra sends nothing there",
    ]
    spaced = CUSTOM.replace("{constant: 'a\"b\\c', target: title}", "{expression: 'Append( [mail],[city] )', target: title}")
    closer = CUSTOM.replace("{constant: 'a\"b\\c', target: title}", "{expression: 'Append([mail], [city])', target: title}")
    assert differences(parsed(spaced), parsed(closer)) == []


SIMPLE = st.one_of(st.sampled_from(["a", "mail"]).map(SourceAttribute), st.text(max_size=5).map(Text))


def calls(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def call(name: str) -> st.SearchStrategy[Node]:
        function = REGISTRY.get(name)
        assert function
        count = st.sampled_from([count for count in range(9) if function.accepts(count)])

        def arguments(number: int) -> st.SearchStrategy[Node]:
            kinds = [operands | st.just(Omitted()) if function.parameter(place).optional else operands for place in range(number)]
            return st.tuples(*kinds).map(lambda found: Call(name, found))

        return count.flatmap(arguments)

    return st.sampled_from(REGISTRY.names()).flatmap(call)


def trimmed(node: Node) -> Node:
    """Return a node without what is left out at a call's end, which a tree can't tell from what isn't there."""
    if not isinstance(node, Call):
        return node
    arguments = list(node.arguments)
    if node.name == "FormatDateTime" and len(arguments) == 3:
        # The short form has no dateTimeStyles.
        arguments.insert(1, Omitted())
    while arguments and isinstance(arguments[-1], Omitted):
        arguments.pop()
    return Call(node.name, tuple(map(trimmed, arguments)))


@settings(max_examples=200, deadline=None)
@given(st.recursive(SIMPLE, calls, max_leaves=10).filter(lambda node: isinstance(node, Call)))
def test_expression_is_the_same_by_its_tree_alone(node: Node):
    tree = json.loads(json.dumps(to_tree(node, REGISTRY)))
    assert from_tree(tree, REGISTRY) == trimmed(node)
    assert parse(tree["expression"]) == node


def test_numbers_become_quoted_constants_as_in_graph():
    tree = to_tree(parse("Mid([userPrincipalName], 1, 8)"), REGISTRY)
    assert tree["expression"] == "Mid([userPrincipalName], 1, 8)"
    assert [(one["key"], one["value"]["expression"]) for one in tree["parameters"]] == [
        ("source", "[userPrincipalName]"),
        ("start", '"1"'),
        ("length", '"8"'),
    ]
    assert show(from_tree(tree, REGISTRY)) == 'Mid([userPrincipalName], "1", "8")'
    assert to_tree(Number("&HF"), REGISTRY)["name"] == "&HF"


@pytest.mark.parametrize(
    ("expression", "again"),
    [
        ('IIF([a] = "x", [b], IgnoreAttributeFlow)', None),
        ('InStr([a], "x", 1, vbTextCompare)', 'InStr([a], "x", "1", vbTextCompare)'),
        ('FormatDateTime([a], "yyyy", "d")', 'FormatDateTime([a], , "yyyy", "d")'),
        ('FormatDateTime([a], , "yyyy", "d")', None),
        ('ToLower(Prepend("[a] = 1", [a]))', None),
    ],
)
def test_comparisons_and_words_survive_without_the_texts_of_functions(expression: str, again: str | None):
    def bare(tree: dict[str, Any]) -> dict[str, Any]:
        without = {key: value for key, value in tree.items() if key != "expression" or tree["type"] == "Constant"}
        return without | {"parameters": [one | {"value": bare(one["value"])} for one in tree["parameters"]]}

    tree = bare(to_tree(parse(expression), REGISTRY))
    assert show(from_tree(tree, REGISTRY)) == (again or expression)
    assert compile_expression(again or expression)


def test_names_of_parameters_that_nobody_documents_count_by_their_order():
    tree = {
        "type": "Function",
        "name": "Left",
        "parameters": [{"key": "value", "value": {"name": "a"}}, {"key": "numChars", "value": {"type": "Constant", "name": "3"}}],
    }
    assert show(from_tree(tree, REGISTRY)) == 'Left([a], "3")'


def test_tree_that_is_too_deep_is_refused():
    tree: dict[str, Any] = {"name": "a"}
    for _ in range(100):
        tree = {"type": "Function", "name": "Not", "parameters": [{"key": "source", "value": tree}]}
    with pytest.raises(TreeError, match="nested at most 64 deep"):
        from_tree(tree, REGISTRY)


def test_other_definitions_of_a_custom_attribute_are_a_difference():
    mine = CUSTOM.replace("type: Integer, exactCase: true", "type: String", 1)
    (line,) = differences(parsed(CUSTOM), parsed(mine))
    assert line == "users: badge is of the type String in Entra and of the type Integer, exact case in the profile"


def test_commands_export_import_and_compare(run: Run, folder: Path):
    exported = run("mappings", "export", "--profile", "entra")
    assert exported.exit_code == 0
    (folder / "schema.json").write_text(exported.stdout)
    again = run("mappings", "import", "schema.json", "--name", "again")
    assert (again.exit_code, again.stderr) == (0, "")
    (folder / "mappings" / "again.yaml").write_text(again.stdout)
    assert run("mappings", "check").exit_code == 0
    assert run("mappings", "diff", "entra", "schema.json").output == "no differences\n"
    (folder / "mappings" / "again.yaml").write_text(again.stdout.replace("source: displayName", "source: mail", 1))
    different = run("mappings", "diff", "again", "schema.json")
    assert (different.exit_code, different.stdout) == (
        1,
        "users: displayName is [displayName] in Entra and [mail] in the profile\n",
    )
    schema = json.loads(exported.stdout)
    schema["synchronizationRules"][0]["objectMappings"][0]["enabled"] = False
    (folder / "half.json").write_text(json.dumps(schema))
    assert run("mappings", "diff", "entra", "half.json").stdout.endswith("is not enabled, so Entra sends none of them\n")
    based = run("mappings", "export", "--profile", "again", "--base", "schema.json")
    (folder / "based.json").write_text(based.stdout)
    assert run("mappings", "diff", "again", "based.json").exit_code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "s.json: not JSON"),
        ("{}", "s.json can't be a profile:\nsynchronizationRules must be a list"),
        (json.dumps(users(MATCH, {"source": {"name": "mail"}, "targetAttributeName": "titel"})), "did you mean 'title'?"),
        (json.dumps(users(MATCH, function(expression="Swich()"))), "unknown function Swich, did you mean Switch?"),
    ],
)
def test_command_names_what_is_wrong_and_prints_no_profile(run: Run, folder: Path, content: str, message: str):
    (folder / "s.json").write_text(content)
    for command in (("import", "s.json"), ("diff", "entra", "s.json")):
        result = run("mappings", *command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert message in result.stderr


def test_name_that_no_profile_can_have_is_not_the_files_fault(run: Run, folder: Path):
    (folder / "s.json").write_text(json.dumps(users(MATCH)))
    result = run("mappings", "import", "--name", "a b", "s.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value for --name: is 1 to 63 letters, digits, dashes and underscores" in result.stderr
