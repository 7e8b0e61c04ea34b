"""Each rule of Entra's dialect: the example in its docstring, and a wire case that needs it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from scimsvc.mapping import parse_profile
from scimsvc.protocol.dialects import Request, entra
from scimsvc.protocol.dialects.entra import filters, names
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import meaning, parse_filter
from scimsvc.protocol.messages import one_of_each
from scimsvc.protocol.patch import parse_operations
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.model import ResourceType

CASES = Path(__file__).parent.parent / "wire" / "cases"
PROFILE = parse_profile(
    """profile: p
users:
  mappings: [{source: a, target: externalId, matching: 1}]
  attributes: [{name: badge, type: Integer}]
groups:
  mappings: [{source: a, target: externalId, matching: 1}]
""",
    Path("p.yaml"),
)
USER, GROUP = PROFILE.resource_types()
RULES: dict[str, Callable[..., Any]] = {
    rule.__name__: rule
    for rules in (
        entra.TERM_RULES,
        entra.FILTER_RULES,
        entra.VALUE_RULES,
        entra.OPERATION_RULES,
        entra.RESOURCE_RULES,
        names.RULES,
        (filters.brackets_in_attributes, entra.flag_inside_target),
    )
    for rule in rules
    # It applies other rules to a filter.
    if rule is not filters.standard_terms
}
OF_NUMBERS = {"quoted_number", "number_as_string"}
"""Rules for numbers, which only custom attributes can be: the profile of the wire cases has none."""


def example(rule: Callable[..., Any]) -> tuple[Any, Any]:
    """Return the JSON sent and the JSON meant of a rule's docstring."""
    found = re.search(r"^ *Sent:  (.+)\n *Meant: (.+)$", rule.__doc__ or "", re.MULTILINE)
    assert found, f"{rule.__name__} has no example"
    return json.loads(found[1]), json.loads(found[2])


def as_request(content: Any, resource_type: ResourceType) -> Request:
    """Return the request that an example is part of: PATCH operations, parameters of a query, or a resource."""
    operations = content if isinstance(content, list) else [content]
    if all("op" in one for one in operations):
        return Request("PATCH", resource_type, {}, {"Operations": operations})
    if content.keys() <= {"filter", "attributes", "sortBy"}:
        return Request("GET", resource_type, {name.lower(): value for name, value in content.items()})
    return Request("POST", resource_type, {}, content)


def understood(request: Request) -> Any:
    """Return what code that knows only the standard makes of a request."""
    if request.method == "PATCH":
        return parse_operations(request.resource_type, request.body)
    parameters: dict[str, Any] = dict(request.parameters)
    if "filter" in parameters:
        parameters["filter"] = meaning(parse_filter(parameters["filter"], request.resource_type))
    return parameters, request.body


@pytest.mark.parametrize("name", sorted(RULES))
def test_example_of_a_rule_is_what_it_does(name: str):
    sent, meant = example(RULES[name])
    if isinstance(sent, str):
        assert "?".join(entra.flag_inside_target(*sent.split("?", 1))) == meant
        return
    resource_type = GROUP if "members" in json.dumps(sent) else USER
    standard = entra.standardise(as_request(sent, resource_type))
    assert name in standard.rules
    assert understood(standard) == understood(as_request(meant, resource_type))


@pytest.fixture(scope="module")
def used() -> set[str]:
    """The rules that have changed a request of a wire case."""
    found = set()
    for path in CASES.rglob("*.yaml"):
        case = yaml.safe_load(path.read_text(encoding="utf-8"))
        pairs = [one for one in (case, *case.get("also", [])) if "request" in one]
        for request in [*case.get("setup", []), *(pair["request"] for pair in pairs)]:
            found.update(rules_of(request))
    return found


def rules_of(request: dict[str, Any]) -> tuple[str, ...]:
    sent = urlsplit(request["path"])
    path, query = entra.flag_inside_target(sent.path, sent.query)
    if (path, query) != (sent.path, sent.query):
        return ("flag_inside_target",)
    resource_type = GROUP_TYPE if "/groups" in path.lower() else USER_TYPE
    try:
        parameters = one_of_each(parse_qsl(query, keep_blank_values=True))
        return entra.standardise(Request(request["method"], resource_type, parameters, request.get("body"))).rules
    except ScimError:
        return ()


@pytest.mark.parametrize("name", sorted(RULES.keys() - OF_NUMBERS))
def test_rule_has_a_wire_case(used: set[str], name: str):
    assert name in used


def test_rules_of_a_path_are_told_each_time():
    operation = {"op": "replace", "path": 'roles[primary eq "True"].value', "value": "Admin"}
    request = Request("PATCH", USER, {}, {"Operations": [operation]})
    assert [entra.standardise(request).rules for _ in range(2)] == [("quoted_boolean", "path_spelling")] * 2
