"""Where a profile and what Entra has disagree, in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from scimsvc.mapping.custom import TYPES
from scimsvc.mapping.flow_types import FLOW_TYPES
from scimsvc.mapping.profile import AttributeMapping, ObjectMapping, Profile


def differences(profile: Profile, entra: Profile) -> list[str]:
    """One line for each difference between a profile and Entra's, which was imported."""
    return [
        line
        for name, ours, theirs in (("users", profile.users, entra.users), ("groups", profile.groups, entra.groups))
        for line in _of_tables(name, ours, theirs)
    ]


def _of_tables(name: str, ours: ObjectMapping, theirs: ObjectMapping) -> Iterator[str]:
    if ours.is_mapped != theirs.is_mapped:
        yield (
            f"{name}: Entra sends them; the profile has no such table"
            if theirs.is_mapped
            else (f"{name}: the profile has a table; Entra has no mapping of them, or it is not enabled")
        )
        return
    our_flows, their_flows = ours.flow_types or FLOW_TYPES, theirs.flow_types or FLOW_TYPES
    if our_flows != their_flows:
        yield f"{name}: flowTypes are {', '.join(their_flows)} in Entra and {', '.join(our_flows)} in the profile"
    if _scope(ours) != _scope(theirs):
        yield f"{name}: in scope are {_scope(theirs)} in Entra and {_scope(ours)} in the profile"
    our_rows, their_rows = _by_target(ours), _by_target(theirs)
    for target, row in their_rows.items():
        if target not in our_rows:
            yield f"{name}: Entra sends {_what(row)} to {row.target_text}; the profile has no such row"
    for target, row in our_rows.items():
        other = their_rows.get(target)
        if other is None:
            yield f"{name}: the profile has {_what(row)} for {row.target_text}; Entra sends nothing there"
            continue
        if _what(row) != _what(other):
            yield f"{name}: {row.target_text} is {_what(other)} in Entra and {_what(row)} in the profile"
        if row.matching != other.matching:
            yield f"{name}: {row.target_text} has {_precedence(other)} in Entra and {_precedence(row)} in the profile"
        if row.default != other.default:
            yield f"{name}: {row.target_text} has {_default(other)} in Entra and {_default(row)} in the profile"
        if row.apply != other.apply:
            yield f"{name}: {row.target_text} is applied {_applied(other)} in Entra and {_applied(row)} in the profile"
        if _definition(row) != _definition(other):
            yield f"{name}: {row.target_text} is {_definition(other)} in Entra and {_definition(row)} in the profile"


def _scope(table: ObjectMapping) -> str:
    if not table.scope:
        return "all objects"
    return " or ".join(
        "(" + " and ".join(" ".join(filter(None, (c.attribute, c.operator, c.value))) for c in one.clauses) + ")"
        for one in table.scope
    )


def _by_target(table: ObjectMapping) -> dict[Hashable, AttributeMapping]:
    return {row.target_key: row for row in table.mappings}


def _what(row: AttributeMapping) -> str:
    if row.expression is not None:
        return f"the expression {row.expression.canonical()}"
    if row.source is not None:
        return f"[{row.source}]"
    return f"the constant {row.constant!r}" if row.constant is not None else "nothing"


def _precedence(row: AttributeMapping) -> str:
    return f"matching precedence {row.matching}" if row.matching else "no matching precedence"


def _default(row: AttributeMapping) -> str:
    return f"the default {row.default!r}" if row.default is not None else "no default"


def _applied(row: AttributeMapping) -> str:
    return "only during creation" if row.apply == "create" else "always"


def _definition(row: AttributeMapping) -> str:
    """A target attribute as the portal's attribute list has it."""
    leaf = row.target.target.leaf
    kind = next((portal for portal, ours in TYPES.items() if ours == leaf.type), leaf.type)
    notes = {"multi-value": leaf.multi_valued, "required": leaf.required, "exact case": leaf.case_exact}
    return ", ".join([f"of the type {kind}", *(note for note, holds in notes.items() if holds)])
