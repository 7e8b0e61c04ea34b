"""Entra's filters, in queries and in the brackets of PATCH paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, reduce

from scimsvc.protocol.dialects.entra.names import standard_name
from scimsvc.protocol.dialects.entra.numbers import number_in
from scimsvc.protocol.errors import ScimError, invalid_path
from scimsvc.protocol.filter import FilterText, Path, PathText
from scimsvc.protocol.filter.bind import attribute_at, bind_path
from scimsvc.protocol.filter.parse import read_filter, read_path
from scimsvc.protocol.filter.syntax import MAX_LENGTH, NO_JSON, All, Elements, Leaf, Name, Term, Value, changed
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath

_MAX_REMEMBERED = 1024
"""Characters of a path that is remembered when it has been read."""

ATTRIBUTE_PARAMETERS = ("attributes", "excludedattributes")
NAME_PARAMETERS = (*ATTRIBUTE_PARAMETERS, "sortby")


def brackets_in_attributes(parameters: Mapping[str, str]) -> dict[str, str]:
    """`attributes=emails[type eq "work"]` asks for `emails`. SCIMReferenceCode, PostmanCollection.json."""
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
    """`externalId eq jyoung`: a string without quotation marks. Tutorial, "Get user by query" of the code samples."""
    if attribute.type in _TEXTS and value.text[:1] != '"' and value.literal is not None:
        return value._replace(literal=value.text)
    return value


def quoted_boolean(attribute: Attribute, value: Value) -> Value:
    """`roles[primary eq "True"]`: a boolean as a string. Customize, "Provisioning a role to a SCIM app"."""
    if attribute.type == "boolean" and isinstance(value.literal, str) and value.literal.lower() in ("true", "false"):
        return value._replace(literal=value.literal.lower() == "true")
    return value


def quoted_number(attribute: Attribute, value: Value) -> Value:
    """`badge eq "17"`: a number as a string. Tutorial, "Get user by query": all values are in quotation marks."""
    if attribute.type not in ("integer", "decimal") or value.literal is NO_JSON:
        return value
    return value._replace(literal=number_in(attribute.type, value.literal))


TERM_RULES: tuple[Callable[[Attribute, Value], Value], ...] = (unquoted_string, quoted_boolean, quoted_number)
"""Each takes the attribute and the value that it is compared with, and gives the standard's value."""
_TEXTS = ("string", "reference", "dateTime")


def term_after_value_filter(resource_type: ResourceType, leaf: Leaf) -> Leaf:
    """`emails[type eq "work"].value eq "x"` and `emails[type eq "work"] eq "x"` mean `emails[type eq "work" and value eq "x"]`.

    Tutorial, "Design your user and group schema": users are queried by `emails[type eq "work"]` as matching attribute; the sample
    `phoneNumbers[type eq "mobile"] eq "…"` compares the element as a whole, which is its `value`.
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


def standard_terms(resource_type: ResourceType, leaf: Leaf) -> Leaf:
    """Apply the rules for names and TERM_RULES to every comparison."""
    text = standard_name(resource_type, leaf.name.text)
    name = leaf.name if text == leaf.name.text else leaf.name._replace(text=text)
    path = attribute_at(text, resource_type)
    if isinstance(leaf, Term):
        term = leaf if name is leaf.name else leaf._replace(name=name)
        return _standard_value(path, term)
    if path is None or leaf.filter is None:
        return leaf if name is leaf.name else replace(leaf, name=name)

    def inside(inner: Leaf) -> Leaf:
        return _standard_value(attribute_at(inner.name.text, resource_type, path), inner) if isinstance(inner, Term) else inner

    return replace(leaf, name=name, filter=changed(leaf.filter, inside))


def _standard_value(path: AttributePath | None, term: Term) -> Term:
    if path is None or term.value is None:
        return term
    attribute = path.value().leaf if path.leaf.type == "complex" else path.leaf
    value = reduce(lambda value, rule: rule(attribute, value), TERM_RULES, term.value)
    return term if value is term.value else term._replace(value=value)


FILTER_RULES: tuple[Callable[[ResourceType, Leaf], Leaf], ...] = (term_after_value_filter, standard_terms)
"""Each takes a term or value path of a filter, or a PATCH path with brackets, and gives the standard's."""


def standard_filter(resource_type: ResourceType, text: str) -> FilterText:
    """Return a filter as the standard has it; a mistake in it is kept."""
    read = text if isinstance(text, FilterText) else read_filter(text)
    if read.tree is None:
        return read
    tree = changed(read.tree, lambda leaf: _standard_leaf(resource_type, leaf))
    return read if tree is read.tree else FilterText.of(read, tree, read.mistake)


def _standard_leaf(resource_type: ResourceType, leaf: Leaf) -> Leaf:
    for rule in FILTER_RULES:
        leaf = rule(resource_type, leaf)
    return leaf


def standard_path(resource_type: ResourceType, text: str) -> PathText:
    """Return a PATCH path as the standard has it, with its meaning or its error."""
    if isinstance(text, PathText):
        return text
    try:
        if len(text) > MAX_LENGTH:
            raise invalid_path(f"Path: longer than {MAX_LENGTH} characters.")
        remembered = len(text) <= _MAX_REMEMBERED
        return PathText.of(text, (_known_path if remembered else _path)(resource_type, text))
    except ScimError as error:
        return PathText.of(text, None, error)


def _path(resource_type: ResourceType, text: str) -> Path:
    path = read_path(text)
    target = path.target
    if isinstance(target, Name):
        target = target._replace(text=standard_name(resource_type, target.text))
    elif target:
        standard = _standard_leaf(resource_type, target)
        assert isinstance(standard, Elements)
        target = standard
    return bind_path(replace(path, target=target), resource_type, text)


_known_path = lru_cache(maxsize=1024)(_path)
