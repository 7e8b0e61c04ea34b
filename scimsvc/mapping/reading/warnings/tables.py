"""Warnings about a table as a whole: groups without members, values that are never accepted, creates that always fail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

import yaml

from scimsvc.mapping.expression import ExpressionError
from scimsvc.mapping.expression.tree import Text, nodes
from scimsvc.mapping.mapper import Mapper, RowMapper, SkippedObject, refused_values
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping
from scimsvc.mapping.reading.yaml_text import Source

_ENTRA_EXTENSION = re.compile(r"urn:ietf:params:scim:schemas:extension:[^:]+:2\.0:(?:User|Group):[^:]+\Z", re.IGNORECASE)
_TRIES = 2_000
"""Combinations of attribute values that a row for a boolean is tried with."""


def advise_on_table(source: Source, node: yaml.Node | None, table: ObjectMapping) -> None:
    """Warn of what keeps the rows of a table from doing their work. A profile without the table gets no warnings."""
    if node is None or source.wrong:
        return
    names = {row.target.target.steps[0].name for row in table.mappings}
    sending = {row.target.target.steps[0].name for row in table.mappings if _can_send(row)}
    for name in table.required_besides(sending):
        reason = "its row sends nothing" if name in names else "no row has it"
        source.warn(node, "create-refused", f"{name} is required and {reason}, so every create is refused")
    if table.resource_type.name == "Group" and "members" not in sending:
        message = "no row has the target members, so groups stay empty: add {source: members, target: members}"
        source.warn(node, "group-without-members", message)
    warned = {row.target_text for row in table.mappings if _warn_of_boolean(source, node, row)}
    for row, must_be in _refused_of_nothing(table):
        if row.target_text not in warned:
            message = f"{row.target_text} {must_be}; of an object without any attributes every create is refused"
            source.warn(node, "create-refused", message)


def advise_on_custom_attributes(source: Source, node: yaml.Node | None, kind: str) -> None:
    """Warn of names below a URN that is not of the form in which Entra sends custom attributes of a SCIM application.

    Source: MicrosoftDocs/entra-docs, customize-application-attributes.md, "Custom extension attributes".
    """
    for entry in node.value if isinstance(node, yaml.SequenceNode) else ():
        pairs = entry.value if isinstance(entry, yaml.MappingNode) else ()
        name = next((value for key, value in pairs if key.value == "name" and isinstance(value, yaml.ScalarNode)), None)
        if name is not None and name.value.lower().startswith("urn:") and not _ENTRA_EXTENSION.match(name.value):
            form = f"urn:ietf:params:scim:schemas:extension:NAME:2.0:{kind}:ATTRIBUTE"
            message = f"Entra leaves {name.value} out of creates; custom attributes have the form {form}"
            source.warn(name, "custom-attribute-name", message)


def _can_send(row: AttributeMapping) -> bool:
    return any(part is not None for part in (row.source, row.constant, row.expression, row.default))


def _warn_of_boolean(source: Source, node: yaml.Node, row: AttributeMapping) -> bool:
    """Warn of a row for a boolean whose expression never gives true or false. Return whether it does so."""
    if row.expression is None or row.target.target.value().leaf.type != "boolean" or not row.expression.deterministic:
        return False
    mapper = RowMapper(row)
    example = None
    for attributes in _combinations(row):
        try:
            value = mapper.value(attributes)
        except (ExpressionError, SkippedObject):
            continue
        if isinstance(value, (bool, list)):
            return False
        example = value if example is None else example
    if example is None:
        return False
    message = f"{row.target_text} must be true or false, and the expression gives only texts such as {example!r:.40}"
    source.warn(node, "create-refused", f"{message}; every create is refused")
    return True


def _combinations(row: AttributeMapping) -> Iterator[Mapping[str, Any]]:
    """Yield values of the row's source attributes to try: booleans as Entra has them, and the strings of the expression."""
    assert row.expression is not None
    texts = [one.value for one in nodes(row.expression.tree) if isinstance(one, Text)]
    values = list(dict.fromkeys(["True", "False", *texts, "x"]))
    names = row.source_names
    yield {}
    for combination in islice(product(values, repeat=len(names)), _TRIES):
        yield dict(zip(names, combination, strict=True))


def _refused_of_nothing(table: ObjectMapping) -> Iterator[tuple[AttributeMapping, str]]:
    """Yield the rows whose values are refused for an object without any attributes, and what the values must be."""
    try:
        flows, _ = Mapper(table).known_flows({})
    except (ExpressionError, SkippedObject):
        return
    yield from refused_values(flows)
