"""Facts as JSON data, for `--json` and for pages. `words.py` has the same facts as sentences."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from scimsvc.mapping import AttributeMapping
from scimsvc.mapping.profile.model import RowSource
from scimsvc.mapping.profile.scope import Clause
from scimsvc.schema.model import Attribute


def as_data(value: Any) -> Any:
    """Return a fact, or a value in it, as JSON data. Rows and clauses have a profile's keys, attributes those of RFC 7643."""
    match value:
        case AttributeMapping():
            return _row(value)
        case RowSource(form, text):
            return {form: text}
        case Clause(attribute, operator, operand):
            return {"attribute": attribute, "operator": operator} | ({} if operand is None else {"value": operand})
        case Attribute():
            return _attribute(value)
        case tuple() | list():
            return [as_data(part) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {_key(field.name): as_data(getattr(value, field.name)) for field in fields(value)}
    return value


def _row(row: AttributeMapping) -> dict[str, Any]:
    optional = {"matching": row.matching, "default": row.default, "apply": "create" if row.apply == "create" else None}
    given = {key: part for key, part in optional.items() if part is not None}
    return {**(as_data(row.value_source) or {}), "target": row.target_text, **given}


def _attribute(attribute: Attribute) -> dict[str, Any]:
    return {
        "type": attribute.type,
        "multiValued": attribute.multi_valued,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": attribute.mutability,
        "returned": attribute.returned,
        "referenceTypes": list(attribute.reference_types),
    }


def _key(name: str) -> str:
    """Return the name of a field as a JSON key: `left_out` is `leftOut`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
