"""What differs between profiles, as facts that a program reads."""

import json
from pathlib import Path

import orjson
import pytest

from scimsvc.mapping import Profile, parse_profile
from scimsvc.mapping.functions import installed
from scimsvc.mapping.profile.changes import changes
from scimsvc.mapping.synchronization import export_schema
from scimsvc.service.facts import as_data
from tests.cli.conftest import Run

MATCH = "- {source: objectId, target: externalId, matching: 1}"


def profile(*rows: str, more: str = "") -> Profile:
    """A profile with further rows for users."""
    listed = "".join(f"\n    {row}" for row in (MATCH, *rows))
    return parse_profile(f"profile: p\nusers:\n  mappings:{listed}\n{more}", Path("p.yaml"))


TITLE = "- {source: jobTitle, target: title}"
SCOPE = "  scope:\n    - clauses: [{attribute: city, operator: IS NOT NULL}]\n"


@pytest.mark.parametrize(
    ("former", "new", "fact"),
    [
        (
            profile(),
            profile("- {source: mail, target: title, default: x, apply: create}"),
            {
                "within": "users",
                "part": "row",
                "name": "title",
                "before": None,
                "after": {"source": "mail", "target": "title", "default": "x", "apply": "create"},
            },
        ),
        (
            profile(TITLE),
            profile("- {expression: 'ToUpper( [jobTitle] )', target: title}"),
            {
                "within": "users",
                "part": "source",
                "name": "title",
                "before": {"source": "jobTitle"},
                "after": {"expression": "ToUpper([jobTitle])"},
            },
        ),
        (
            profile(),
            profile(more=SCOPE),
            {
                "within": "users",
                "part": "scope",
                "name": "",
                "before": [],
                "after": [[{"attribute": "city", "operator": "IS NOT NULL"}]],
            },
        ),
        (
            profile(more="policies: {deleteAfter: 1}"),
            profile(more="policies: {deleteAfter: 30}"),
            {"within": "policies", "part": "policy", "name": "deleteAfter", "before": 1, "after": 30},
        ),
        (
            profile(more="  attributes: [{name: badge}]"),
            profile(more="  attributes: [{name: badge, multiValued: true}]"),
            {"within": "users", "part": "attribute", "name": "badge", "before": {"multiValued": False}, "after": {}},
        ),
        (
            profile(more="selfService: []"),
            profile(more="selfService: [nickName]"),
            {"within": "selfService", "part": "selfService", "name": "nickName", "before": None, "after": True},
        ),
    ],
    ids=lambda value: value["part"] if isinstance(value, dict) else "",
)
def test_change_is_data(former: Profile, new: Profile, fact: dict[str, object]):
    data = [as_data(change) for change in changes(former, new)]
    assert data == json.loads(orjson.dumps(data))
    (change,) = data
    if fact["part"] == "attribute":
        assert (change["before"]["multiValued"], change["after"]["multiValued"]) == (False, True)
        fact = {**fact, "before": change["before"], "after": change["after"]}
    assert change == fact


def test_differences_from_entra_are_printed_as_json(run: Run, folder: Path):
    (folder / "mappings" / "p.yaml").write_text(f"profile: p\nusers:\n  mappings:\n    {MATCH}\n    {TITLE}\n")
    schema = export_schema(profile("- {source: mail, target: title, matching: 2}"), installed())
    mapping = schema["synchronizationRules"][0]["objectMappings"][0]
    mapping["attributeMappings"][1]["flowBehavior"] = "FlowAlways"
    (folder / "s.json").write_bytes(orjson.dumps(schema))
    result = run("mappings", "diff", "p", "s.json", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {
            "table": "users",
            "part": "source",
            "name": "title",
            "entra": {"source": "mail"},
            "profile": {"source": "jobTitle"},
        },
        {"table": "users", "part": "precedence", "name": "title", "entra": 2, "profile": None},
        {
            "leftOut": {
                "place": "synchronizationRules[0].objectMappings[0].attributeMappings[1]",
                "key": "flowBehavior",
                "name": "title",
                "value": "FlowAlways",
            }
        },
    ]


def test_no_differences_are_an_empty_array(run: Run, folder: Path):
    (folder / "mappings" / "p.yaml").write_text(f"profile: p\nusers:\n  mappings:\n    {MATCH}\n    {TITLE}\n")
    (folder / "s.json").write_bytes(orjson.dumps(export_schema(profile(TITLE), installed())))
    result = run("mappings", "diff", "p", "s.json", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        (["- {source: givenname, target: title}"], "unknown-source-attribute"),
        (["- {target: title}"], "no-source"),
        (["- {source: otherMails, target: title}"], "several-values"),
        (["- {source: appRoleAssignments, target: roles}"], "roles-without-expression"),
        (['- {expression: \'Switch([city], , "x", "y")\', target: title}'], "switch-without-default"),
        (["- {source: mail, target: emails}", "- {source: mail, target: emails.type}"], "overlapping-rows"),
    ],
)
def test_warning_names_its_rule(run: Run, folder: Path, rows: list[str], rule: str):
    login = "- {source: userPrincipalName, target: userName}"
    listed = "".join(f"    {row}\n" for row in (MATCH, login, *rows))
    (folder / "doubted.yaml").write_text(f"profile: p\nusers:\n  mappings:\n{listed}")
    found = json.loads(run("mappings", "check", "--format", "json", "doubted.yaml").stdout)
    assert [(finding["severity"], finding["rule"]) for finding in found] == [("warning", rule)]
