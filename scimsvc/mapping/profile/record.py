"""The `record:` block of a profile: an account in the application's own words, by expressions over SCIM attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from scimsvc.mapping.expression import Expression, ExpressionError
from scimsvc.mapping.functions import Ignored
from scimsvc.protocol.filter import Path
from scimsvc.protocol.reading import value_at


@dataclass(frozen=True)
class Field:
    """A field of the record: what `path` has, or what `expression` makes of the attributes at `paths`; `text` is as written."""

    name: str
    path: Path | None
    expression: Expression | None
    paths: Mapping[str, Path]
    text: str = ""


class Shaped(NamedTuple):
    """An account as a record, and for each field that can't be worked out the reason."""

    record: dict[str, Any]
    problems: dict[str, str]


@dataclass(frozen=True)
class Record:
    """The fields of a record, in the profile's order."""

    fields: tuple[Field, ...]

    def of(self, resource: Mapping[str, Any]) -> Shaped:
        """Return the record of a resource.

        A field without a value is None; a field whose expression ignores the flow is left out.
        """
        record: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for field in self.fields:
            try:
                value = _value(field, resource)
            except ExpressionError as error:
                problems[field.name] = error.message
                value = None
            if not isinstance(value, Ignored):
                record[field.name] = value
        return Shaped(record, problems)


def _value(field: Field, resource: Mapping[str, Any]) -> Any:
    if field.path is not None:
        return value_at(field.path, resource)
    attributes = {name: value_at(path, resource) for name, path in field.paths.items()}
    return field.expression.evaluate(attributes) if field.expression else None
