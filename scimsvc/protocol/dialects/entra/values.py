"""Entra's attribute values, in resources and in PATCH operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from scimsvc.schema.model import Attribute


def boolean_as_string(attribute: Attribute, value: Any) -> Any:
    """`"active": "False"`. Compliance list, "PATCH compliance": without the flag, booleans are strings."""
    if attribute.type == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def single_value_in_array(attribute: Attribute, value: Any) -> Any:
    """`"path": "manager", "value": [{"$ref": …, "value": "2"}]`. Tutorial, request samples for the manager reference."""
    if not attribute.multi_valued and isinstance(value, list) and len(value) == 1:
        return value[0]
    return value


def object_of_simple_value(attribute: Attribute, value: Any) -> Any:
    """`"displayName": [{"$ref": null, "value": "x"}]`. SCIMReferenceCode, and jobs of 2018 (customappsso)."""
    if attribute.type != "complex" and isinstance(value, dict) and "value" in value:
        return value["value"]
    return value


def empty_string(attribute: Attribute, value: Any) -> Any:
    """`""` unassigns an attribute that may be unassigned. SCIMReferenceCode, SCIMTests_Workflow.json, the null update test."""
    return None if value == "" and not attribute.required else value


def reference_as_string(attribute: Attribute, value: Any) -> Any:
    """`"…:User:manager": "2"`, and `""` to clear it. SCIMReferenceCode, SCIMTests_Workflow.json, the manager test."""
    if attribute.type == "complex" and not attribute.multi_valued and attribute.sub_attribute("value"):
        if isinstance(value, str):
            value = {"value": value}
        if isinstance(value, dict) and value.get("value", value) in ("", None):
            return None
    return value


def json_in_string(attribute: Attribute, value: Any) -> Any:
    """A role as a JSON document inside the string `value`, with `id`, `value`, `displayName`. Customize, roles."""
    if attribute.name != "roles" or attribute.type != "complex" or not isinstance(value, list):
        return value
    return [_from_json(attribute, element) for element in value]


def _from_json(attribute: Attribute, element: Any) -> Any:
    text = element.get("value") if isinstance(element, dict) else element
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return element
    try:
        inside = orjson.loads(text)
    except orjson.JSONDecodeError:
        return element
    if not isinstance(inside, dict) or not isinstance(inside.get("value"), str):
        return element
    outside = {name: below for name, below in element.items() if name != "value"} if isinstance(element, dict) else {}
    return {**outside, **inside}


def display_name_of_role(attribute: Attribute, value: Any) -> Any:
    """`"displayName"` in an element whose sub-attribute is `display`. Customize, AppRoleAssignmentsComplex."""
    if not attribute.multi_valued or not attribute.sub_attribute("display") or not isinstance(value, list):
        return value
    return [
        {**element, "display": element["displayName"]} if isinstance(element, dict) and "displayName" in element else element
        for element in value
    ]


def plain_values_of_complex(attribute: Attribute, value: Any) -> Any:
    """`["Admin"]` or `"Admin"` for a multi-valued attribute whose elements have a `value`. Customize, roles as strings."""
    if attribute.type != "complex" or not attribute.multi_valued or not attribute.sub_attribute("value"):
        return value
    if isinstance(value, str):
        value = [value]
    return [{"value": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


Rule = Callable[[Attribute, Any], Any]
"""Takes an attribute and the value sent for it, a list of elements where it is multi-valued."""

SIMPLE_RULES: tuple[Rule, ...] = (single_value_in_array, object_of_simple_value, empty_string, boolean_as_string)
COMPLEX_RULES: tuple[Rule, ...] = (single_value_in_array, reference_as_string)
MULTI_VALUED_RULES: tuple[Rule, ...] = (json_in_string, display_name_of_role, plain_values_of_complex)
RULES: tuple[Rule, ...] = (*SIMPLE_RULES, reference_as_string, *MULTI_VALUED_RULES)


def standard_value(attribute: Attribute, value: Any) -> Any:
    """A value of an attribute, and every value below it, by the rules for its kind of attribute."""
    if attribute.type != "complex":
        # Nearly everything that comes says something and needs no rule.
        if isinstance(value, bool) or (value and isinstance(value, str) and attribute.type != "boolean"):
            return value
        for rule in SIMPLE_RULES:
            value = rule(attribute, value)
        return value
    for rule in MULTI_VALUED_RULES if attribute.multi_valued else COMPLEX_RULES:
        value = rule(attribute, value)
    if isinstance(value, list):
        return [_standard_object(attribute, one) for one in value]
    return _standard_object(attribute, value)


def _standard_object(attribute: Attribute, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: standard_value(below, one) if (below := attribute.sub_attribute(name)) else one for name, one in value.items()}
