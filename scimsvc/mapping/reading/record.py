"""`record:` of a profile: fields of the application and the SCIM attributes or expressions for them, with their mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from scimsvc.mapping.expression import Expression, ExpressionError, compile_expression
from scimsvc.mapping.expression.tree import SourceAttribute, nodes
from scimsvc.mapping.profile.record import Field, Record
from scimsvc.mapping.reading.warnings.patterns import advise_on_patterns
from scimsvc.mapping.reading.yaml_text import Source
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import Path, parse_path
from scimsvc.schema.model import ResourceType

_CALL = re.compile(r"\s*[A-Za-z_]\w*\s*\(", re.ASCII)
MAX_NAME_LENGTH = 128


def read_record(source: Source, node: yaml.Node | None, resource_type: ResourceType) -> Record | None:
    """Return the record of a profile, or None if it has none: a mapping of fields to SCIM attributes or expressions.

    Note mistakes.
    """
    if node is None or node.tag.endswith(":null"):
        return None
    if not isinstance(node, yaml.MappingNode):
        source.complain(node, "record must be a mapping of the application's fields to SCIM attributes or expressions")
        return None
    fields: dict[str, Field] = {}
    for key, value in node.value:
        name = source.text_of(key, "the name of a field")
        if name is None:
            continue
        if name in fields:
            source.complain(key, f"{name} is here twice")
        elif not 0 < len(name) <= MAX_NAME_LENGTH:
            source.complain(key, f"the name of a field has 1 to {MAX_NAME_LENGTH} characters")
        else:
            fields[name] = _field(source, name, value, resource_type)
    return Record(tuple(fields.values()))


def _field(source: Source, name: str, node: yaml.Node, resource_type: ResourceType) -> Field:
    nothing = Field(name, None, None, {})
    if isinstance(node, yaml.SequenceNode):
        source.complain(node, "a SCIM attribute that stands alone has no brackets here; an expression is a function's call")
        return nothing
    text = source.text_of(node, name)
    if text is None:
        return nothing
    if not _CALL.match(text):
        try:
            return Field(name, _readable(text, resource_type), None, {}, text)
        except ScimError as error:
            source.complain(node, f"no such SCIM attribute: {error.detail.rstrip('.')}")
            return nothing
    try:
        expression = compile_expression(text, source.registry)
    except ExpressionError as error:
        source.in_expression(node, error.message, error.column)
        return nothing
    advise_on_patterns(source, node, expression)
    return Field(name, None, expression, dict(_paths(source, node, expression, resource_type)), expression.canonical())


def _paths(source: Source, node: yaml.Node, expression: Expression, resource_type: ResourceType) -> Iterable[tuple[str, Path]]:
    for one in nodes(expression.tree):
        if isinstance(one, SourceAttribute):
            try:
                yield one.name, _readable(one.name, resource_type)
            except ScimError as error:
                source.in_expression(node, f"no such SCIM attribute: {error.detail.rstrip('.')}", one.column)


def _readable(text: str, resource_type: ResourceType) -> Path:
    path = parse_path(text, resource_type)
    if path.target.is_secret:
        raise ScimError(400, f"{text} is never returned.")
    return path
