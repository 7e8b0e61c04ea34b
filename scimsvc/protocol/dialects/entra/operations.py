"""Entra's PATCH operations. A rule takes one operation and gives the operations that the standard has for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from scimsvc.protocol.dialects.entra.applied import note
from scimsvc.protocol.dialects.entra.filters import standard_filter
from scimsvc.protocol.dialects.entra.names import standard_name
from scimsvc.protocol.dialects.entra.spellings import require_agreement
from scimsvc.protocol.dialects.entra.values import is_one_in_array, standard_value
from scimsvc.protocol.errors import invalid_value
from scimsvc.protocol.keys import by_lower_case
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import resolve

Operation = dict[str, Any]
_REMOVED_AT_ONCE = 100
"""Terms of the filters that choose what is removed, each of which has a limit."""
_LENGTH_AT_ONCE = 8192
"""Characters of such a filter, where it has several terms."""


def op_in_any_case(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"op": "Add"`, `"Replace"`, `"Remove"`. Tutorial, every update without the flag."""
    standard = by_lower_case(operation)
    op = standard.get("op")
    return [{**standard, "op": op.lower()}] if isinstance(op, str) else [standard]


def added_schemas(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"op": "add", "path": "schemas", "value": ["urn:…:enterprise:2.0:User"]` before attributes of the extension are added.

    RFC 7644 §3.5.2 has clients do so. The server lists the schemas that a resource uses, so there is nothing to do.
    """
    path, urns = operation.get("path"), operation.get("value")
    if operation.get("op") != "add" or not isinstance(path, str) or path.lower() != "schemas":
        return [operation]
    known = {urn.lower() for urn in resource_type.schema_ids}
    urns = urns if isinstance(urns, list) else [urns]
    all_known = all(isinstance(urn, str) and standard_name(resource_type, urn).lower() in known for urn in urns)
    return [] if urns and all_known else [operation]


def names_instead_of_path(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """No path, and paths as the names in the value: `{"name.givenName": …, "urn:…:User:department": …}`.

    Compliance list, "PATCH compliance", requests to replace several attributes with the flag aadOptscim062020.

    Raises ScimError invalidValue if an attribute has two values by two of its names.
    """
    value = operation.get("value")
    if operation.get("path") or not isinstance(value, dict):
        return [operation]
    if operation.get("op") == "add":
        # Null is nothing to add.
        value = {name: below for name, below in value.items() if below is not None or not _attribute_at(resource_type, name)}
    require_agreement(resource_type, value, nulls=True)
    # An empty name is no path, so it stays to be refused.
    plain = {name: below for name, below in value.items() if not name or _may_stay(resource_type.root.sub_attribute(name), below)}
    paths = [{**operation, "path": name, "value": below} for name, below in value.items() if name not in plain]
    return ([{**operation, "value": plain}] if plain or not paths else []) + paths


def _may_stay(attribute: Attribute | None, value: Any) -> bool:
    """Whether it can stay in an operation without path: what has a value, and what is read-only and ignored there."""
    return attribute is not None and (value not in ("", None) or attribute.mutability == "readOnly")


def path_spelling(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """A path with a dot after the URN, without the URN, or with a boolean as string in its brackets."""
    path = operation.get("path")
    if not isinstance(path, str) or not path or resolve(resource_type, path):
        return [operation]
    return [{**operation, "path": standard_filter(resource_type, path)}]


def simple_value_of_element(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"path": "emails[type eq \\"work\\"]", "value": "a@b.c"` is the element's `value`.

    Vendors' tables have such targets, though Microsoft's own end in `.value`.
    """
    path, value = operation.get("path"), operation.get("value")
    if operation.get("op") == "remove" or value is None or isinstance(value, (dict, list)):
        return [operation]
    if not isinstance(path, str) or not path.endswith("]"):
        return [operation]
    attribute = _attribute_at(resource_type, path)
    return [{**operation, "path": f"{path}.value"}] if attribute and attribute.sub_attribute("value") else [operation]


def value_spelling(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """The value by the rules for values; a value that a path's brackets lead to is one element."""
    if operation.get("op") == "remove" or "value" not in operation:
        return [operation]
    path = operation.get("path")
    if not path:
        return [{**operation, "value": standard_value(resource_type.root, operation["value"])}]
    attribute = _attribute_at(resource_type, path)
    if attribute is None:
        return [operation]
    value = standard_value(attribute, operation["value"])
    if attribute.multi_valued and path.endswith("]") and is_one_in_array(value):
        if isinstance(operation["value"], list):
            note(value_spelling)
        value = value[0]
    return [{**operation, "value": value}]


def cleared_value(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"path": "…:User:manager", "value": ""` unassigns, and so does `""` for any attribute but a required one, in a replace.

    SCIMReferenceCode, SCIMTests_Workflow.json: the manager test and the null update test. An `add` takes nothing away.
    """
    value, attribute = operation.get("value"), _attribute_at(resource_type, operation.get("path"))
    if operation.get("op") != "replace" or value is None or attribute is None or attribute.multi_valued:
        return [operation]
    if attribute.required or standard_value(attribute, value) is not None:
        return [operation]
    return [{"op": "replace", "path": operation["path"], "value": None}]


def remove_by_value(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"op": "Remove", "path": "members", "value": [{"value": "u1"}]` removes these elements and no others.

    Compliance list, "PATCH compliance", requests to remove members without the flag.
    """
    path, value = operation.get("path"), operation.get("value")
    attribute = _attribute_at(resource_type, path)
    if operation.get("op") != "remove" or value is None or attribute is None or not attribute.multi_valued or "[" in str(path):
        return [operation]
    elements = standard_value(attribute, value)
    filters = _filters_of([_equal_to(attribute, element) for element in elements])
    return [{"op": "remove", "path": f"{path}[{chosen}]"} for chosen in filters]


def _filters_of(elements: list[list[str]]) -> list[str]:
    """Filters that choose elements, each of which is given by its terms; as few filters as their limits let there be."""
    groups: list[list[str]] = []
    terms = length = 0
    for element in elements:
        text = " and ".join(element)
        terms, length = terms + len(element), length + len(text) + len(" or ")
        if not groups or terms > _REMOVED_AT_ONCE or length > _LENGTH_AT_ONCE:
            groups.append([])
            terms, length = len(element), len(text)
        groups[-1].append(text)
    return [" or ".join(group) for group in groups]


def _equal_to(attribute: Attribute, element: Any) -> list[str]:
    if isinstance(element, dict):
        by_name = {name.lower(): below for name, below in element.items() if below is not None}
        unknown = any(attribute.sub_attribute(name) is None for name in by_name)
        # An unknown key may say which elements are meant, and without it more of them would go.
        terms = {"value": by_name["value"]} if "value" in by_name else {} if unknown else by_name
    else:
        terms = {"value": element}
    if not terms or any(isinstance(below, (dict, list)) or below is None for below in terms.values()):
        raise invalid_value(f"To remove elements of {attribute.name} by value, each must be an object with a `value`.")
    return [f"{name} eq {json.dumps(below)}" for name, below in terms.items()]


def _attribute_at(resource_type: ResourceType, path: Any) -> Attribute | None:
    if not isinstance(path, str) or not path:
        return None
    before, bracket, rest = path.partition("[")
    plain = before + rest.rpartition("]")[2] if bracket else path
    found = resolve(resource_type, path) or resolve(resource_type, standard_name(resource_type, plain))
    return found.leaf if found else None


RULES: tuple[Callable[[ResourceType, Operation], list[Operation]], ...] = (
    op_in_any_case,
    added_schemas,
    names_instead_of_path,
    path_spelling,
    simple_value_of_element,
    cleared_value,
    value_spelling,
    remove_by_value,
)
