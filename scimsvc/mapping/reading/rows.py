"""`mappings:` of a table: its rows, with a finding for each mistake."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from scimsvc.mapping.expression import Expression, ExpressionError, compile_expression
from scimsvc.mapping.mapper import converter
from scimsvc.mapping.profile.model import Apply, AttributeMapping, parse_target, path_problem
from scimsvc.mapping.reading.yaml_text import Source
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import Path
from scimsvc.protocol.patch import equalities
from scimsvc.schema.model import ResourceType
from scimsvc.schema.types import check

_ROW_KEYS = ("source", "constant", "expression", "target", "matching", "unique", "default", "apply")
_SOURCES = ("source", "constant", "expression")


def read_row(source: Source, node: yaml.Node, resource_type: ResourceType) -> AttributeMapping | None:
    """Return a row of a table; None, with a finding, if it has no valid target. Note what else is wrong with it."""
    entries = source.mapping(node, "a row", _ROW_KEYS)
    if not isinstance(node, yaml.MappingNode):
        return None
    given = [key for key in _SOURCES if key in entries]
    if len(given) > 1:
        message = f"a mapping has one of source, constant and expression; here are {' and '.join(given)}"
        source.complain(entries[given[1]], message)
    texts = {key: source.text_of(entries.get(key), key) for key in ("source", "constant", "default", "target")}
    if "target" not in entries:
        source.complain(node, "the key 'target' is missing")
    target_text = texts["target"]
    target = None if target_text is None else _target(source, entries["target"], target_text, resource_type)
    matching = source.typed(entries.get("matching"), int, "matching")
    if matching is not None and matching < 1:
        source.complain(entries["matching"], "a matching precedence counts from 1")
    unique = bool(source.typed(entries.get("unique"), bool, "unique"))
    apply = _apply(source, entries)
    expression = _expression(source, entries.get("expression"))
    if target is None or target_text is None:
        return None
    obstacle = _obstacle_to_look_up(target) if matching is not None or unique else None
    if obstacle:
        source.complain(entries["target"], f"{target_text} can't be matched by or unique: {obstacle}")
    _check_constants(source, entries, target, texts)
    return AttributeMapping(
        target=target,
        target_text=target_text,
        source=texts["source"],
        constant=texts["constant"],
        expression=expression,
        matching=matching,
        unique=unique,
        # Microsoft Graph and the portal have an empty string if there is no default.
        default=texts["default"] or None,
        apply=apply,
    )


def _apply(source: Source, entries: Mapping[str, yaml.Node]) -> Apply:
    text = source.text_of(entries["apply"], "apply") if "apply" in entries else "always"
    if text is not None and text not in ("always", "create"):
        source.complain(entries["apply"], "apply must be always or create")
    return "create" if text == "create" else "always"


def _expression(source: Source, node: yaml.Node | None) -> Expression | None:
    text = source.text_of(node, "expression")
    if node is None or text is None:
        return None
    try:
        return compile_expression(text, source.registry)
    except ExpressionError as error:
        source.in_expression(node, error.message, error.column)
        return None


def _check_constants(source: Source, entries: Mapping[str, yaml.Node], target: Path, texts: Mapping[str, str | None]) -> None:
    """Note a constant or default that is not a valid value of the target. An empty default counts as no default."""
    leaf = target.target.value().leaf
    for key in ("constant", "default"):
        text = texts[key]
        if text is None or (key == "default" and not text):
            continue
        expected = check(leaf.type, converter(leaf)(text))
        if expected:
            source.complain(entries[key], f"{leaf.name} must be {expected}, not {text[:40]!r}")


def _target(source: Source, node: yaml.Node, text: str, resource_type: ResourceType) -> Path | None:
    try:
        target = parse_target(text, resource_type)
    except ScimError as error:
        message, column = path_problem(text, error)
        if column > 1:
            source.in_expression(node, message, column)
        else:
            # `no such target attribute: unknown attribute 'x'` would say it twice.
            _, unknown, rest = message.rpartition("unknown attribute ")
            source.complain(node, f"no such target attribute{' ' if unknown else ': '}{rest}")
        return None
    if target.target.leaf.mutability == "readOnly":
        source.complain(node, f"{text} is read-only; the service provider sets it")
    problem = _obstacle_to_create(target)
    if problem:
        source.complain(node, problem)
        return None
    return target


def _obstacle_to_create(target: Path) -> str | None:
    """Return why a value can't be put at a target of a resource that has nothing there yet; None if it can."""
    leaf = target.target.value().leaf
    if leaf.type == "complex":
        names = ", ".join(attribute.name for attribute in leaf.sub_attributes)
        return f"{leaf.name} has no value of its own; its sub-attributes have: {names}"
    if target.value_filter is None:
        return None
    terms = equalities(target.value_filter)
    if not terms:
        return "a target's filter must be eq conditions joined by and: they say what a new element is like"
    for position, term in enumerate(terms):
        for other in terms[:position]:
            if other.path.leaf is term.path.leaf and other.value != term.value:
                return f"{term.path.leaf.name} can't be {other.literal!r} and {term.literal!r} at once"
    return None


def _obstacle_to_look_up(target: Path) -> str | None:
    """Return why the value of a target can't identify a resource; None if it can."""
    value = target.target.value()
    if value.is_secret:
        return "it is never returned, so it can't be looked for"
    if value.leaf.type == "boolean":
        return "true and false can't tell one resource from others"
    single = value.leaf.type != "complex" and target.attribute.steps[0].name != "members"
    return None if single else "it has no single value to look for"
