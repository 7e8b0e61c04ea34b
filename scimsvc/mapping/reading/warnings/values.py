"""Warnings about what a row sends: values that do not fit their target, and roles that need an expression."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import yaml

from scimsvc.mapping.expression.tree import SourceAttribute
from scimsvc.mapping.profile.model import AttributeMapping
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean
from scimsvc.protocol.patch import equalities
from scimsvc.schema.types import normaliser

_ROLES = "appRoleAssignments"
_OF_SEVERAL_VALUES = frozenset(
    {"AppRoleAssignments", "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex", "RemoveDuplicates", "Split"}
)
"""Functions that come to several values."""


def advise_on_values(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping, several: Collection[str]) -> None:
    """Warn of values that do not fit the target of a row.

    These are roles without an expression, several values for a target of one, a target that ends in a filter, and values that are
    not canonical. `several` are the source attributes with several values. Microsoft's own default sends several to a target with
    a filter, `emails[type eq "other"].value`, so there is no warning about those.
    """
    if row.source == _ROLES:
        source.warn(
            entries["source"],
            "roles-without-expression",
            "appRoleAssignments arrives as XML: map it with an expression, such as "
            "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])",
        )
    elif row.target.value_filter is None and not row.target.target.leaf.multi_valued and (name := _several_values(row, several)):
        source.warn(
            entries["source" if row.source is not None else "expression"],
            "several-values",
            f"{name} has several values and {row.target_text} has one: Entra sends the first",
        )
    if row.target_text.endswith("]") and row.matching is not None:
        source.complain(entries["target"], f"Entra can't match by {row.target_text}: write {row.target_text}.value")
    elif row.target_text.endswith("]"):
        message = f"{row.target_text} ends in a filter and means its value: write {row.target_text}.value"
        source.warn(entries["target"], "filter-target", message)
    _canonical_values(source, entries, row)


def _canonical_values(source: Source, entries: Mapping[str, yaml.Node], row: AttributeMapping) -> None:
    """Warn of values in the target's filter, or as constant or default, that are not among the schema's canonicalValues.

    They are suggestions (RFC 7643 §7), so other values are not errors.
    """
    terms = equalities(row.target.value_filter) if row.target.value_filter else []
    given = [("target", term.path.leaf, term.literal) for term in terms]
    texts = (("constant", row.constant), ("default", row.default))
    given += [(key, row.target.target.value().leaf, text) for key, text in texts if text is not None]
    for key, attribute, value in given:
        known = attribute.canonical_values
        normalise = normaliser(attribute)
        if known and normalise(value) not in map(normalise, known):
            hint = did_you_mean(str(value), known)
            message = f"{attribute.name} is usually one of {', '.join(known)}, not {value!r:.60}{hint}"
            source.warn(entries[key], "canonical-value", message)


def _several_values(row: AttributeMapping, several: Collection[str]) -> str | None:
    """Return the source attribute or function that may give several values to a row, or None."""
    if row.source is not None:
        return row.source if row.source in several else None
    tree = row.expression.tree if row.expression else None
    if tree is None or tree.name not in _OF_SEVERAL_VALUES:
        return None
    argument = tree.arguments[0]
    is_of_one = tree.name == "RemoveDuplicates" and isinstance(argument, SourceAttribute) and argument.name not in several
    return None if is_of_one else tree.name
