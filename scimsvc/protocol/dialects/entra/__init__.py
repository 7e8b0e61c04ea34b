"""The dialect of the Microsoft Entra provisioning connector, with and without the flag `aadOptscim062020`.

All its rules at a glance; each is one function that says which documented request it is for, and shows the JSON sent and the
JSON meant. A test runs these examples, and fails for a rule without one or without a wire case.

Documents are named by their file in MicrosoftDocs/entra-docs, docs/identity/app-provisioning: "tutorial" is
use-scim-to-provision-users-and-groups.md, "compliance list" is
application-provisioning-config-problem-scim-compatibility.md, "customize" is customize-application-attributes.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimsvc.protocol.dialects.entra import applied, filters, operations, resources, values
from scimsvc.protocol.dialects.entra.target import flag_inside_target
from scimsvc.protocol.dialects.request import Request
from scimsvc.protocol.keys import by_lower_case
from scimsvc.protocol.patch import Policy
from scimsvc.protocol.projection import unknown_names
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.suggestions import unknown_attributes

__all__ = ["FILTER_RULES", "OPERATION_RULES", "RESOURCE_RULES", "TERM_RULES", "VALUE_RULES", "flag_inside_target", "standardise"]

TERM_RULES = filters.TERM_RULES
FILTER_RULES = filters.FILTER_RULES
VALUE_RULES = values.RULES
OPERATION_RULES = operations.RULES
RESOURCE_RULES = resources.RULES

POLICY = Policy(create_missing_elements=True, drop_hollow_elements=True)
"""Tutorial, "Update User [Multi-valued properties]": the path `emails[type eq "work"].value` is sent for a user
whether or not the user has such an address, with Add and with Replace, and taken back with Remove."""


def standardise(request: Request) -> Request:
    """The request as RFC 7644 has it, with the rules that changed it, and the names at the top of a resource that are ignored.

    Bodies and parameters that aren't of the expected shape pass as they are.
    """
    applied.forget()
    if request.parameters:
        parameters = _parameters(request.resource_type, request.parameters)
        request = request._replace(parameters=parameters, ignored=unknown_names(request.resource_type, parameters))
    if isinstance(request.body, dict):
        if request.method == "PATCH":
            return request._replace(body=_patch(request.resource_type, request.body), policy=POLICY, rules=applied.names())
        body = request.body
        for rule in RESOURCE_RULES:
            changed = rule(request.resource_type, body)
            if changed is not body:
                applied.note(rule)
                body = changed
        root = request.resource_type.root
        ignored = () if body.keys() <= root.names else _ignored(root, body)
        body = values.standard_value(root, body)
        return request._replace(body=body, rules=applied.names(), ignored=request.ignored + ignored)
    rules = applied.names()
    return request._replace(rules=rules) if rules else request


def _ignored(root: Attribute, document: dict[str, Any]) -> tuple[str, ...]:
    """Return the names at the top of a resource that no schema has. One that is a value there, too, is empty: it may be data."""
    texts = {value.lower() for value in document.values() if isinstance(value, str)}
    return tuple("" if name.lower() in texts else name for name in unknown_attributes(root, document))


def _parameters(resource_type: ResourceType, parameters: Mapping[str, str]) -> Mapping[str, str]:
    if any(name in parameters for name in filters.NAME_PARAMETERS):
        without = filters.brackets_in_attributes(parameters)
        if without != parameters:
            applied.note(filters.brackets_in_attributes)
        parameters = filters.standard_names(resource_type, without)
    if "filter" in parameters:
        sent = parameters["filter"]
        standard = filters.standard_filter(resource_type, sent)
        if standard is not sent:
            parameters = {**parameters, "filter": standard}
    return parameters


def _patch(resource_type: ResourceType, body: dict[str, Any]) -> dict[str, Any]:
    found = by_lower_case(body).get("operations")
    if not isinstance(found, list):
        return body
    for rule in OPERATION_RULES:
        changed = [new for one in found for new in (rule(resource_type, one) if isinstance(one, dict) else [one])]
        # Values are noted by the rules for values, and comparing them would take long.
        if rule is not operations.value_spelling and changed != found:
            applied.note(rule)
        found = changed
    return {name: found if name.lower() == "operations" else value for name, value in body.items()}
