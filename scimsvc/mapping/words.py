"""The parts of a mapping table in the portal's words."""

from __future__ import annotations

from scimsvc.mapping.profile.custom_attributes import TYPES
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping
from scimsvc.schema.model import Attribute


def scope_of(table: ObjectMapping) -> str:
    """Return which objects the scoping filters of a table let through."""
    if not table.scope:
        return "all objects"
    return " or ".join(
        "(" + " and ".join(" ".join(filter(None, (c.attribute, c.operator, c.value))) for c in one.clauses) + ")"
        for one in table.scope
    )


def flow_of(row: AttributeMapping) -> str:
    """Return where the value of a row comes from: `[department]`, `the constant 'x'`."""
    if row.expression is not None:
        return f"the expression {row.expression.canonical()}"
    if row.source is not None:
        return f"[{row.source}]"
    return f"the constant {row.constant!r}" if row.constant is not None else "nothing"


def precedence_of(row: AttributeMapping) -> str:
    """Return the matching precedence of a row."""
    return f"matching precedence {row.matching}" if row.matching else "no matching precedence"


def default_of(row: AttributeMapping) -> str:
    """Return the default value of a row."""
    return f"the default {row.default!r}" if row.default is not None else "no default"


def application_of(row: AttributeMapping) -> str:
    """Return when the value of a row is sent."""
    return "only during creation" if row.apply == "create" else "always"


def definition_of(attribute: Attribute) -> str:
    """Return an attribute as the portal's attribute list has it: `of the type String, required`."""
    kind = next((portal for portal, ours in TYPES.items() if ours == attribute.type), attribute.type)
    notes = {"multi-value": attribute.multi_valued, "required": attribute.required, "exact case": attribute.case_exact}
    return ", ".join([f"of the type {kind}", *(note for note, holds in notes.items() if holds)])
