"""Schemas are read as they come: wrapped by Microsoft Graph, in UTF-16, in its short forms; other connectors' are told apart."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scimsvc.mapping import ProfileError, parse_profile
from scimsvc.mapping.functions import installed
from scimsvc.mapping.synchronization import ImportProblem, import_schema, merged
from tests.cli.conftest import Run

REGISTRY = installed()
KEY = {"source": {"name": "objectId"}, "targetAttributeName": "externalId", "matchingPriority": 1}


def schema(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    mapping = {"sourceObjectName": "User", "attributeMappings": [KEY, *rows]}
    return {"synchronizationRules": [{"objectMappings": [mapping]} | more]}


def problem(content: Any) -> list[str]:
    with pytest.raises(ImportProblem) as caught:
        import_schema(content, "p", "P", REGISTRY)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: {"schema": inner},
        lambda inner: {"value": [{"id": "a", "schema": inner}, {"id": "b"}]},
        lambda inner: {"value": [inner]},
        lambda inner: [inner],
    ],
)
def test_schema_is_found_in_what_graph_returns_around_it(wrap: Any):
    inner = schema()
    profile = import_schema(wrap(inner), "p", "P", REGISTRY).profile
    assert [row.target_text for row in profile.users.mappings] == ["externalId"]
    assert merged(profile, REGISTRY, wrap(inner))[0] == inner


def test_of_several_schemas_none_is_taken():
    lines = problem({"value": [{"schema": schema() | {"id": "one"}}, {"schema": schema()}]})
    assert lines == [
        "there are 2 schemas; save one of them in a file of its own:",
        "value[0].schema: id 'one'",
        "value[1].schema: without an id",
    ]


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ({"expression": '"/staff"', "type": "Constant"}, {"constant": "/staff"}),
        ({"expression": '"a\\"b"'}, {"constant": 'a"b'}),
        ({"expression": "7", "type": "Constant"}, {"constant": "7"}),
        ({"expression": "[mail]", "type": "Attribute"}, {"source": "mail"}),
        ({"expression": "[mail]"}, {"source": "mail"}),
        ({"expression": 'Append([mail], "x")'}, {"expression": 'Append([mail], "x")'}),
        (
            {
                "name": "Append",
                "type": "Function",
                "parameters": [
                    {"key": "source", "value": {"expression": "[mail]"}},
                    {"key": "suffix", "value": {"expression": '"x"', "type": "Constant"}},
                ],
            },
            {"expression": 'Append([mail], "x")'},
        ),
    ],
)
def test_source_without_a_name_is_what_its_text_says(source: dict[str, Any], row: dict[str, Any]):
    found = import_schema(schema({"source": source, "targetAttributeName": "title"}), "p", "P", REGISTRY)
    assert yaml.safe_load(found.text)["users"]["mappings"][1] == row | {"target": "title"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"type": "Constant"}, "source: a source has no name and no expression"),
        ({"type": "Constant", "expression": "[mail]"}, "its expression '[mail]' is of the type Attribute, not 'Constant'"),
        ({"type": "Constant", "expression": '"'}, "its expression '\"' can't be read: "),
    ],
)
def test_source_that_says_nothing_is_refused(source: dict[str, Any], message: str):
    (line, *_) = problem(schema({"source": source, "targetAttributeName": "title"}))
    assert line.startswith("synchronizationRules[0].objectMappings[0].attributeMappings[1]: source: ")
    assert message in line


def test_schema_of_a_connector_that_is_not_scim_is_told_in_one_line_first():
    rows = [{"source": {"name": "mail"}, "targetAttributeName": target} for target in ("Email", "ProfileId", "title")]
    first, *others = problem(schema(*rows, targetDirectoryName="salesforce.com"))
    assert others
    assert "are attributes of" not in first
    rows += [{"source": {"name": "mail"}, "targetAttributeName": target} for target in ("Alias", "UserRole.Name")]
    first, *others = problem(schema(*rows, targetDirectoryName="salesforce.com"))
    assert first == (
        "4 of 6 targets are attributes of 'salesforce.com' and not of SCIM: this connector is not a SCIM application, "
        "so its schema can't be a profile"
    )
    assert "attributeMappings[1]: no such target attribute" in others[0]


def test_message_shows_all_of_a_long_expression():
    expression = 'Join(" ", ' + ", ".join(f"[extensionAttribute{n}]" for n in range(1, 16)) + ", Swich([a]))"
    source = {"type": "Function", "name": "Join", "expression": expression}
    message, shown, mark = problem(schema({"source": source, "targetAttributeName": "title"}))
    assert message.endswith("unknown function Swich, did you mean Switch?")
    assert shown.endswith("[extensionAttribute15], Swich([a]))")
    assert "[extensionAttribute12]" in shown
    assert mark.index("^") == shown.index("Swich")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_file_in_utf_16_is_read(run: Run, folder: Path, encoding: str):
    row = {"source": {"name": "mail"}, "targetAttributeName": "userName", "defaultValue": "ü"}
    (folder / "s.json").write_bytes(json.dumps(schema(row), ensure_ascii=False).encode(encoding))
    result = run("mappings", "import", "s.json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "default: ü" in result.stdout


def test_file_that_is_no_utf_16_after_all_is_refused(run: Run, folder: Path):
    (folder / "s.json").write_bytes(b"\xff\xfe{\x00\x00\xd8")
    result = run("mappings", "import", "s.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "save it as UTF-8, in Windows PowerShell with Set-Content -Encoding utf8" in result.stderr


def test_profile_in_utf_16_says_how_to_save_it():
    with pytest.raises(ProfileError, match=r"is not UTF-8 but UTF-16: save it as UTF-8, in Windows PowerShell"):
        parse_profile("profile: p\n".encode("utf-16"), Path("p.yaml"))
