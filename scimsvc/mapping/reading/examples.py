"""The examples of a profile: source attributes in, expected SCIM attributes out. They run whenever the profile is loaded."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from scimsvc.mapping.expression import ExpressionError
from scimsvc.mapping.functions.values import is_64_bit
from scimsvc.mapping.mapper import Mapper, SkippedObject, refused_values
from scimsvc.mapping.profile.model import ObjectMapping, key_of, parse_target
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean
from scimsvc.protocol.errors import ScimError

_KEYS = ("name", "source", "expect")
_NUMBER = re.compile(r"-?[0-9]{1,19}")


def run_examples(source: Source, node: yaml.Node | None, table: ObjectMapping) -> None:
    """Note every expectation that is not met, at its place.

    Only the attributes that an example expects are compared. Examples run only if nothing else in the profile is wrong.
    """
    mapper = Mapper(table)
    cases = []
    for entry in source.sequence(node, "examples"):
        entries = source.mapping(entry, "an example", _KEYS)
        if not isinstance(entry, yaml.MappingNode):
            continue
        for key in ("source", "expect"):
            if not isinstance(entries.get(key), yaml.MappingNode):
                source.complain(entries.get(key, entry), f"an example needs {key!r}, a mapping of attributes to values")
        given, expected = entries.get("source"), entries.get("expect")
        if isinstance(given, yaml.MappingNode) and isinstance(expected, yaml.MappingNode):
            for part in (given, expected):
                _look_at_keys(source, part)
            if not source.wrong:
                cases.append((entry, given, expected))
    for entry, given, expected in cases if not source.wrong else ():
        _run(source, entry, mapper, _plain(given), expected)


def _look_at_keys(source: Source, node: yaml.Node) -> None:
    """Note keys, at any depth, that are there twice or are not strings."""
    seen = set()
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode):
            source.complain(key, "the name of an attribute must be a string")
        elif key.value in seen:
            source.complain(key, f"{key.value} is here twice")
        else:
            seen.add(key.value)
        _look_at_keys(source, value)
    for one in node.value if isinstance(node, yaml.SequenceNode) else ():
        _look_at_keys(source, one)


def _run(source: Source, entry: yaml.Node, mapper: Mapper, given: Any, expected: yaml.MappingNode) -> None:
    try:
        flows, unknown = mapper.known_flows(given)
        found = {flow.row.target_key: flow.value for flow in flows}
    except ExpressionError as error:
        source.complain(entry, f"the example can't be worked out: {error.message}")
        return
    except SkippedObject:
        found, unknown = {row.target_key: None for row in mapper.table.mappings}, {}
    else:
        for row, must_be in refused_values(flows):
            source.warn(entry, "create-refused", f"{row.target_text} {must_be}, so the create of this example is refused")
    reasons = {_key_of(target, mapper.table): reason for target, reason in unknown.items()}
    for key, value in expected.value:
        name = str(key.value)
        target = _key_of(name, mapper.table)
        if target in reasons:
            source.complain(key, f"an example can't expect {name}: {reasons[target]}")
        elif target not in found:
            targets = [row.target_text for row in mapper.table.mappings]
            source.complain(key, f"no mapping has the target {name!r}{did_you_mean(name, targets)}")
        elif found[target] != _plain(value):
            source.complain(value, f"{name} comes to {_shown(found[target])}, not to {_shown(_plain(value))}")


def _key_of(name: str, table: ObjectMapping) -> Hashable:
    try:
        return key_of(parse_target(name, table.resource_type))
    except ScimError:
        return None


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _plain(node: yaml.Node) -> Any:
    """Return the value of a node: strings, numbers, booleans, null, lists and mappings. A date is a string."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one) for one in node.value]
    text = str(node.value)
    if node.tag.endswith(":null"):
        return None
    if node.tag.endswith(":bool"):
        return text.lower() in ("true", "yes", "on")
    number = int(text) if node.tag.endswith(":int") and _NUMBER.fullmatch(text) else None
    return text if number is None or not is_64_bit(number) else number
