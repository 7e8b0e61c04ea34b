"""Entra's filters, in queries and in the brackets of PATCH paths."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import get_args

from scimsvc.protocol.dialects.entra.applied import by_rules, note
from scimsvc.protocol.dialects.entra.names import standard_name
from scimsvc.protocol.dialects.entra.numbers import number_in
from scimsvc.protocol.filter.ast import Operator
from scimsvc.protocol.filter.lexer import FilterSyntaxError, Respelled, Token, tokens
from scimsvc.protocol.filter.parser import MAX_FILTER_LENGTH
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath, resolve

_PLAIN = re.compile(r'(?P<name>[\w:.$-]+) eq "[^"\\]*"')
_CONNECTIVES = frozenset({"and", "or", "not"})
_OPERATORS = frozenset((*get_args(Operator), "pr"))


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


def unquoted_string(attribute: Attribute, value: str) -> str:
    """`externalId eq jyoung`: a string without quotation marks. Tutorial, "Get user by query" of the code samples."""
    if attribute.type in ("string", "reference", "dateTime") and not value.startswith('"') and value.lower() != "null":
        return json.dumps(value)
    return value


def quoted_boolean(attribute: Attribute, value: str) -> str:
    """`roles[primary eq "True"]`: a boolean as a string. Customize, "Provisioning a role to a SCIM app"."""
    if attribute.type == "boolean" and value.strip('"').lower() in ("true", "false"):
        return value.strip('"').lower()
    return value


def quoted_number(attribute: Attribute, value: str) -> str:
    """`badge eq "17"`: a number as a string. Tutorial, "Get user by query": all values are in quotation marks."""
    if attribute.type not in ("integer", "decimal"):
        return value
    try:
        sent = json.loads(value)
    except ValueError:
        return value
    number = number_in(attribute.type, sent)
    return value if number is sent else json.dumps(number)


TermRule = Callable[[Attribute, str], str]
"""Takes the attribute and the text of the value that it is compared with, and gives the standard's text."""
TERM_RULES: tuple[TermRule, ...] = (unquoted_string, quoted_boolean, quoted_number)
TERM_RULES_OF_TARGETS: tuple[TermRule, ...] = (quoted_boolean, quoted_number)
"""The rules for targets of a mapping table. A string without quotation marks there is a mistake of the administrator."""


def standard_terms(resource_type: ResourceType, text: str, rules: tuple[TermRule, ...] = TERM_RULES) -> str:
    """Names and values of every comparison by the rules for names and those given for values."""
    found = tokens(text)
    pieces = [token.text for token in found]
    scope = ""
    for position, token in enumerate(found):
        if token.kind == "]":
            scope = ""
        if not _names_an_attribute(found, position):
            continue
        name = scope + token.text if scope else standard_name(resource_type, token.text)
        pieces[position] = token.text if scope else name
        following = found[position + 1]
        if following.kind == "[":
            scope = f"{name}."
        elif following.kind == "word" and following.text.lower() != "pr" and found[position + 2].kind in ("word", "string"):
            path = resolve(resource_type, name) or _element_of_simple(resource_type, scope, token.text)
            if path:
                value = pieces[position + 2]
                pieces[position + 2] = by_rules(rules, path.value().leaf, value)
    return Respelled.of(text, zip(found, pieces, strict=True))


def term_after_value_filter(resource_type: ResourceType, text: str) -> str:
    """`emails[type eq "work"].value eq "x"` and `emails[type eq "work"] eq "x"` mean `emails[type eq "work" and value eq "x"]`.

    Tutorial, "Design your user and group schema": users are queried by `emails[type eq "work"]` as matching attribute; the sample
    `phoneNumbers[type eq "mobile"] eq "…"` compares the element as a whole, which is its `value`.
    """
    found = tokens(text)
    pieces = [token.text for token in found]
    opening = 0
    for position, token in enumerate(found):
        if token.kind == "[":
            opening = position
        if token.kind != "]":
            continue
        sub_attribute = found[position + 1].text.startswith(".")
        operator = position + 1 + sub_attribute
        name = found[position + 1].text[1:] if sub_attribute else _compared_as_whole(resource_type, found, opening, operator)
        if name and found[operator].kind == "word":
            pieces[opening] = "[("
            pieces[position] = ") and " if sub_attribute else f") and {name} "
            if sub_attribute:
                pieces[position + 1] = name
            pieces[operator if found[operator].text.lower() == "pr" else operator + 1] += "]"
    return Respelled.of(text, zip(found, pieces, strict=True))


def _compared_as_whole(resource_type: ResourceType, found: list[Token], opening: int, operator: int) -> str:
    """Return the sub-attribute that a comparison of the elements of a value filter is about; nothing if there is none."""
    path = resolve(resource_type, standard_name(resource_type, found[opening - 1].text)) if opening else None
    compares = found[operator].kind == "word" and found[operator].text.lower() in _OPERATORS
    # In a query over several resource types some don't have the attribute.
    return "value" if compares and (path is None or path.leaf.type != "complex" or path.leaf.sub_attribute("value")) else ""


FILTER_RULES: tuple[Callable[[ResourceType, str], str], ...] = (term_after_value_filter, standard_terms)
TARGET_RULES = (term_after_value_filter, partial(standard_terms, rules=TERM_RULES_OF_TARGETS))
"""The rules for targets of a mapping table."""


def standard_filter(
    resource_type: ResourceType, sent: str, rules: tuple[Callable[[ResourceType, str], str], ...] = FILTER_RULES
) -> str:
    """A filter or a PATCH path as the standard has it; one that can't be read stays as it is, for the parser to refuse."""
    if len(sent) > MAX_FILTER_LENGTH:
        return sent
    plain = _PLAIN.fullmatch(sent)
    if plain:
        path = resolve(resource_type, plain["name"])
        if path and path.leaf.type == "string":
            return sent
    text = sent
    try:
        for rule in rules:
            changed = rule(resource_type, text)
            # What standard_terms changes is noted by the rules that it goes by.
            if changed != text and rule in FILTER_RULES and rule is not standard_terms:
                note(rule)
            text = changed
        return text
    except (FilterSyntaxError, IndexError):
        return sent


def _element_of_simple(resource_type: ResourceType, scope: str, name: str) -> AttributePath | None:
    """Return the path that `value` stands for in the brackets of a multi-valued simple attribute: `tags[value eq "x"]`."""
    return resolve(resource_type, scope[:-1]) if scope and name.lower() == "value" else None


def _names_an_attribute(found: list[Token], position: int) -> bool:
    if found[position].kind != "word" or found[position].text.startswith("."):
        return False
    if position == 0:
        return True
    before = found[position - 1]
    connective = before.kind == "word" and before.text.lower() in _CONNECTIVES
    return (connective or before.kind in ("(", "[")) and found[position].text.lower() != "not"
