"""What `mappings check` says beyond mistakes: what may not be meant, and examples that don't hold."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from scimsvc.mapping import Finding, ProfileError, parse_profile
from scimsvc.mapping.profile.custom_attributes import TYPES
from scimsvc.mapping.reading import custom_attributes as custom_attributes_module
from scimsvc.mapping.reading import examples as examples_module
from scimsvc.mapping.reading import rows as rows_module
from scimsvc.mapping.reading import source_attributes as source_attributes_module
from scimsvc.mapping.reading import tables as tables_module
from scimsvc.service.profiles.files import load_profile
from tests.cli.conftest import Run
from tests.support.server import ROOT

FILE = Path("p.yaml")
SCHEMA = json.loads((ROOT / "mappings" / "profile.schema.json").read_text())


GROUPS = "groups:\n  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"


def text(*rows: str, more: str = "", head: str = "") -> str:
    """A profile with further rows for users, the first of them in line 5 where there is no head."""
    listed = "".join(f"    - {row}\n" for row in rows)
    users = f"users:\n  mappings:\n    - {{source: objectId, target: externalId, matching: 1}}\n{listed}{more}"
    return f"profile: p\n{head}{users}{GROUPS}    - {{source: members, target: members}}\n"


def doubts(text: str) -> list[Finding]:
    """The warnings about a profile, but for those about required attributes that the rows of `text` don't have."""
    return [one for one in parse_profile(text, FILE).warnings if "no row has it" not in one.message]


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        ("{source: givenname, target: title}", 16, "Entra's users have no attribute 'givenname', did you mean 'givenName'?"),
        ("{source: members, target: title}", 16, "Entra's users have no attribute 'members'"),
        ('expression: Append([mial], "x")\n      target: title', 26, "no attribute 'mial', did you mean 'mail'?"),
        ("expression: 'Append([mial], \"x\")'\n      target: title", 27, "no attribute 'mial'"),
        ('expression: Switch([city], , "x", "y")\n      target: title', 19, "Switch without a default"),
        ('expression: Append(Switch([IsSoftDeleted], , "True", "y"), "z")\n      target: title', 26, "Switch without a default"),
        ('expression: Append(IIF(IsPresent([city]), "x", "y"), "z")\n      target: title', 26, "doesn't support IsPresent here"),
        ('expression: Switch(IsNull([city]), "x", "True", "y")\n      target: title', 19, "doesn't support IsNull here"),
        ('expression: IIF([city] = "", "x", "y")\n      target: title', 19, 'doesn\'t support a comparison with ""'),
        ('expression: Switch([manager], "", "x", "y")\n      target: title', 19, "doesn't support a reference"),
        ("expression: SelectUniqueValue([mail], [city])\n      target: title", 19, "for Active Directory alone"),
        ("{target: title}", 16, "nothing is sent for title"),
        (
            "{source: mail, target: emails.value}\n    - {source: mail, target: 'emails[type eq \"home\"].value'}",
            7,
            "the later row wins",
        ),
        (
            "{source: mail, target: emails}\n    - {source: mail, target: emails.type}",
            7,
            "emails.type and emails write the same",
        ),
        ("expression: ToLower([mail])\n      target: userName\n      matching: 2", 19, "userName is matched by an expression"),
    ],
)
def test_doubt_about_a_row_is_a_warning_at_its_place(row: str, column: int, message: str):
    (warning,) = doubts(text(row))
    line = 5 + row.count("\n    - ")
    assert (warning.line, warning.column, warning.severity) == (line, column, "warning")
    assert message in warning.message
    assert str(warning).startswith(f"p.yaml:{line}:{column}: warning: ")


@pytest.mark.parametrize(
    "row",
    [
        "{source: extensionAttribute15, target: title}",
        "{source: extension_0123456789abcdef0123456789abcdef_x, target: title}",
        "{source: employeeOrgData.costCenter, target: title}",
        'expression: Switch([IsSoftDeleted], , "False", "True", "True", "False")\n      target: active',
        'expression: Switch([city], "", "x", "y")\n      target: title',
        "{source: mail, target: 'emails[type eq \"work\"].value'}\n"
        "    - {source: mail, target: 'emails[type eq \"home\"].value'}",
        "{source: city, target: name.givenName}\n    - {source: city, target: name.familyName}",
        "{constant: work, target: 'emails[type eq \"work\"].type'}",
        "{constant: Work, target: 'emails[type eq \"work\"].type'}",
    ],
)
def test_row_without_doubt_has_no_warning(row: str):
    assert doubts(text(row)) == []


def test_attributes_of_another_directory_are_its_own():
    assert doubts(text("{source: login, target: title}", head="directory: okta\n")) == []


def test_directory_is_known_in_any_case_and_a_slip_in_its_name_is_a_warning():
    (warning,) = doubts(text("{source: login, target: title}", head="directory: Entra\n"))
    assert "Entra's users have no attribute 'login'" in warning.message
    (warning,) = doubts(text("{source: login, target: title}", head="directory: entrra\n"))
    message = "no source attribute of the directory 'entrra' is known, did you mean 'entra'?"
    assert (warning.line, warning.column, warning.message) == (2, 12, message)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("urn:acme:badge", False),
        ("urn:ietf:params:scim:schemas:extension:acme:badge", False),
        ("urn:ietf:params:scim:schemas:extension:acme:1.0:User:badge", False),
        ("urn:ietf:params:scim:schemas:extension:acme:2.0:User:badge", True),
        ("URN:ietf:params:scim:schemas:extension:acme:2.0:user:badge", True),
        ("badge", True),
    ],
)
def test_custom_attribute_that_entra_leaves_out_of_creates_is_a_warning(name: str, sent: bool):
    more = f"  attributes:\n    - {{name: '{name}'}}\n"
    found = [one.message for one in doubts(text("{source: mail, target: title}", more=more))]
    assert any("2.0:User:ATTRIBUTE" in one for one in found) != sent
    assert doubts(text("{source: mail, target: title}", more=more, head="directory: okta\n")) == []


def test_required_attribute_that_no_row_has_is_a_warning():
    custom = "  attributes:\n    - {name: badge, required: true}\n"
    found = parse_profile(text("{source: mail, target: title}", more=custom), FILE).warnings
    assert [(one.line, one.message.partition(":")[0]) for one in found] == [
        (3, "userName is required and no row has it, so every create is refused"),
        (3, "badge is required and no row has it, so every create is refused"),
        (9, "displayName is required and no row has it, so every create is refused"),
    ]
    rows = ("{source: mail, target: userName}", "{source: city, target: badge}")
    assert [one.line for one in parse_profile(text(*rows, more=custom), FILE).warnings] == [10]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{constant: home, target: 'emails[type eq \"work\"].type'}", "says that type is 'work', so it can't be 'home'"),
        (
            "{expression: 'SelectUniqueValue([mail], [city])', target: userName, matching: 2}",
            "userName can't be matched by SelectUniqueValue",
        ),
        ("{expression: Guid(), target: userName, matching: 2}", "can't be matched by what comes out differently each time"),
    ],
)
def test_row_that_can_never_work_is_an_error(row: str, message: str):
    with pytest.raises(ProfileError, match=message):
        parse_profile(text(row), FILE)


ROWS = (
    'expression: Join(" ", [givenName], [surname])\n      target: name.formatted',
    "{source: city, target: title, default: x}",
    "{source: mail, target: 'emails[type eq \"work\"].value'}",
)


@pytest.mark.parametrize(
    "example",
    [
        "{source: {givenName: A, surname: B}, expect: {name.formatted: A B, title: x}}",
        "{name: one, source: {city: Oslo}, expect: {TITLE: Oslo}}",
        "{source: {}, expect: {externalId: null}}",
        "{source: {mail: m}, expect: {'emails[Type eq \"work\" ].value': m}}",
        "{source: {city: 2001-13-45}, expect: {title: 2001-13-45}}",
    ],
)
def test_example_that_holds_is_no_finding(example: str):
    parse_profile(text(*ROWS, more=f"  examples:\n    - {example}\n"), FILE)


@pytest.mark.parametrize(
    ("example", "column", "message"),
    [
        ("{source: {city: Oslo}, expect: {title: Rome}}", 46, "title comes to 'Oslo', not to 'Rome'"),
        ("{source: {givenName: A}, expect: {name.formatted: null}}", 57, "name.formatted comes to 'A', not to nothing"),
        ("{source: {}, expect: {titel: x}}", 29, "no mapping has the target 'titel', did you mean 'title'?"),
        ("{source: {}}", 7, "an example needs 'expect'"),
        ("{source: {}, expect: {[c]: d}}", 29, "the name of an attribute must be a string"),
        ("{source: {[a]: b}, expect: {}}", 17, "the name of an attribute must be a string"),
        ("{source: {a: [{b: 1, b: 2}]}, expect: {}}", 28, "b is here twice"),
        ("{source: [], expect: {}}", 16, "an example needs 'source'"),
        ("{source: {}, expect: {}, wanted: {}}", 32, "unknown key 'wanted' in an example"),
        ("x", 7, "an example must be a mapping"),
    ],
)
def test_example_that_does_not_hold_is_an_error_at_its_place(example: str, column: int, message: str):
    with pytest.raises(ProfileError) as caught:
        parse_profile(text(*ROWS, more=f"  examples:\n    - {example}\n"), FILE)
    assert any((one.line, one.column) == (10, column) and message in one.message for one in caught.value.findings), caught.value


def test_example_that_can_not_be_worked_out_says_why():
    row = "expression: CDate([employeeHireDate])\n      target: title"
    with pytest.raises(ProfileError, match="the example can't be worked out: 'soon' is not a date"):
        parse_profile(text(row, more="  examples:\n    - {source: {employeeHireDate: soon}, expect: {title: x}}\n"), FILE)


def test_command_shows_warnings_and_is_content(run: Run, folder: Path):
    (folder / "mappings" / "entra.yaml").write_text(text("{source: nmae, target: title}"))
    result = run("mappings", "check")
    assert (result.exit_code, result.stdout) == (0, "mappings/entra.yaml: ok\n")
    assert result.stderr.startswith("mappings/entra.yaml:5:16: warning: Entra's users have no attribute 'nmae'")


@pytest.mark.parametrize("path", sorted((ROOT / "mappings").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_profile_has_no_findings_and_fits_the_schema_for_editors(path: Path):
    assert load_profile(path).warnings == ()
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)
    assert path.read_text().startswith("# yaml-language-server: $schema=profile.schema.json\n")


@pytest.mark.parametrize(
    ("keys", "definition"),
    [
        (rows_module._ROW_KEYS, "mapping"),
        (tables_module._TABLE_KEYS, "table"),
        (custom_attributes_module._ATTRIBUTE_KEYS, "attribute"),
        (examples_module._KEYS, "example"),
        (source_attributes_module._KEYS, "sourceAttribute"),
    ],
)
def test_schema_for_editors_has_the_keys_that_are_read(keys: tuple[str, ...], definition: str):
    assert set(SCHEMA["$defs"][definition]["properties"]) == set(keys)


def test_schema_for_editors_has_the_types_of_custom_attributes():
    assert set(SCHEMA["$defs"]["attribute"]["properties"]["type"]["enum"]) == set(TYPES)


@pytest.mark.parametrize(
    "content",
    [
        {"users": {}, "groups": {}},
        {"profile": "a b", "users": {}, "groups": {}},
        {"profile": "p", "users": {"mappings": [{"source": "a"}]}, "groups": {}},
        {"profile": "p", "users": {"mappings": [{"source": "a", "constant": "b", "target": "title"}]}, "groups": {}},
        {"profile": "p", "users": {"mapping": []}, "groups": {}},
        {"profile": "p"},
        {"profile": "p", "users": {"flowTypes": ["Create"]}},
        {"profile": "p", "users": {"flowTypes": []}},
        {"profile": "p", "users": {"sourceAttributes": [{"name": "a b"}]}},
        {"profile": "p", "users": {"sourceAttributes": [{"type": "String"}]}},
        {"profile": "p", "users": {"sourceAttributes": [{"name": "a", "type": "Text"}]}},
    ],
)
def test_schema_for_editors_refuses_what_check_refuses(content: dict[str, Any]):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, SCHEMA)
    with pytest.raises(ProfileError):
        parse_profile(yaml.safe_dump(content), FILE)


ALWAYS = "; every create is refused"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{expression: 'Join(\" \", [givenName], [surname])', target: active}", f"only texts such as 'True True'{ALWAYS}"),
        ('{expression: \'Switch([city], "no", "x", "yes")\', target: active}', f"only texts such as 'no'{ALWAYS}"),
        ("{expression: 'Append([IsSoftDeleted], \"!\")', target: active}", f"only texts such as 'True!'{ALWAYS}"),
        (
            '{expression: \'Switch([city], "x", "a", "True")\', target: active}',
            "active must be true or false; of an object without",
        ),
        ("{expression: 'Not([IsSoftDeleted])', target: active}", None),
        (
            '{expression: \'IIF([city] = "a", "true", "x")\', target: active}',
            "active must be true or false; of an object without",
        ),
        ("{source: accountEnabled, target: active}", None),
        ("{target: userName}", "userName is required and its row sends nothing, so every create is refused"),
        ("{target: userName, default: x}", None),
    ],
)
def test_rows_whose_creates_all_fail_are_warned_of(row: str, message: str | None):
    found = [one.message for one in doubts(text(row)) if "create is refused" in one.message]
    assert (found == []) if message is None else any(message in one for one in found)


def test_groups_without_members_are_warned_of():
    without = text().replace("    - {source: members, target: members}\n", "")
    assert ["no row has the target members" in one.message for one in doubts(without)] == [True]
    assert not any("members" in one.message for one in doubts(text()))


def test_example_whose_create_is_refused_is_warned_of():
    more = "  examples:\n    - {source: {accountEnabled: perhaps}, expect: {active: perhaps}}\n"
    (warning,) = doubts(text("{source: accountEnabled, target: active}", more=more))
    assert warning.line == 7
    assert warning.message == "active must be true or false, so the create of this example is refused"


@pytest.mark.parametrize("name", ["acme.yml", "acme.YAML", "acme.Yml"])
def test_profiles_are_found_by_any_of_yamls_suffixes(run: Run, folder: Path, name: str):
    (folder / "mappings" / name).write_text(
        text("{source: mail, target: userName}", head="title: Acme\n").replace("profile: p", "profile: acme")
    )
    assert f"acme\tAcme\tmappings/{name}\n" in run("mappings", "list").stdout
    assert f"{name}: ok" in run("mappings", "check").stdout
