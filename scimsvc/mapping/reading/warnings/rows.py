"""Warnings about a row that is valid and may not do what is meant."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from scimsvc.mapping.expression.tree import Call, Comparison, Omitted, SourceAttribute, Text, nodes
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.profile.model import AttributeMapping
from scimsvc.mapping.reading.source_attributes import KnownAttributes
from scimsvc.mapping.reading.warnings.patterns import advise_on_patterns
from scimsvc.mapping.reading.warnings.values import advise_on_values
from scimsvc.mapping.reading.yaml_text import Source
from scimsvc.protocol.patch import equalities

_PRESENCE = {"IsNull", "IsNullOrEmpty", "IsPresent"}
_INSTEAD = 'Switch([country], [country], "", "Other") tells what is empty from what is not'
_REFERENCES = {SourceAttribute("manager")}
_ALWAYS_ONE_OF = {"IsSoftDeleted": {"True", "False"}, "accountEnabled": {"True", "False"}}


def advise(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping, known: KnownAttributes) -> None:
    """Note what is doubtful about a row as warnings, and what can never work as errors. `known` are the source attributes."""
    if known.of_entra:
        _source_attributes(source, entries, row, known)
        _plugins(source, entries, row)
    advise_on_values(source, entries, row, known.multi_valued())
    if row.expression is not None:
        advise_on_patterns(source, entries["expression"], row.expression)
    _nothing(source, entries, row)
    _matching(source, entries, row)
    _cautions(source, entries, row)
    _switches(source, entries, row)
    _type(source, entries, row)


class Overlaps:
    """Finds pairs of rows of which one writes an attribute as a whole and the other a part of it."""

    def __init__(self) -> None:
        self._wholes: dict[tuple[str, ...], str] = {}
        self._parts: dict[tuple[str, ...], str] = {}

    def with_others(self, row: AttributeMapping) -> str | None:
        """Return the target of an earlier row that writes the same values, or None. Remember this row for later ones."""
        names = tuple(step.name for step in row.target.target.steps)
        chosen = row.target.value_filter is not None
        above = [names[:length] for length in range(1, len(names) + chosen)]
        found = next((self._wholes[name] for name in above if name in self._wholes), None)
        if not chosen:
            found = found or self._parts.get(names)
            self._wholes.setdefault(names, row.target_text)
        for name in above:
            self._parts.setdefault(name, row.target_text)
        return found


def _source_attributes(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping, known: KnownAttributes) -> None:
    if row.source is not None:
        doubt = known.doubt(row.source)
        if doubt:
            source.warn(entries["source"], "unknown-source-attribute", doubt)
    if row.expression is not None:
        for node in nodes(row.expression.tree):
            if isinstance(node, SourceAttribute):
                doubt = known.doubt(node.name)
                if doubt:
                    source.in_expression(entries["expression"], doubt, node.column, "unknown-source-attribute")


def plugin_functions(row: AttributeMapping, registry: Registry) -> list[Call]:
    """Return the calls in a row's expression of functions that Entra doesn't have."""
    if row.expression is None:
        return []
    return [node for node in nodes(row.expression.tree) if isinstance(node, Call) and registry.is_plugin(node.name)]


def _plugins(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping) -> None:
    for call in plugin_functions(row, source.registry):
        message = f"Entra has no function {call.name}, so it can't work this row out; a plugin's functions belong in record:"
        source.in_expression(entries["expression"], message, call.column, "plugin-function")


def _nothing(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping) -> None:
    if not entries.keys() & {"source", "constant", "expression", "default"}:
        message = f"nothing is sent for {row.target_text}: give it a source, a constant, an expression or a default"
        source.warn(entries["target"], "no-source", message)


def _matching(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping) -> None:
    if row.matching is None or row.expression is None:
        return
    if any(isinstance(node, Call) and node.name == "SelectUniqueValue" for node in nodes(row.expression.tree)):
        source.complain(entries["expression"], f"{row.target_text} can't be matched by SelectUniqueValue")
    elif not row.expression.deterministic:
        source.complain(entries["expression"], f"{row.target_text} can't be matched by what comes out differently each time")
    else:
        source.warn(
            entries["expression"],
            "matched-by-expression",
            f"{row.target_text} is matched by an expression: if its result changes, Entra no longer finds the account",
        )


def _cautions(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping) -> None:
    """Warn of what Entra's reference advises against, though some of its examples do it."""
    if row.expression is None:
        return
    for node in nodes(row.expression.tree):
        if not isinstance(node, Call):
            continue
        if node.name == "SelectUniqueValue":
            message = (
                "Entra works SelectUniqueValue out for Active Directory alone: a SCIM application gets no unique value by it"
            )
        elif node.name in ("IIF", "Switch") and isinstance(node.arguments[0], Call) and node.arguments[0].name in _PRESENCE:
            message = f"Entra doesn't support {node.arguments[0].name} here; {_INSTEAD}"
        elif (
            node.name == "IIF"
            and isinstance(node.arguments[0], Comparison)
            and Text("") in (node.arguments[0].left, node.arguments[0].right)
        ):
            message = f'Entra doesn\'t support a comparison with "" here; {_INSTEAD}'
        elif node.name == "Switch" and node.arguments[0] in _REFERENCES:
            message = "Entra doesn't support a reference in Switch"
        else:
            continue
        source.in_expression(entries["expression"], message, node.column, "unsupported-by-entra")


def _switches(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping) -> None:
    if row.expression is None:
        return
    for node in nodes(row.expression.tree):
        if not isinstance(node, Call) or node.name != "Switch" or not isinstance(node.arguments[1], Omitted):
            continue
        first = node.arguments[0]
        keys = {key.value for key in node.arguments[2::2] if isinstance(key, Text)}
        always = _ALWAYS_ONE_OF.get(first.name) if isinstance(first, SourceAttribute) else None
        if not (always and always <= keys):
            source.in_expression(
                entries["expression"],
                "Switch without a default: for any other value nothing is sent, and the account keeps what it has",
                node.column,
                "switch-without-default",
            )


def _type(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping) -> None:
    """Note a constant that contradicts the filter: `emails[type eq "work"].type` is always `work`."""
    if row.target.value_filter is None or row.target.sub_attribute is None or row.constant is None:
        return
    for term in equalities(row.target.value_filter):
        same = term.path.leaf is row.target.sub_attribute.leaf
        if same and row.constant.casefold() != term.value.casefold():
            source.complain(
                entries["constant"],
                f"{row.target_text} says that {term.path.leaf.name} is {term.literal!r}, so it can't be {row.constant!r}",
            )
