"""Where a profile and what Entra has disagree, in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from scimsvc.mapping.profile.flow_types import FLOW_TYPES
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile
from scimsvc.mapping.words import application_of, default_of, definition_of, flow_of, precedence_of, scope_of


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
    if scope_of(ours) != scope_of(theirs):
        yield f"{name}: in scope are {scope_of(theirs)} in Entra and {scope_of(ours)} in the profile"
    our_rows, their_rows = _by_target(ours), _by_target(theirs)
    for target, row in their_rows.items():
        if target not in our_rows:
            yield f"{name}: Entra sends {flow_of(row)} to {row.target_text}; the profile has no such row"
    for target, row in our_rows.items():
        other = their_rows.get(target)
        if other is None:
            yield f"{name}: the profile has {flow_of(row)} for {row.target_text}; Entra sends nothing there"
            continue
        if flow_of(row) != flow_of(other):
            yield f"{name}: {row.target_text} is {flow_of(other)} in Entra and {flow_of(row)} in the profile"
        if row.matching != other.matching:
            yield f"{name}: {row.target_text} has {precedence_of(other)} in Entra and {precedence_of(row)} in the profile"
        if row.default != other.default:
            yield f"{name}: {row.target_text} has {default_of(other)} in Entra and {default_of(row)} in the profile"
        if row.apply != other.apply:
            there, here = application_of(other), application_of(row)
            yield f"{name}: {row.target_text} is applied {there} in Entra and {here} in the profile"
        here, there = definition_of(row.target.target.leaf), definition_of(other.target.target.leaf)
        if here != there:
            yield f"{name}: {row.target_text} is {there} in Entra and {here} in the profile"


def _by_target(table: ObjectMapping) -> dict[Hashable, AttributeMapping]:
    return {row.target_key: row for row in table.mappings}
