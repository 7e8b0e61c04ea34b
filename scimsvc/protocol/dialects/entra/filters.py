"""Entra's filters, in queries and in the brackets of PATCH paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

from scimsvc.protocol.dialects.entra.applied import by_rules, note, note_names, noted_by
from scimsvc.protocol.dialects.entra.names import standard_name
from scimsvc.protocol.dialects.entra.numbers import number_in
from scimsvc.protocol.errors import ScimError, invalid_path
from scimsvc.protocol.filter import FilterText, Path, PathText
from scimsvc.protocol.filter.bind import attribute_at, bind_path, simple_filter
from scimsvc.protocol.filter.parse import read_filter, read_path
from scimsvc.protocol.filter.syntax import (
    MAX_LENGTH,
    MAX_REMEMBERED,
    NO_JSON,
    All,
    Elements,
    Leaf,
    Name,
    PathSyntax,
    Term,
    Value,
    changed,
)
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath

ATTRIBUTE_PARAMETERS = ("attributes", "excludedattributes")
NAME_PARAMETERS = (*ATTRIBUTE_PARAMETERS, "sortby")


def brackets_in_attributes(parameters: Mapping[str, str]) -> dict[str, str]:
    r"""`attributes=emails[type eq "work"]` asks for `emails`. SCIMReferenceCode, PostmanCollection.json.

    Sent:  {"attributes": "emails[type eq \"work\"]"}
    Meant: {"attributes": "emails"}
    """
    return {
        name: re.sub(r"\[[^\[\]]*\]", "", value) if name in ATTRIBUTE_PARAMETERS and "[" in value else value
        for name, value in parameters.items()
    }


def standard_names(resource_type: ResourceType, parameters: Mapping[str, str]) -> dict[str, str]:
    """`attributes=department,urn:…:User.manager`, `sortBy=department`: names as filters and paths have them."""
    return {
        name: ",".join(standard_name(resource_type, one.strip()) for one in value.split(","))
        if name in NAME_PARAMETERS
        else value
        for name, value in parameters.items()
    }


def unquoted_string(attribute: Attribute, value: Value) -> Value:
    r"""`externalId eq jyoung`: a string without quotation marks. Tutorial, "Get user by query" of the code samples.

    Sent:  {"filter": "externalId eq jyoung"}
    Meant: {"filter": "externalId eq \"jyoung\""}
    """
    if attribute.type in _TEXTS and value.text[:1] != '"' and value.literal is not None:
        return value._replace(literal=value.text)
    return value


def quoted_boolean(attribute: Attribute, value: Value) -> Value:
    r"""`roles[primary eq "True"]`: a boolean as a string. Customize, "Provisioning a role to a SCIM app".

    Sent:  {"filter": "roles[primary eq \"True\"]"}
    Meant: {"filter": "roles[primary eq true]"}
    """
    if attribute.type == "boolean" and isinstance(value.literal, str) and value.literal.lower() in ("true", "false"):
        return value._replace(literal=value.literal.lower() == "true")
    return value


def quoted_number(attribute: Attribute, value: Value) -> Value:
    r"""`badge eq "17"`: a number as a string. Tutorial, "Get user by query": all values are in quotation marks.

    Sent:  {"filter": "badge eq \"17\""}
    Meant: {"filter": "badge eq 17"}
    """
    if attribute.type not in ("integer", "decimal") or value.literal is NO_JSON:
        return value
    return value._replace(literal=number_in(attribute.type, value.literal))


TermRule = Callable[[Attribute, Value], Value]
"""Takes the attribute and the value that it is compared with, and gives the standard's value."""
TERM_RULES: tuple[TermRule, ...] = (unquoted_string, quoted_boolean, quoted_number)
TERM_RULES_OF_TARGETS: tuple[TermRule, ...] = (quoted_boolean, quoted_number)
"""The rules for targets of a mapping table. A string without quotation marks there is a mistake of the administrator."""
_TEXTS = ("string", "reference", "dateTime")


def term_after_value_filter(resource_type: ResourceType, leaf: Leaf) -> Leaf:
    r"""`emails[type eq "work"].value eq "x"` and `emails[type eq "work"] eq "x"` mean `emails[type eq "work" and value eq "x"]`.

    Tutorial, "Design your user and group schema": users are queried by `emails[type eq "work"]` as matching attribute; the sample
    `phoneNumbers[type eq "mobile"] eq "…"` compares the element as a whole, which is its `value`.

    Sent:  {"filter": "emails[type eq \"work\"].value eq \"a@x.com\""}
    Meant: {"filter": "emails[type eq \"work\" and value eq \"a@x.com\"]"}
    """
    if not isinstance(leaf, Elements) or leaf.rest is None:
        return leaf
    term = leaf.rest.term
    if not term.name.text:
        path = attribute_at(standard_name(resource_type, leaf.name.text), resource_type)
        # In a query over several resource types some don't have the attribute.
        if path and path.leaf.type == "complex" and not path.leaf.sub_attribute("value"):
            return leaf
        term = term._replace(name=Name("value", term.name.start))
    return replace(leaf, filter=All((leaf.filter, term) if leaf.filter else (term,)), rest=None)


def standard_terms(resource_type: ResourceType, leaf: Leaf, rules: tuple[TermRule, ...] = TERM_RULES) -> Leaf:
    """Apply the rules for names, and those given for values, to every comparison."""
    text = standard_name(resource_type, leaf.name.text)
    name = leaf.name if text == leaf.name.text else leaf.name._replace(text=text)
    path = attribute_at(text, resource_type)
    if isinstance(leaf, Term):
        term = leaf if name is leaf.name else leaf._replace(name=name)
        return _standard_value(path, term, rules)
    if path is None or leaf.filter is None:
        return leaf if name is leaf.name else replace(leaf, name=name)

    def inside(inner: Leaf) -> Leaf:
        if isinstance(inner, Elements):
            return inner
        return _standard_value(attribute_at(inner.name.text, resource_type, path), inner, rules)

    return replace(leaf, name=name, filter=changed(leaf.filter, inside))


def _standard_value(path: AttributePath | None, term: Term, rules: tuple[TermRule, ...]) -> Term:
    if path is None or term.value is None:
        return term
    attribute = path.value().leaf if path.leaf.type == "complex" else path.leaf
    value = by_rules(rules, attribute, term.value)
    return term if value is term.value else term._replace(value=value)


FilterRule = Callable[[ResourceType, Leaf], Leaf]
"""Takes a term or value path of a filter, or a PATCH path with brackets, and gives the standard's."""
FILTER_RULES: tuple[FilterRule, ...] = (term_after_value_filter, standard_terms)
TARGET_RULES: tuple[FilterRule, ...] = (term_after_value_filter, partial(standard_terms, rules=TERM_RULES_OF_TARGETS))
"""The rules for targets of a mapping table."""


def standard_filter(resource_type: ResourceType, text: str) -> str:
    """Return a filter as the standard has it: its text if no rule can change it, else FilterText. A mistake in it is kept."""
    if simple_filter(text, resource_type):
        return text
    read = text if isinstance(text, FilterText) else read_filter(text)
    if read.tree is None:
        return read
    tree = changed(read.tree, lambda leaf: _standard_leaf(resource_type, leaf, FILTER_RULES))
    return read if tree is read.tree else FilterText.of(read, tree, read.mistake)


def _standard_leaf(resource_type: ResourceType, leaf: Leaf, rules: tuple[FilterRule, ...]) -> Leaf:
    for rule in rules:
        changed_leaf = rule(resource_type, leaf)
        # What standard_terms changes is noted by the rules that it goes by.
        if changed_leaf is not leaf and rule in FILTER_RULES and rule is not standard_terms:
            note(rule)
        leaf = changed_leaf
    return leaf


def standard_path(resource_type: ResourceType, text: str, rules: tuple[FilterRule, ...] = FILTER_RULES) -> PathText:
    """Return a PATCH path as the standard has it, with its meaning or its error."""
    path, applied = respelled_path(resource_type, text, rules)
    note_names(applied)
    return path


def respelled_path(
    resource_type: ResourceType, text: str, rules: tuple[FilterRule, ...] = FILTER_RULES
) -> tuple[PathText, tuple[str, ...]]:
    """Return a PATCH path as the standard has it, and the names of the rules that have changed it."""
    if isinstance(text, PathText):
        return text, ()
    if len(text) > MAX_LENGTH:
        return PathText.of(text, None, invalid_path(f"Path: longer than {MAX_LENGTH} characters.")), ()
    found = (_known_path if len(text) <= MAX_REMEMBERED else _path)(resource_type, text, rules)
    return PathText.of(text, found.path, None if found.path else invalid_path(found.problem)), found.rules


class _Respelled(NamedTuple):
    """What a path means, or what is wrong with it, and the names of the rules that have changed it."""

    path: Path | None
    problem: str
    rules: tuple[str, ...]


def _path(resource_type: ResourceType, text: str, rules: tuple[FilterRule, ...]) -> _Respelled:
    standard, applied = noted_by(lambda: _standard_syntax(resource_type, read_path(text), rules))
    try:
        return _Respelled(bind_path(standard, resource_type, text), "", applied)
    except ScimError as error:
        return _Respelled(None, error.detail, applied)


_known_path = lru_cache(maxsize=1024)(_path)


def _standard_syntax(resource_type: ResourceType, path: PathSyntax, rules: tuple[FilterRule, ...]) -> PathSyntax:
    target = path.target
    if isinstance(target, Name):
        return replace(path, target=target._replace(text=standard_name(resource_type, target.text)))
    if target is None:
        return path
    standard = _standard_leaf(resource_type, target, rules)
    assert isinstance(standard, Elements)
    return replace(path, target=standard)


def attribute_of(resource_type: ResourceType, text: str) -> tuple[AttributePath | None, bool]:
    """Return the attribute that a path leads to, None if there is none, whatever its value filter, and whether it has one."""
    path = read_path(text) if "[" in text else None
    if path is None or not isinstance(path.target, Elements):
        return attribute_at(standard_name(resource_type, text), resource_type), False
    if path.mistake or path.target.rest:
        return None, True
    below = path.sub_attribute.text if path.sub_attribute else ""
    return attribute_at(standard_name(resource_type, path.target.name.text + below), resource_type), True
