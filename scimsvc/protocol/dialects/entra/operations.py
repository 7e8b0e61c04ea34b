"""Entra's PATCH operations. A rule takes one operation and gives the operations that the standard has for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from scimsvc.protocol.dialects.entra.applied import note, note_names
from scimsvc.protocol.dialects.entra.filters import respelled_path, standard_path
from scimsvc.protocol.dialects.entra.names import standard_name
from scimsvc.protocol.dialects.entra.spellings import require_agreement
from scimsvc.protocol.dialects.entra.values import is_one_in_array, standard_value
from scimsvc.protocol.errors import ScimError, invalid_value
from scimsvc.protocol.filter import Path, PathText, parse_path
from scimsvc.protocol.filter.bind import bind_path
from scimsvc.protocol.filter.syntax import All, Elements, Name, Node, PathSyntax, Some, Term, Value
from scimsvc.protocol.keys import by_lower_case
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import resolve

Operation = dict[str, Any]
_REMOVED_AT_ONCE = 100
"""Terms of a filter that chooses what is removed: each is compared with every element that the filters before it have left."""


def op_in_any_case(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"op": "Add"`, `"Replace"`, `"Remove"`. Tutorial, every update without the flag.

    Sent:  {"op": "Replace", "path": "title", "value": "CEO"}
    Meant: {"op": "replace", "path": "title", "value": "CEO"}
    """
    standard = by_lower_case(operation)
    op = standard.get("op")
    return [{**standard, "op": op.lower()}] if isinstance(op, str) else [standard]


def added_schemas(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"op": "add", "path": "schemas", "value": ["urn:…:enterprise:2.0:User"]` before attributes of the extension are added.

    RFC 7644 §3.5.2 has clients do so. The server lists the schemas that a resource uses, so there is nothing to do.

    Sent:  {"op": "add", "path": "schemas", "value": ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]}
    Meant: []
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

    Sent:  {"op": "replace", "value": {"title": "CEO", "name.givenName": "Ann"}}
    Meant: [{"op": "replace", "value": {"title": "CEO"}}, {"op": "replace", "path": "name.givenName", "value": "Ann"}]
    """
    value = operation.get("value")
    if operation.get("path") or not isinstance(value, dict):
        return [operation]
    if operation.get("op") == "add":
        # Null is nothing to add.
        value = {name: below for name, below in value.items() if below is not None or not _is_known(resource_type, name)}
    require_agreement(resource_type, value, nulls=True)
    # An empty name is no path, so it stays to be refused.
    plain = {name: below for name, below in value.items() if not name or _may_stay(resource_type.root.sub_attribute(name), below)}
    paths = [{**operation, "path": name, "value": below} for name, below in value.items() if name not in plain]
    return ([{**operation, "value": plain}] if plain or not paths else []) + paths


def _is_known(resource_type: ResourceType, name: str) -> bool:
    return bool(name) and standard_path(resource_type, name).path is not None


def _may_stay(attribute: Attribute | None, value: Any) -> bool:
    """Whether it can stay in an operation without path: what has a value, and what is read-only and ignored there."""
    return attribute is not None and (value not in ("", None) or attribute.mutability == "readOnly")


def path_spelling(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    r"""A path with a dot after the URN, without the URN, or with a boolean as string in its brackets.

    Sent:  {"op": "replace", "path": "roles[primary eq \"True\"].value", "value": "Admin"}
    Meant: {"op": "replace", "path": "roles[primary eq true].value", "value": "Admin"}
    """
    path = operation.get("path")
    if not isinstance(path, str) or not path or resolve(resource_type, path):
        return [operation]
    spelled, rules = respelled_path(resource_type, path)
    if rules:
        note_names((*rules, path_spelling.__name__))
    return [{**operation, "path": spelled}]


def simple_value_of_element(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    r"""`"path": "emails[type eq \"work\"]", "value": "a@b.c"` is the element's `value`.

    Vendors' tables have such targets, though Microsoft's own end in `.value`.

    Sent:  {"op": "replace", "path": "emails[type eq \"work\"]", "value": "a@x.com"}
    Meant: {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x.com"}
    """
    text, value = operation.get("path"), operation.get("value")
    if operation.get("op") == "remove" or value is None or isinstance(value, (dict, list)):
        return [operation]
    path = _path_at(resource_type, text)
    if path is None or not _leads_to_elements(path) or path.attribute.value() == path.attribute:
        return [operation]
    note(simple_value_of_element)
    return [{**operation, "path": PathText.of(str(text), replace(path, sub_attribute=path.attribute.value()))}]


def value_spelling(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    r"""The value by the rules for values; a value that a path's brackets lead to is one element.

    Sent:  {"op": "add", "path": "emails[type eq \"work\"]", "value": [{"value": "a@x.com"}]}
    Meant: {"op": "add", "path": "emails[type eq \"work\"]", "value": {"value": "a@x.com"}}
    """
    if operation.get("op") == "remove" or "value" not in operation:
        return [operation]
    if not operation.get("path"):
        return [{**operation, "value": standard_value(resource_type.root, operation["value"])}]
    path = _path_at(resource_type, operation["path"])
    if path is None:
        return [operation]
    attribute = path.target.leaf
    value = standard_value(attribute, operation["value"])
    if attribute.multi_valued and _leads_to_elements(path) and is_one_in_array(value):
        if isinstance(operation["value"], list):
            note(value_spelling)
        value = value[0]
    return [{**operation, "value": value}]


def cleared_value(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    """`"path": "…:User:manager", "value": ""` unassigns, and so does `""` for any attribute but a required one, in a replace.

    SCIMReferenceCode, SCIMTests_Workflow.json: the manager test and the null update test. An `add` takes nothing away.

    Sent:  {"op": "replace", "path": "title", "value": ""}
    Meant: {"op": "replace", "path": "title", "value": null}
    """
    value = operation.get("value")
    if operation.get("op") != "replace" or value is None:
        return [operation]
    path = _path_at(resource_type, operation.get("path"))
    if path is None or path.target.leaf.multi_valued or path.target.leaf.required:
        return [operation]
    if standard_value(path.target.leaf, value) is not None:
        return [operation]
    return [{"op": "replace", "path": operation["path"], "value": None}]


def remove_by_value(resource_type: ResourceType, operation: Operation) -> list[Operation]:
    r"""`"op": "Remove", "path": "members", "value": [{"value": "u1"}]` removes these elements and no others.

    Compliance list, "PATCH compliance", requests to remove members without the flag.

    Sent:  {"op": "remove", "path": "members", "value": [{"value": "u1"}]}
    Meant: {"op": "remove", "path": "members[value eq \"u1\"]"}
    """
    text, value = operation.get("path"), operation.get("value")
    if operation.get("op") != "remove" or value is None:
        return [operation]
    path = _path_at(resource_type, text)
    if path is None or path.value_filter or not path.target.leaf.multi_valued:
        return [operation]
    elements = [_equal_to(path.target.leaf, element) for element in standard_value(path.target.leaf, value)]
    text = str(text)
    chosen = (PathSyntax(Elements(Name(path.target.name), len(text), tree)) for tree in _filters_of(elements))
    return [{"op": "remove", "path": _path_text(resource_type, one, text)} for one in chosen]


def _path_text(resource_type: ResourceType, path: PathSyntax, text: str) -> PathText:
    try:
        return PathText.of(text, bind_path(path, resource_type, text))
    except ScimError as error:
        return PathText.of(text, None, error)


def _filters_of(elements: list[list[Term]]) -> Iterator[Node]:
    """Yield filters that choose elements, each of which is given by its terms; as few filters as their limit lets there be."""
    chosen: list[Node] = []
    terms = 0
    for element in elements:
        terms += len(element)
        if chosen and terms > _REMOVED_AT_ONCE:
            yield Some(tuple(chosen)) if len(chosen) > 1 else chosen[0]
            chosen, terms = [], len(element)
        chosen.append(All(tuple(element)) if len(element) > 1 else element[0])
    if chosen:
        yield Some(tuple(chosen)) if len(chosen) > 1 else chosen[0]


def _equal_to(attribute: Attribute, element: Any) -> list[Term]:
    """Return the terms by which an element is known: its `value`, or everything that is sent. Raise ScimError invalidValue."""
    if isinstance(element, dict):
        by_name = {name.lower(): below for name, below in element.items() if below is not None}
        unknown = any(attribute.sub_attribute(name) is None for name in by_name)
        # An unknown key may say which elements are meant, and without it more of them would go.
        terms = {"value": by_name["value"]} if "value" in by_name else {} if unknown else by_name
    else:
        terms = {"value": element}
    if not terms or any(isinstance(below, (dict, list)) or below is None for below in terms.values()):
        raise invalid_value(f"To remove elements of {attribute.name} by value, each must be an object with a `value`.")
    return [Term(Name(name), "eq", Value(below)) for name, below in terms.items()]


def _path_at(resource_type: ResourceType, text: Any) -> Path | None:
    """Return what the path of an operation means; None if it has none, or a mistake, which is left to the code that reads it."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return parse_path(text, resource_type)
    except ScimError:
        return None


def _leads_to_elements(path: Path) -> bool:
    return path.value_filter is not None and path.sub_attribute is None


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
