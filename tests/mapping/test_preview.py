"""What Entra will send for an object of the directory, and that the service takes it."""

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.cli import main
from scimsvc.mapping import Profile, parse_profile
from scimsvc.mapping.entra.directory import has_source_attribute, source_attributes, source_of
from scimsvc.mapping.entra.preview import PreviewError, preview
from scimsvc.service.profiles.files import load_profile
from scimsvc.store.database import Database
from tests.cli.conftest import Run
from tests.support.server import BASE_PATH, ROOT, new_token
from tests.support.wsgi import call

ENTRA = load_profile(ROOT / "mappings" / "entra.yaml")
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
JANE = {
    "id": "00aa-1",
    "accountEnabled": True,
    "displayName": "Jane Doe",
    "userPrincipalName": "jane@example.com",
    "givenName": "Jane",
    "surname": "Doe",
    "manager": {"id": "m-1"},
    "businessPhones": ["1", "2"],
}


def profile(*rows: str) -> Profile:
    text = "profile: p\nusers:\n  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"
    groups = "groups:\n  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"
    return parse_profile(text + "".join(f"    - {row}\n" for row in rows) + groups, Path("p.yaml"))


def created(*rows: str, found: dict[str, Any] = JANE) -> dict[str, Any]:
    body = preview(profile(*rows).users, found)["create"]
    return {name: value for name, value in body.items() if name not in ("schemas", "meta", "externalId")}


def updated(*rows: str, found: dict[str, Any] = JANE) -> dict[str, Any]:
    sent = preview(profile(*rows).users, found)["update"]["default"]["Operations"]
    return {operation["path"]: operation["value"] for operation in sent if operation["path"] != "externalId"}


def test_user_is_sent_as_the_tutorial_has_it():
    shown = preview(ENTRA.users, JANE)
    assert shown["match"] == ['externalId eq "00aa-1"']
    assert shown["create"] == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": "00aa-1",
        "userName": "00aa-1",
        "active": True,
        "displayName": "Jane Doe",
        "emails": [{"type": "work", "value": "jane@example.com", "primary": True}],
        "name": {"givenName": "Jane", "familyName": "Doe", "formatted": "Jane Doe"},
        "meta": {"resourceType": "User"},
    }
    default, flagged = (shown["update"][dialect]["Operations"] for dialect in ("default", "aadOptscim062020"))
    assert {"op": "Replace", "path": "active", "value": "True"} in default
    assert len(default) == 8
    assert flagged == [
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "jane@example.com"},
        {
            "op": "replace",
            "value": {
                "externalId": "00aa-1",
                "active": True,
                "displayName": "Jane Doe",
                "userName": "00aa-1",
                "name.givenName": "Jane",
                "name.familyName": "Doe",
                "name.formatted": "Jane Doe",
            },
        },
    ]
    assert "references" not in shown


def test_group_is_sent_without_its_members_which_follow():
    shown = preview(ENTRA.groups, {"id": "g", "displayName": "G", "members": [{"id": "a"}, {"id": "b"}]})
    assert "members" not in shown["create"]
    assert shown["create"]["schemas"][1].startswith("http://schemas.microsoft.com/")
    for dialect, op in (("default", "Add"), ("aadOptscim062020", "add")):
        (operation,) = shown["references"][dialect]["Operations"]
        assert operation == {"op": op, "path": "members", "value": [{"value": "a"}, {"value": "b"}]}


@pytest.mark.parametrize(
    ("changes", "active"), [({}, True), ({"accountEnabled": False}, False), ({"deletedDateTime": "x"}, False)]
)
def test_who_is_disabled_or_deleted_is_sent_as_inactive(changes: dict[str, Any], active: bool):
    shown = preview(ENTRA.users, JANE | changes)
    assert shown["create"]["active"] is active
    assert {"op": "Replace", "path": "active", "value": str(active)} in shown["update"]["default"]["Operations"]


@pytest.mark.parametrize(
    ("rows", "body"),
    [
        (
            ["{source: telephoneNumber, target: 'phoneNumbers[type eq \"work\"].value'}"],
            {"phoneNumbers": [{"type": "work", "value": "1"}]},
        ),
        (["{constant: x, target: title}"], {"title": "x"}),
        (["{target: title}"], {}),
        (["{target: title, default: none}"], {"title": "none"}),
        (["{source: jobTitle, target: title}"], {}),
        (["{source: jobTitle, target: title, default: none}"], {"title": "none"}),
        (["{source: givenName, target: title, apply: create}"], {"title": "Jane"}),
        (["expression: 'IgnoreFlowIfNullOrEmpty([jobTitle])'\n      target: title"], {}),
        (["expression: 'Not([IsSoftDeleted])'\n      target: active"], {"active": True}),
        (["{source: manager, target: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager'}"], {}),
        (["{source: employeeOrgData.division, target: title}"], {"title": "D"}),
        (["{source: extensionAttribute7, target: title}"], {"title": "seven"}),
        (["{source: extension_0123456789abcdef0123456789abcdef_size, target: title}"], {"title": "XL"}),
    ],
)
def test_row_comes_to_its_value(rows: list[str], body: dict[str, Any]):
    more = {
        "employeeOrgData": {"division": "D"},
        "onPremisesExtensionAttributes": {"extensionAttribute7": "seven"},
        "extension_0123456789abcdef0123456789abcdef_size": "XL",
    }
    assert created(*rows, found=JANE | more) == body


def test_defaults_and_rows_for_creation_do_not_count_in_an_update():
    rows = ("{source: jobTitle, target: title, default: none}", "{source: givenName, target: nickName, apply: create}")
    assert created(*rows) == {"title": "none", "nickName": "Jane"}
    assert updated(*rows) == {}


def test_object_that_an_expression_leaves_out_is_not_sent():
    row = "expression: 'IIF([userType] = \"Guest\", IgnoreObjectFlow, [userType])'\n      target: userType"
    shown = preview(profile(row).users, JANE | {"userType": "Guest"})
    assert shown == {"objectId": "00aa-1", "skipped": "the expression for userType says IgnoreObjectFlow"}
    assert created(row, found=JANE | {"userType": "Member"}) == {"userType": "Member"}
    failing = "expression: 'CDate([surname])'\n      target: title"
    explained = preview(profile(row, failing).users, JANE | {"userType": "Guest"}, explain=True)
    assert (explained["skipped"], explained["rows"][1]["value"]) == (shown["skipped"], {"ignored": True})
    assert explained["rows"][2]["error"].startswith("'Doe' is not a date")


def test_every_row_that_can_not_be_worked_out_is_named():
    rows = [
        "expression: 'CDate([surname])'\n      target: title",
        "expression: 'Left([surname], [givenName])'\n      target: nickName",
    ]
    with pytest.raises(PreviewError) as caught:
        preview(profile(*rows).users, JANE)
    assert str(caught.value) == (
        "title: 'Doe' is not a date such as 2020-03-16-07:00 or 3/16/2020 7:00:00 AM (column 1 of CDate([surname])); "
        "nickName: NumChars must be an integer, not 'Jane' (column 1 of Left([surname], [givenName]))"
    )


def test_row_that_can_not_be_worked_out_is_explained_as_far_as_it_came():
    rows = [
        "expression: 'CDate(ToLower([surname]))'\n      target: title",
        "{source: city, target: nickName, default: x, apply: create}",
    ]
    shown = preview(profile(*rows).users, JANE, explain=True)
    assert shown["error"].startswith("title: 'doe' is not a date")
    assert "create" not in shown
    failed, created_only = shown["rows"][1:]
    assert [step["value"] for step in failed["steps"]] == ["Doe", "doe"]
    assert failed["error"].endswith("(column 1)")
    assert created_only == {"target": "nickName", "apply": "create", "default": "x", "source": "city", "value": None}


@pytest.mark.parametrize("number", ["99999999999999999999", "-9223372036854775809", "9223372036854775808"])
@pytest.mark.parametrize(
    "row", ["source: employeeType", "expression: 'Join(\"\", [employeeType])'", 'expression: \'Switch("a", {}, "b", "c")\'']
)
def test_whole_number_that_json_can_not_hold_stays_a_text(number: str, row: str):
    custom = "target: num}\n  attributes:\n    - {name: num, type: Integer}"
    shown = preview(profile(f"{{{row.format(number)}, {custom}").users, JANE | {"employeeType": number})
    assert shown["create"]["num"] == number
    assert "num must be a whole number of at most 64 bits, so the create is refused" in shown["warnings"]
    assert orjson.dumps(shown)


@pytest.mark.parametrize(
    ("row", "more", "warnings"),
    [
        ("{source: userPrincipalName, target: userName}", {}, []),
        ("{source: city, target: userName}", {}, ["userName is required and has no value, so the create is refused"]),
        ("{source: mail, target: userName}", {"id": None}, ["no matching attribute has a value, so Entra skips the object"]),
        (
            "{source: mail, target: userName}\n    - {source: city, target: active}",
            {"city": "Oslo"},
            ["active must be true or false, so the create is refused"],
        ),
    ],
)
def test_what_keeps_a_create_from_going_well_is_told(row: str, more: dict[str, Any], warnings: list[str]):
    assert preview(profile(row).users, JANE | {"mail": "m"} | more).get("warnings", []) == warnings


@pytest.mark.parametrize("expression", ["RemoveDuplicates([otherMails])", "AppRoleAssignmentsComplex([appRoleAssignments])"])
def test_nothing_is_not_sent(expression: str):
    target = "roles" if "Role" in expression else "nickName"
    shown = preview(profile(f"expression: {expression}\n      target: {target}").users, JANE | {"otherMails": []})
    assert target not in json.dumps(shown)


def test_rows_are_explained_with_every_value_on_the_way():
    row = 'expression: \'IIF([jobTitle] = "x", ToUpper([surname]), Append(ToLower([givenName]), "!"))\'\n      target: title'
    *_, explained = preview(profile(row).users, JANE | {"jobTitle": "y"}, explain=True)["rows"]
    assert explained["value"] == "jane!"
    assert [(step["expression"], step["value"]) for step in explained["steps"]] == [
        ("[jobTitle]", "y"),
        ("[givenName]", "Jane"),
        ("ToLower([givenName])", "jane"),
        ('Append(ToLower([givenName]), "!")', "jane!"),
        ('IIF([jobTitle] = "x", ToUpper([surname]), Append(ToLower([givenName]), "!"))', "jane!"),
    ]
    first, *_ = preview(profile(row).users, JANE, explain=True)["rows"]
    assert first == {"target": "externalId", "matching": 1, "source": "objectId", "value": "00aa-1"}


def test_redacted_value_flows_and_is_not_explained():
    row = "expression: 'Join(\"\", Redact([surname]))'\n      target: title"
    shown = preview(profile(row).users, JANE, explain=True)
    assert shown["create"]["title"] == "Doe"
    assert "Doe" not in json.dumps(shown["rows"])
    assert shown["rows"][1]["value"] == "[Redact]"
    compared = 'expression: \'IIF(Redact([surname])="x", "y", "n")\'\n      target: title'
    assert "Doe" not in json.dumps(preview(profile(compared).users, JANE, explain=True)["rows"])


def test_source_attributes_come_under_entras_names_or_graphs():
    assert source_of("User", {"objectId": "1", "IsSoftDeleted": "True", "mobile": "2"}) == {
        "objectId": "1",
        "IsSoftDeleted": "True",
        "mobile": "2",
    }
    assert source_of("User", {"id": "1", "mobilePhone": "2", "accountEnabled": False, "city": None}) == {
        "objectId": "1",
        "IsSoftDeleted": "True",
        "accountEnabled": "False",
        "mobile": "2",
    }
    assert source_of("Group", {"id": "1", "members": ["a", {"id": "b"}]}) == {"objectId": "1", "members": ["a", "b"]}
    assert has_source_attribute("User", "extensionAttribute15")
    assert not has_source_attribute("User", "extensionAttribute16")
    assert not has_source_attribute("User", "objectid")
    assert "members" in source_attributes("Group")


@pytest.mark.parametrize("name", ["entra", "entra-default"])
def test_service_takes_what_the_preview_shows_and_an_update_changes_nothing(app: Flask, database: Database, name: str):
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant')}"}

    def send(method: str, path: str, body: Any) -> Any:
        answer = call(app, method, f"{BASE_PATH}{path}".encode(), headers, json.dumps(body).encode())
        assert answer.status < 300, answer.raw
        return answer.body

    users = load_profile(ROOT / "mappings" / f"{name}.yaml").users
    more = {"officeLocation": "1", "city": "Oslo", "postalCode": "2", "proxyAddresses": ["SMTP:a"], "mailNickname": "jane"}
    shown = preview(users, JANE | more)
    user = send("POST", "/Users", shown["create"])
    for dialect in ("default", "aadOptscim062020"):
        assert send("PATCH", f"/Users/{user['id']}", shown["update"][dialect]) == user
    group_shown = preview(ENTRA.groups, {"id": "g", "displayName": "G", "members": [user["id"]]})
    group = send("POST", "/Groups", group_shown["create"])["id"]
    for dialect in ("default", "aadOptscim062020"):
        send("PATCH", f"/Groups/{group}", group_shown["references"][dialect])
    found = call(app, "GET", f"{BASE_PATH}/Groups/{group}".encode(), headers).body
    assert [member["value"] for member in found["members"]] == [user["id"]]


def test_command_prints_a_line_for_each_object(run: Run, folder: Path):
    (folder / "u.json").write_text(json.dumps({"@odata.context": "x", "value": [JANE, JANE | {"id": "2"}]}))
    result = run("mappings", "preview", "--profile", "entra", "users", "u.json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [json.loads(line)["objectId"] for line in result.stdout.splitlines()] == ["00aa-1", "2"]
    (folder / "one.json").write_text(json.dumps(JANE))
    explained = json.loads(run("mappings", "preview", "--profile", "entra", "--explain", "users", "one.json").stdout)
    assert len(explained["rows"]) == 8


TWO = [JANE, JANE | {"id": "2", "displayName": "one\u2028two"}]


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (json.dumps(JANE), ["00aa-1"]),
        (json.dumps(TWO, indent=2), ["00aa-1", "2"]),
        (json.dumps({"value": TWO}), ["00aa-1", "2"]),
        ("\n".join(json.dumps(one, ensure_ascii=False) for one in TWO), ["00aa-1", "2"]),
        ("\r\n\r\n".join(json.dumps(one) for one in TWO) + "\r\n\r\n", ["00aa-1", "2"]),
        ("\n".join(json.dumps({"value": [one]}) for one in TWO), ["00aa-1", "2"]),
        ("\ufeff" + "\n".join(json.dumps(one) for one in TWO), ["00aa-1", "2"]),
        ("[]", []),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.usefixtures("folder")
def test_objects_come_from_standard_input_in_any_form(content: str, ids: list[str], encoding: str):
    arguments = ["mappings", "preview", "--profile", "entra", "users", "-"]
    result = CliRunner().invoke(main, arguments, input=content.encode(encoding))
    assert (result.exit_code, result.stderr) == (0, "")
    assert [json.loads(line)["objectId"] for line in result.stdout.encode().splitlines()] == ids


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "standard input: not JSON"),
        ('{"id": "1"}\n{"id": \n', "standard input: line 2: not JSON"),
        ('{"id": "1"}\n\n' + "[" * 100 + "]" * 100, "standard input: line 3: nested more than 64 deep"),
        ('{"id": "1"}\n[5]\n', "standard input: object 2: must be a JSON object"),
        ('{\n"id": "1",\n}', "standard input: not JSON"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_wrong_on_standard_input_is_named_with_its_line(content: str, message: str):
    result = CliRunner().invoke(main, ["mappings", "preview", "--profile", "entra", "users", "-"], input=content)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def test_warnings_fail_a_strict_preview_alone(run: Run, folder: Path):
    preview_of_users = ("mappings", "preview", "--profile", "entra", "users", "u.json")
    for found, status in ((JANE, 0), ({"mail": "x"}, 1)):
        (folder / "u.json").write_text(json.dumps(found))
        lax, strict = run(*preview_of_users), run(*preview_of_users, "--strict")
        assert (lax.exit_code, strict.exit_code) == (0, status)
        assert lax.stdout == strict.stdout
        assert ("warnings" in json.loads(lax.stdout)) == bool(status)


def test_a_preview_shows_progress_and_what_an_interruption_leaves(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "u.json").write_text(json.dumps(TWO))
    command = ("mappings", "preview", "--profile", "entra", "users", "u.json")
    monkeypatch.setattr("scimsvc.cli.progress.LINE_EVERY", 0.0)
    assert run(*command).stderr.splitlines() == [f"previewing: {n} of 2 objects ({50 * n} %)" for n in (1, 2)]
    monkeypatch.setattr(sys.modules["scimsvc.cli.mappings"], "preview_of", lambda *_: signal.raise_signal(signal.SIGINT))
    stopped = run(*command)
    assert (stopped.exit_code, stopped.stdout) == (128 + signal.SIGINT, "")
    assert stopped.stderr == "interrupted: nothing was printed; a preview only reads\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "x.json: not JSON"),
        ("[1, {}, []]", "x.json: object 1: must be a JSON object\nx.json: object 2: is not a user"),
        (
            '{"error": {"code": "Request_ResourceNotFound"}}',
            "is not a user but an error of Microsoft Graph: Request_ResourceNotFound",
        ),
        ('{"value": 5}', "is not a user: it has no attribute"),
        ('{"id": "1", "members": {"id": "x"}}', "members must be a list of objects"),
        ('{"id": "1", "members": [{"id": "x"}, {"x": 1}]}', "members[1] must be an object with an id"),
        ('{"id": "1", "manager": []}', "manager must be an object with an id"),
        ("[" * 100 + "]" * 100, "x.json: nested more than 64 deep"),
        ('"x"', "x.json: object 1: must be a JSON object"),
    ],
)
def test_command_names_every_object_that_is_none_and_prints_nothing(run: Run, folder: Path, content: str, message: str):
    (folder / "x.json").write_text(content)
    result = run("mappings", "preview", "--profile", "entra", "users", "x.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert "there is no profile 'entre'" in run("mappings", "preview", "--profile", "entre", "users", "x.json").stderr


NAMES = st.sampled_from(
    ["id", "objectId", "accountEnabled", "IsSoftDeleted", "givenName", "surname", "mail", "manager", "members", "x"]
) | st.sampled_from(
    ["businessPhones", "proxyAddresses", "onPremisesExtensionAttributes", "employeeOrgData", "appRoleAssignments"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=6,
)
EVERYTHING = profile(
    "{source: manager, target: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager'}",
    "{source: proxyAddresses, target: emails}",
    "{source: mail, target: 'emails[type eq \"work\"].value'}",
    "expression: 'AppRoleAssignmentsComplex([appRoleAssignments])'\n      target: roles",
    "{source: surname, target: active}",
    "{source: businessPhones, target: 'phoneNumbers[type eq \"work\" and primary eq true].value'}",
    "{source: givenName, target: name.givenName}",
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=6) | JSON)
def test_any_object_is_shown_or_refused(found: Any):
    for table in (ENTRA.users, ENTRA.groups, EVERYTHING.users):
        with suppress(PreviewError):
            json.dumps(preview(table, found, explain=True))
