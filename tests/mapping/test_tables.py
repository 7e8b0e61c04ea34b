"""What a table may be: of users or groups alone, with flow types and source attributes of its own; and what its rows warn of."""

import json
from pathlib import Path
from typing import Any

import pytest

from scimsvc.mapping import Profile, ProfileError, parse_profile
from scimsvc.mapping.entra.preview import PreviewError, preview
from scimsvc.mapping.expression import compile_expression
from scimsvc.service.catalog import Catalog
from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from tests.cli.conftest import Run
from tests.support.errors import assert_scim_error
from tests.support.server import BASE_PATH, new_token
from tests.support.wsgi import call

FILE = Path("p.yaml")
JANE = {"id": "1", "displayName": "Jane", "userPrincipalName": "jane@example.com", "proxyAddresses": ["a", "b"]}
KEY = "{source: objectId, target: externalId, matching: 1}"
NAME = "{source: userPrincipalName, target: userName}"


def text(*rows: str, table: str = "users", more: str = "") -> str:
    listed = "".join(f"    - {row}\n" for row in (KEY, *rows))
    return f"profile: p\n{table}:\n  mappings:\n{listed}{more}"


def parsed(*rows: str, table: str = "users", more: str = "") -> Profile:
    return parse_profile(text(*rows, table=table, more=more), FILE)


def warnings(*rows: str, more: str = "") -> list[str]:
    return [one.message for one in parsed(NAME, *rows, more=more).warnings]


def mistakes(content: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(content, FILE)
    return [one.message for one in caught.value.findings if one.severity == "error"]


@pytest.mark.parametrize(("table", "other"), [("users", "groups"), ("groups", "users")])
def test_profile_may_have_one_table(table: str, other: str):
    name = NAME if table == "users" else "{source: displayName, target: displayName}"
    members = ("{source: members, target: members}",) if table == "groups" else ()
    profile = parsed(name, *members, table=table)
    assert (list(profile.tables()), profile.warnings) == ([table], ())
    assert {type_.name for type_ in Catalog(profile).resource_types()} == {"User", "Group"}
    assert preview(getattr(profile, table), JANE)["create"]
    with pytest.raises(PreviewError, match=f"the profile has no table {other}"):
        preview(getattr(profile, other), JANE)


def test_commands_take_a_profile_with_one_table(run: Run, folder: Path):
    (folder / "mappings" / "one.yaml").write_text(text(NAME).replace("profile: p", "profile: one"))
    assert run("mappings", "check").exit_code == 0
    (folder / "u.json").write_text(json.dumps(JANE))
    assert run("mappings", "preview", "--profile", "one", "users", "u.json").exit_code == 0
    refused = run("mappings", "preview", "--profile", "one", "groups", "u.json")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "the profile has no table groups" in refused.stderr
    exported = run("mappings", "export", "--profile", "one")
    (folder / "s.json").write_text(exported.stdout)
    schema = json.loads(exported.stdout)
    assert [one["sourceObjectName"] for one in schema["synchronizationRules"][0]["objectMappings"]] == ["User"]
    again = run("mappings", "import", "s.json")
    assert (again.exit_code, again.stderr) == (0, "")
    assert "groups:" not in again.stdout
    assert run("mappings", "diff", "one", "s.json").output == "no differences\n"


def test_service_has_groups_also_if_the_profile_has_users_alone():
    catalog = Catalog(parsed(NAME))
    assert [type_.name for type_ in catalog.resource_types()] == ["User", "Group"]
    assert catalog.types["groups"].unique == ()
    only_groups = Catalog(parsed("{source: displayName, target: displayName}", table="groups"))
    assert only_groups.inverse_of_users.source({"externalId": "1"}) == {}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  flowTypes: [Add, Create]\n", "unknown flow type 'Create', did you mean 'Add'?; known are Add, Update, Delete"),
        ("  flowTypes: [Add, Add]\n", "Add is here twice"),
        ("  flowTypes: []\n", "flowTypes is empty"),
        ("  flowTypes: Add\n", "flowTypes must be a list"),
        ("  flowTypes: [[]]\n", "a flow type must be a string"),
        ("  sourceAttributes: [5]\n", "a source attribute must be a mapping"),
        ("  sourceAttributes: [{type: String}]\n", "the key 'name' is missing"),
        ("  sourceAttributes: [{name: a, type: Strin}]\n", "unknown type 'Strin', did you mean 'String'?"),
        ("  sourceAttributes: [{name: a b}]\n", "has no spaces and no brackets"),
        ("  sourceAttributes: [{name: a}, {name: a}]\n", "a is here twice"),
        ("  sourceAttributes: [{name: a, multiValued: 1}]\n", "multiValued must be true or false"),
    ],
)
def test_mistake_in_a_table_is_named(more: str, message: str):
    assert message in mistakes(text(more=more))[0]


def test_flow_types_decide_what_is_sent():
    profile = parsed(NAME, more="  flowTypes: [Update, Delete]\n")
    assert profile.users.flow_types == ("Update", "Delete")
    shown = preview(profile.users, JANE)
    assert (shown["create"], bool(shown["update"]["default"])) == (None, True)
    assert shown["warnings"] == ["flowTypes has no Add, so Entra sends no create"]
    shown = preview(parsed(NAME, more="  flowTypes: [Add]\n").users, JANE)
    assert shown["update"] == {"default": None, "aadOptscim062020": None}
    assert bool(shown["create"])


def test_source_attribute_that_is_not_on_the_list_is_used_if_the_object_has_it():
    row = "{source: dirSyncEnabled, target: title}"
    table = parsed(NAME, row).users
    assert preview(table, JANE | {"dirSyncEnabled": True})["create"]["title"] == "True"
    shown = preview(table, JANE)
    assert "title" not in shown["create"]
    assert shown["warnings"] == [
        "the object has no dirSyncEnabled, and it is not an attribute of Entra's users, so it counts as empty"
    ]
    scoped = parsed(NAME, more="  scope: [{clauses: [{attribute: a.b, operator: EQUALS, value: x}]}]\n").users
    assert "create" in preview(scoped, JANE | {"a": {"b": "x"}})
    assert "skipped" in preview(scoped, JANE)


def test_source_attribute_that_a_table_defines_is_known():
    row = "{source: dirSyncEnabled, target: title}"
    assert "; if yours have it, list it under sourceAttributes" in warnings(row)[0]
    defined = "  sourceAttributes: [{name: dirSyncEnabled, type: Boolean}, {name: badges, multiValued: true}]\n"
    assert warnings(row, more=defined) == []
    assert preview(parsed(NAME, row, more=defined).users, JANE).get("warnings") is None
    assert warnings("{source: dirSyncEnable, target: title}", more=defined) == [
        "Entra's users have no attribute 'dirSyncEnable', did you mean 'dirSyncEnabled'?"
    ]
    assert warnings("{source: badges, target: title}", more=defined) == [
        "badges has several values and title has one: Entra sends the first"
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "{source: onPremisesExtensionAttributes.extensionAttribute1, target: title}",
            "Entra's users have no attribute 'onPremisesExtensionAttributes.extensionAttribute1', "
            "did you mean 'extensionAttribute1'?",
        ),
        ("{source: mobilePhone, target: title}", "Entra's users have no attribute 'mobilePhone', did you mean 'mobile'?"),
        (
            "{source: appRoleAssignments, target: roles}",
            "appRoleAssignments arrives as XML: map it with an expression, such as "
            "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])",
        ),
        ("{source: proxyAddresses, target: title}", "proxyAddresses has several values and title has one: Entra sends the first"),
        (
            "expression: 'Split([city], \",\")'\n      target: title",
            "Split has several values and title has one: Entra sends the first",
        ),
        (
            "expression: RemoveDuplicates([otherMails])\n      target: title",
            "RemoveDuplicates has several values and title has one: Entra sends the first",
        ),
        (
            "{source: mail, target: 'emails[type eq \"work\"]'}",
            'emails[type eq "work"] ends in a filter and means its value: write emails[type eq "work"].value',
        ),
        (
            "{source: mail, target: 'emails[type eq \"office\"].value'}",
            "type is usually one of work, home, other, not 'office'",
        ),
        (
            "{constant: office, target: 'emails[value eq \"x\"].type'}",
            "type is usually one of work, home, other, not 'office'",
        ),
        (
            "{source: city, target: 'emails[value eq \"x\"].type', default: hom}",
            "type is usually one of work, home, other, not 'hom', did you mean 'home'?",
        ),
        (
            "{source: mail, target: 'phoneNumbers[primary eq true and type eq \"moble\"].value'}",
            "type is usually one of work, home, mobile, fax, pager, other, not 'moble', did you mean 'mobile'?",
        ),
    ],
)
def test_what_microsoft_advises_against_is_a_warning(row: str, message: str):
    assert warnings(row) == [message]


@pytest.mark.parametrize(
    "row",
    [
        "{source: proxyAddresses, target: emails}",
        "{source: proxyAddresses, target: 'emails[type eq \"other\"].value'}",
        "{source: mail, target: 'emails[type eq \"WORK\"].value'}",
        "{source: mail, target: 'roles[type eq \"office\"].value'}",
        "{source: mail, target: 'emails[value eq \"office\"].display'}",
        "expression: RemoveDuplicates([city])\n      target: title",
        "expression: SingleAppRoleAssignment([appRoleAssignments])\n      target: title",
    ],
)
def test_values_that_fit_their_target_have_no_warning(row: str):
    assert warnings(row) == []


def test_several_values_for_a_target_of_one_are_named_in_a_preview():
    shown = preview(parsed(NAME, "{source: proxyAddresses, target: title}").users, JANE)
    assert shown["create"]["title"] == "a"
    assert shown["warnings"] == ["title has one value: of the 2 values only the first is sent"]


def test_target_that_ends_in_a_filter_is_its_value():
    shown = preview(parsed(NAME, "{source: userPrincipalName, target: 'emails[type eq \"work\"]'}").users, JANE)
    assert shown["create"]["emails"] == [{"type": "work", "value": "jane@example.com", "primary": True}]
    sent = shown["update"]["default"]["Operations"][-1]
    assert sent == {"op": "Replace", "path": 'emails[type eq "work"]', "value": "jane@example.com"}
    both = text("{source: mail, target: 'emails[type eq \"work\"]'}", "{source: mail, target: 'emails[type eq \"work\"].value'}")
    assert "two mappings for" in mistakes(both)[0]
    matched = "{source: mail, target: 'emails[type eq \"work\"]', matching: 2}"
    assert mistakes(text(matched)) == ['Entra can\'t match by emails[type eq "work"]: write emails[type eq "work"].value']
    assert "addresses has no value of its own" in mistakes(text("{source: city, target: 'addresses[type eq \"work\"]'}"))[0]


def test_what_only_entra_can_work_out_is_named_and_the_rest_is_shown():
    row = "expression: 'Join(\"@\", [mailNickname], DefaultDomain())'\n      target: title"
    table = parsed(NAME, row).users
    shown = preview(table, JANE, explain=True)
    reason = "DefaultDomain is a setting of the Entra tenant, so only Entra can work it out"
    assert shown["create"]["userName"] == "jane@example.com"
    assert shown["warnings"] == [f"title is not shown: {reason}"]
    assert shown["rows"][-1]["error"].startswith(reason)
    example = "  examples: [{source: {objectId: '1'}, expect: {externalId: '1'}}]\n"
    assert parsed(NAME, row, more=example).users
    assert f"an example can't expect title: {reason}" in mistakes(text(row, more=example.replace("externalId", "title")))
    with pytest.raises(PreviewError) as caught:
        preview(parsed(row, "expression: CDate([displayName])\n      target: nickName").users, JANE)
    assert str(caught.value).startswith("nickName: ")


@pytest.mark.parametrize(
    ("expression", "source", "value"),
    [
        ("Trim([a])", {"a": "\t x y\u3000\r\n"}, "x y"),
        ("Trim([a])", {"a": "\x1cx"}, "\x1cx"),
        ("Trim([a])", {}, None),
        ("Left(Trim([a]), 1)", {"a": " xy"}, "x"),
        ("IgnoreFlowIfNullOrEmpty(Trim([a]))", {"a": "x "}, "x"),
        ("AppRoleAssignments([a])", {"a": [{"id": "1", "value": "v"}, {"displayName": "d"}]}, ["v", "d"]),
        ("AppRoleAssignments([a])", {}, None),
    ],
)
def test_function_comes_to_its_value(expression: str, source: dict[str, Any], value: Any):
    assert compile_expression(expression).evaluate(source) == value


def test_preview_over_http_says_that_there_is_no_such_table(database: Database, tmp_path: Path):
    (tmp_path / "p.yaml").write_text(text(NAME))
    app = create_app(Settings(database=DatabaseSettings(url=database.url), mappings=MappingsSettings(directory=tmp_path)))
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant', 'p')}"}
    shown = call(app, "POST", b"/api/mappings/preview/users", headers, json.dumps(JANE).encode())
    assert shown.status == 200
    refused = call(app, "POST", b"/api/mappings/preview/groups", headers, json.dumps(JANE).encode())
    assert_scim_error(refused, 404)
    assert "The profile p has no table groups" in refused.body["detail"]
    made = call(app, "POST", f"{BASE_PATH}/Groups".encode(), headers, json.dumps({"displayName": "G"}).encode())
    assert made.status == 201


def test_empty_default_is_none_as_in_graph():
    table = parsed(NAME, "{source: city, target: title, default: ''}").users
    assert table.mappings[-1].default is None
    assert "title" not in preview(table, JANE)["create"]
