"""Facts in words: one line for each change of a profile and each difference from Entra, for the command and for pages alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scimsvc.mapping import AttributeMapping
from scimsvc.mapping.profile.changes import Change, Scope
from scimsvc.mapping.profile.custom_attributes import portal_definition
from scimsvc.mapping.profile.flow_types import FLOW_TYPES
from scimsvc.mapping.profile.model import RowSource
from scimsvc.mapping.synchronization import Difference, Kept, LeftOut
from scimsvc.mapping.synchronization.definitions import BEHAVIOR
from scimsvc.schema.model import Attribute

NOTHING = "nothing"


def change_in_words(change: Change) -> str:
    """Return a change as one line, such as `users: title: [department] becomes [jobTitle]`."""
    line = _change(change)
    return line if change.within == "profile" else f"{change.within}: {line}"


def difference_in_words(difference: Difference) -> str:
    """Return a difference as one line, such as `users: title is [jobTitle] in Entra and [department] in the profile`."""
    return f"{difference.table}: {_difference(difference)}"


def matching_in_words(rows: Sequence[AttributeMapping]) -> str:
    """Return the matching rows of a table in their order, such as `externalId (from [objectId]), then userName (from [mail])`."""
    return ", then ".join(f"{row.target_text} (from {_source(row.value_source)})" for row in rows) or NOTHING


def left_out_in_words(left_out: LeftOut) -> str:
    """Return what a profile does not have of a schema, such as `synchronizationRules[0].…: flowNullValues of title; …`."""
    return f"{left_out.place}: {_left_out(left_out)}"


def kept_in_words(kept: Kept) -> str:
    """Return what stays in a base, such as `the mapping of users in the base is not enabled, and stays so`."""
    match kept.part:
        case "table":
            return (
                f"the profile has no table {kept.table}: the mapping of {kept.table} in the base stays as it is, and is enabled"
            )
        case "enabled":
            return f"the mapping of {kept.table} in the base is not enabled, and stays so"
    return f"the profile does not say the flowTypes of {kept.table}: {', '.join(kept.value)} of the base stay"


def _left_out(left_out: LeftOut) -> str:
    key, name, value = left_out.key, left_out.name, left_out.value
    match key:
        case "sourceObjectName":
            return f"objects of {value!r:.60} have no table in a profile"
        case "matchingPriority":
            return f"the mapping of {name} is not enabled and has no matching row"
        case "enabled":
            return f"the mapping of {name} is not enabled, so Entra sends none of them"
        case "flowTypes":
            return f"{', '.join(value)}; a profile has {', '.join(FLOW_TYPES)}"
        case "inputFilterGroups" | "categoryFilterGroups":
            return "a profile has filters by which objects fall out of scope, and no others"
        case "flowType":
            return f"flowType {value} of {name}; a profile has always and create"
        case "flowBehavior":
            return f"flowBehavior {value!s:.40} of {name}; a profile has {BEHAVIOR}"
        case "exportMissingReferences":
            return f"exportMissingReferences of {name}"
        case "required":
            return f"required of {name}; in a profile it is optional{'' if '[' in name else ', as in RFC 7643'}"
    shown = {"defaultValue": f" {value!r:.40}", "mutability": f" {value!s:.40}"}.get(key, "")
    return f"{key}{shown} of {name}; a profile does not have it"


def _change(change: Change) -> str:
    name, before, after = change.name, change.before, change.after
    match change.part:
        case "table":
            return "new table" if after else "no table any more, so Entra is to send nothing"
        case "resourceType":
            return "new resource type" if after else "no resource type any more"
        case "row" if isinstance(after, AttributeMapping):
            return f"new row: {_source(after.value_source)} to {name}{_notes(after)}"
        case "row" if isinstance(before, AttributeMapping):
            return f"no row for {name} any more; it was {_source(before.value_source)}"
        case "attribute" if before is None:
            return f"new attribute {name}, {_part('characteristics', after)}"
        case "attribute" if after is None:
            return f"no attribute {name} any more"
        case "attribute":
            return _becomes(f"attribute {name}", _part("characteristics", before), _part("characteristics", after))
        case "unique":
            return f"{name} becomes unique" if after else f"{name} is no longer unique"
        case "selfService":
            return f"users may change {name}" if after else f"users may no longer change {name}"
        case "field" if before is None:
            return f"new field {name}: {after}"
        case "field" if after is None:
            return f"no field {name} any more"
    return _becomes(name or change.part, _part(change.part, before), _part(change.part, after))


def _difference(difference: Difference) -> str:
    name, entra, profile = difference.name, difference.entra, difference.profile
    match difference.part:
        case "table" if entra:
            return "Entra sends them; the profile has no such table"
        case "table":
            return "the profile has a table; Entra has no mapping of them, or it is not enabled"
        case "row" if isinstance(entra, AttributeMapping):
            return f"Entra sends {_source(entra.value_source)} to {name}; the profile has no such row"
        case "row" if isinstance(profile, AttributeMapping):
            return f"the profile has {_source(profile.value_source)} for {name}; Entra sends nothing there"
    verbs = {"precedence": "has", "default": "has", "apply": "is applied"}
    subject = {"flowTypes": "flowTypes are", "scope": "in scope are"}.get(
        difference.part, f"{name} {verbs.get(difference.part, 'is')}"
    )
    return f"{subject} {_part(difference.part, entra)} in Entra and {_part(difference.part, profile)} in the profile"


def _becomes(name: str, before: str, after: str) -> str:
    return f"{name}: {before} becomes {after}"


def _part(part: str, value: Any) -> str:
    """Return the value of a part in words; None is what the part is by default."""
    match part:
        case "title":
            return repr(value)
        case "flowTypes":
            return ", ".join(value)
        case "matching":
            return matching_in_words(value)
        case "scope":
            return _scope(value)
        case "source":
            return _source(value)
        case "precedence":
            return f"matching precedence {value}" if value else "no matching precedence"
        case "default":
            return "no default" if value is None else f"the default {value!r}"
        case "apply":
            return "only during creation" if value == "create" else "always"
        case "attribute":
            return _definition(value)
        case "characteristics":
            return _characteristics(value)
    return str(value)


def _notes(row: AttributeMapping) -> str:
    """Return what else a new row has, as the end of a line."""
    notes = [_part("precedence", row.matching)] if row.matching else []
    notes += [_part("default", row.default)] if row.default is not None else []
    notes += [_part("apply", row.apply)] if row.apply == "create" else []
    return "".join(f", {note}" for note in notes)


def _source(source: RowSource | None) -> str:
    """Return where the value of a row comes from: `[department]`, `the constant 'x'`."""
    if source is None:
        return NOTHING
    texts = {"source": f"[{source.text}]", "constant": f"the constant {source.text!r}"}
    return texts.get(source.form, f"the expression {source.text}")


def _scope(scope: Scope) -> str:
    filters = [" and ".join(" ".join(filter(None, (c.attribute, c.operator, c.value))) for c in clauses) for clauses in scope]
    return " or ".join(f"({text})" for text in filters) or "all objects"


def _definition(attribute: Attribute) -> str:
    """Return an attribute as the portal's attribute list has it: `of the type String, required`."""
    type_, multi_valued, required, exact_case = portal_definition(attribute)
    notes = {"multi-value": multi_valued, "required": required, "exact case": exact_case}
    return ", ".join([f"of the type {type_}", *(note for note, holds in notes.items() if holds)])


def _characteristics(attribute: Attribute) -> str:
    notes = {
        attribute.mutability: attribute.mutability != "readWrite",
        f"returned {attribute.returned}": attribute.returned != "default",
        f"a reference to {' or '.join(attribute.reference_types)}": bool(attribute.reference_types),
    }
    return ", ".join([_definition(attribute), *(note for note, holds in notes.items() if holds)])
