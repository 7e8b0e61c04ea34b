"""Entra's attribute values, in resources and in PATCH operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from scimsvc.protocol.dialects.entra.applied import by_rules
from scimsvc.protocol.dialects.entra.numbers import number_in
from scimsvc.schema.model import Attribute, Type


def boolean_as_string(attribute: Attribute, value: Any) -> Any:
    """`"active": "False"`. Compliance list, "PATCH compliance": without the flag, booleans are strings.

    Sent:  {"active": "False"}
    Meant: {"active": false}
    """
    if attribute.type == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def number_as_string(attribute: Attribute, value: Any) -> Any:
    """`"badge": "17"`, and `17.0` for an integer: a number that JSON spells in another way. Tutorial: values are strings.

    Sent:  {"badge": "17"}
    Meant: {"badge": 17}
    """
    return number_in(attribute.type, value) if attribute.type in ("integer", "decimal") else value


def string_as_number(attribute: Attribute, value: Any) -> Any:
    """`"employeeNumber": 12345`: a string without its quotation marks. Jobs of 2018 (customappsso).

    A fraction stays, because 1.50 arrives as 1.5, and so does a boolean, which may mean "true" or "True".

    Sent:  {"title": 12345}
    Meant: {"title": "12345"}
    """
    if attribute.type != "string" or attribute.returned == "never" or type(value) is not int:
        return value
    return str(value)


def single_value_in_array(attribute: Attribute, value: Any) -> Any:
    """`"path": "manager", "value": [{"$ref": …, "value": "2"}]`. Tutorial, request samples for the manager reference.

    Sent:  {"title": ["CEO"]}
    Meant: {"title": "CEO"}
    """
    return value[0] if not attribute.multi_valued and is_one_in_array(value) else value


def is_one_in_array(value: Any) -> bool:
    """Whether a value is an array of one that says something: `[null]` and `[[]]` are not empty, so they must not become so."""
    return isinstance(value, list) and len(value) == 1 and value[0] not in (None, [])


def object_of_simple_value(attribute: Attribute, value: Any) -> Any:
    """`"displayName": [{"$ref": null, "value": "x"}]`. SCIMReferenceCode, and jobs of 2018 (customappsso).

    Sent:  {"displayName": {"$ref": null, "value": "Ann"}}
    Meant: {"displayName": "Ann"}
    """
    if attribute.type != "complex" and isinstance(value, dict):
        return next((below for name, below in value.items() if name.lower() == "value"), value)
    return value


def empty_string(attribute: Attribute, value: Any) -> Any:
    """`""` unassigns an attribute that may be unassigned. SCIMReferenceCode, SCIMTests_Workflow.json, the null update test.

    Sent:  {"title": ""}
    Meant: {"title": null}
    """
    return None if value == "" and not attribute.required else value


def reference_as_string(attribute: Attribute, value: Any) -> Any:
    """`"…:User:manager": "2"`, and `""` to clear it. SCIMReferenceCode, SCIMTests_Workflow.json, the manager test.

    Sent:  {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": "2"}}
    Meant: {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "2"}}}
    """
    if attribute.type == "complex" and not attribute.multi_valued and attribute.sub_attribute("value"):
        if isinstance(value, str):
            value = {"value": value}
        if isinstance(value, dict) and value.get("value", value) in ("", None):
            return None
    return value


def json_in_string(attribute: Attribute, value: Any) -> Any:
    r"""A role as a JSON document inside the string `value`, with `id`, `value`, `displayName`. Customize, roles.

    Sent:  {"roles": ["{\"value\": \"Admin\"}"]}
    Meant: {"roles": [{"value": "Admin"}]}
    """
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
    """`"displayName"` in an element whose sub-attribute is `display`. Customize, AppRoleAssignmentsComplex.

    Sent:  {"roles": [{"value": "Admin", "displayName": "A"}]}
    Meant: {"roles": [{"value": "Admin", "displayName": "A", "display": "A"}]}
    """
    if not attribute.multi_valued or not attribute.sub_attribute("display") or not isinstance(value, list):
        return value
    if not any(isinstance(element, dict) and "displayName" in element for element in value):
        return value
    return [
        {**element, "display": element["displayName"]}
        if isinstance(element, dict) and element.get("displayName") is not None
        else element
        for element in value
    ]


def single_value_for_array(attribute: Attribute, value: Any) -> Any:
    """`"roles": {"value": "Admin"}`, `"members": "u1"`: one value where an array is expected; `""` is an empty array.

    SCIMReferenceCode, PostmanCollection.json, and jobs of 2018 (customappsso).

    Sent:  {"members": {"value": "u1"}}
    Meant: {"members": [{"value": "u1"}]}
    """
    if value == "" and not attribute.required:
        return []
    return value if value is None or isinstance(value, list) else [value]


def plain_values_of_complex(attribute: Attribute, value: Any) -> Any:
    """`["Admin"]` for a multi-valued attribute whose elements have a `value`. Customize, roles as strings.

    Sent:  {"roles": ["Admin"]}
    Meant: {"roles": [{"value": "Admin"}]}
    """
    if attribute.type != "complex" or not attribute.sub_attribute("value") or not isinstance(value, list):
        return value
    if not any(isinstance(one, str) for one in value):
        return value
    return [{"value": one} if isinstance(one, str) else one for one in value]


Rule = Callable[[Attribute, Any], Any]
"""Takes an attribute and the value sent for it, a list of elements where it is multi-valued."""

ELEMENT_RULES: tuple[Rule, ...] = (object_of_simple_value, boolean_as_string, number_as_string, string_as_number)
SIMPLE_RULES: tuple[Rule, ...] = (single_value_in_array, object_of_simple_value, empty_string, *ELEMENT_RULES[1:])
COMPLEX_RULES: tuple[Rule, ...] = (single_value_in_array, empty_string, reference_as_string)
MULTI_VALUED_RULES: tuple[Rule, ...] = (single_value_for_array, json_in_string, display_name_of_role, plain_values_of_complex)
RULES: tuple[Rule, ...] = (*SIMPLE_RULES, reference_as_string, *MULTI_VALUED_RULES)

_NATIVE: dict[Type, type] = {"boolean": bool, "integer": int, "decimal": int}
"""The JSON type of values of a data type; a string for the rest."""


def standard_value(attribute: Attribute, value: Any) -> Any:
    """A value of an attribute, and every value below it, by the rules for its kind of attribute."""
    if attribute.multi_valued:
        return _standard_elements(attribute, value)
    if attribute.type == "complex":
        return _standard_object(attribute, by_rules(COMPLEX_RULES, attribute, value))
    # Nearly everything that comes says something and needs no rule.
    if type(value) is _NATIVE.get(attribute.type, str) and value != "":
        return value
    return by_rules(SIMPLE_RULES, attribute, value)


def _standard_elements(attribute: Attribute, value: Any) -> Any:
    value = by_rules(MULTI_VALUED_RULES, attribute, value)
    if not isinstance(value, list):
        return value
    if attribute.type == "complex":
        return [_standard_object(attribute, one) for one in value]
    native = _NATIVE.get(attribute.type, str)
    return [one if type(one) is native else by_rules(ELEMENT_RULES, attribute, one) for one in value]


def _standard_object(attribute: Attribute, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        name: one
        if (below := attribute.sub_attribute(name)) is None or below.mutability == "readOnly"
        else standard_value(below, one)
        for name, one in value.items()
    }
