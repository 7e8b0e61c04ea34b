"""Scoping filters: read, checked, applied, and carried to Graph's schema and back."""

import json
from pathlib import Path

import pytest

from scimsvc.mapping import Profile, ProfileError, parse_profile
from scimsvc.mapping.entra.preview import preview
from scimsvc.mapping.functions import installed
from scimsvc.mapping.profile.scope import OPERATORS, Clause, ScopingFilter, in_scope
from scimsvc.mapping.synchronization import ImportProblem, export_schema, import_schema
from tests.mapping.words import differences
from tests.support.server import ROOT

REGISTRY = installed()


def profile(*filters: str) -> Profile:
    """A profile whose first scoping filter stands in line 6."""
    listed = "".join(f"    - {one}\n" for one in filters)
    rows = "  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"
    scope = f"  scope:\n{listed}" if filters else ""
    return parse_profile(f"profile: p\nusers:\n{rows}{scope}groups:\n{rows}", Path("p.yaml"))


def clause(operator: str, value: str | None = None, attribute: str = "a") -> tuple[ScopingFilter, ...]:
    return (ScopingFilter("one", (Clause(attribute, operator, value),)),)


@pytest.mark.parametrize(
    ("operator", "value", "inside", "outside"),
    [
        ("EQUALS", "Sales", ["Sales"], ["sales", "Sales ", "", None]),
        ("NOT EQUALS", "Sales", ["sales"], ["Sales", "", None]),
        ("Includes", "al", ["Sales"], ["SALES", "", None]),
        ("ENDS_WITH", "es", ["Sales"], ["SALES", "", None]),
        ("&", "Sales,HR", ["HR"], ["IT", "", None]),
        ("!&", "Sales,HR", ["IT"], ["HR", "", None]),
        ("REGEX MATCH", "([1-9][0-9])", ["10", "99"], ["100", "09", "", None]),
        ("REGEX MATCH", r".*\@domain.com", ["a@domain.com"], ["a@domain.org", None]),
        ("REGEX MATCH", r"[a-z-[aeiou]]+\z", ["xyz"], ["xyz\n", "abc", None]),
        ("REGEX MATCH", "(a|aa)+b", ["aab"], ["a" * 5000]),
        ("NOT REGEX MATCH", "(a|aa)+b", ["ab!"], ["a" * 5000]),
        ("NOT REGEX MATCH", r".*\@domain.com", ["a@domain.org"], ["a@domain.com", "", None]),
        ("Greater_Than", "5", ["6", 7], ["5", "x", "", None]),
        ("Greater_Than_OR_EQUALS", "5", ["5", 5], ["4", None]),
        ("IS TRUE", None, ["True", True, "true"], ["False", False, "", None]),
        ("IS FALSE", None, ["False", False], ["True", "", None]),
        ("IS NULL", None, ["", None], ["x"]),
        ("IS NOT NULL", None, ["x", False], ["", None]),
    ],
)
def test_clause_holds_for_the_values_that_the_document_says(operator: str, value: str | None, inside: list, outside: list):
    assert [one for one in inside if not in_scope(clause(operator, value), {"a": one})] == []
    assert [one for one in outside if in_scope(clause(operator, value), {"a": one})] == []


def test_every_operator_of_the_document_is_there():
    assert len(OPERATORS) == 14
    schema = json.loads((ROOT / "mappings" / "profile.schema.json").read_text())
    assert set(schema["$defs"]["clause"]["properties"]["operator"]["enum"]) == set(OPERATORS)


def test_clauses_must_all_hold_and_one_filter_is_enough():
    sales = "{clauses: [{attribute: department, operator: EQUALS, value: Sales}, {attribute: city, operator: IS NOT NULL}]}"
    leaders = "{name: Leaders, clauses: [{attribute: jobTitle, operator: EQUALS, value: Boss}]}"
    scope = profile(sales, leaders).users.scope
    assert [one.name for one in scope] == ["Scoping filter 1", "Leaders"]
    assert in_scope((), {})
    assert in_scope(scope, {"department": "Sales", "city": "Oslo"})
    assert in_scope(scope, {"jobTitle": "Boss"})
    assert not in_scope(scope, {"department": "Sales"})


@pytest.mark.parametrize(
    ("entry", "column", "message"),
    [
        ("{clauses: [{attribute: city, operator: EQUAL, value: x}]}", 46, "unknown operator 'EQUAL', did you mean 'EQUALS'?"),
        ("{clauses: [{attribute: city, operator: EQUALS}]}", 46, "EQUALS needs a value"),
        ("{clauses: [{attribute: city, operator: IS NULL, value: x}]}", 62, "IS NULL takes no value"),
        ("{clauses: [{attribute: city, operator: Greater_Than, value: x}]}", 67, "needs an integer, not 'x'"),
        ("{clauses: [{attribute: city, operator: REGEX MATCH, value: (}]}", 66, "the regular expression '(' can't be read"),
        ("{clauses: [{operator: EQUALS, value: x}]}", 18, "a clause needs an attribute and an operator"),
        ("{clauses: [x]}", 18, "a clause must be a mapping"),
        ("{clauses: []}", 7, "a scoping filter needs `clauses`"),
        ("{name: x}", 7, "a scoping filter needs `clauses`"),
        ("[]", 7, "a scoping filter must be a mapping"),
        ("{clause: []}", 8, "unknown key 'clause' in a scoping filter, did you mean 'clauses'?"),
    ],
)
def test_mistake_in_a_filter_is_found_at_its_place(entry: str, column: int, message: str):
    with pytest.raises(ProfileError) as caught:
        profile(entry)
    assert any((one.line, one.column) == (6, column) and message in one.message for one in caught.value.findings), caught.value


def test_every_filter_without_clauses_is_found():
    with pytest.raises(ProfileError) as caught:
        profile("{name: a}", "{name: b, clauses: }", "{clauses: []}")
    assert [(one.line, one.column) for one in caught.value.findings] == [(6, 7), (7, 7), (8, 7)]


def test_attribute_that_entra_does_not_have_is_a_warning():
    (warning, *_) = profile("{clauses: [{attribute: citty, operator: IS NULL}]}").warnings
    assert (warning.line, warning.column) == (6, 30)
    assert "no attribute 'citty', did you mean 'city'?" in warning.message


def test_object_out_of_scope_is_not_sent():
    scoped = profile("{clauses: [{attribute: department, operator: EQUALS, value: Sales}]}")
    assert "create" in preview(scoped.users, {"id": "1", "department": "Sales"})
    assert preview(scoped.users, {"id": "1", "department": "HR"}) == {
        "objectId": "1",
        "skipped": "no scoping filter lets it through; Entra disables or removes an account that is there",
    }


def test_filters_go_to_graph_and_come_back():
    scoped = profile(
        "{name: Sales, clauses: [{attribute: department, operator: EQUALS, value: Sales}, {attribute: city, operator: IS NULL}]}"
    )
    schema = json.loads(json.dumps(export_schema(scoped, REGISTRY)))
    clauses = schema["synchronizationRules"][0]["objectMappings"][1]["scope"]["groups"][0]["clauses"]
    assert [one["name"] for one in schema["directories"][0]["objects"][0]["attributes"]] == ["objectId", "department", "city"]
    assert clauses[0] == {
        "operatorName": "EQUALS",
        "sourceOperandName": "department",
        "targetOperand": {"values": ["Sales"]},
    }
    again = import_schema(schema, "p", "P", REGISTRY).profile
    assert again.users.scope == scoped.users.scope
    assert differences(scoped, again) == []
    assert differences(scoped, profile()) == [
        "users: in scope are all objects in Entra and (department EQUALS Sales and city IS NULL) in the profile"
    ]
    clauses[0]["targetOperand"] = {"values": ["a", "b"]}
    with pytest.raises(ImportProblem, match=r"scope.groups\[0\].clauses\[0\]: a clause has"):
        import_schema(schema, "p", "P", REGISTRY)
