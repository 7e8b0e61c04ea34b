"""Which accounts Entra would no longer find, and create again, once a profile matches otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scimsvc.mapping import AttributeMapping, ObjectMapping
from scimsvc.mapping.expression import ExpressionError
from scimsvc.mapping.mapper import RowMapper, SkippedObject
from scimsvc.mapping.profile.changes import matching_key
from scimsvc.protocol.reading import value_at
from scimsvc.schema.types import normaliser
from scimsvc.service.words import matching_in_words


def unsure(row: AttributeMapping, known: Mapping[str, Any]) -> str | None:
    """Return why the value of a row can't be told for an object of which `known` is known, or None if it can."""
    unknown = [name for name in row.source_names if name not in known]
    if unknown:
        return f"{' and '.join(unknown)} can't be told"
    return None if row.expression is None or row.expression.deterministic else "it comes out differently each time"


class Lookups:
    """Entra's search for existing accounts in its next full cycle, by the matching rows of a new table.

    Entra asks for each matching value in order of precedence. It creates the account if no search finds it.
    """

    def __init__(self, new: ObjectMapping, former: ObjectMapping | None) -> None:
        changed = former is not None and matching_key(new) != matching_key(former)
        before, after = (matching_in_words(table.matching() if table else ()) for table in (former, new))
        self.change = f"matching changes from {before} to {after}" if changed else None
        """What changes, in words; None if accounts are found as before."""
        self._rows = [(row, RowMapper(row)) for row in new.matching()] if changed else []

    def missed(self, document: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
        """Yield why an account would not be found, if so; `known` are the directory's attributes that are certain."""
        reasons: list[str] = []
        asked: list[str] = []
        for row, mapper in self._rows:
            reason = unsure(row, known)
            if reason is None:
                try:
                    value = mapper.value(known)
                except (ExpressionError, SkippedObject):
                    continue
                if value in (None, "", []):
                    continue
                if _same(row, value, value_at(row.value_path, document)):
                    return
                asked.append(row.target_text)
            else:
                reasons.append(reason)
                asked.append(row.target_text)
        if reasons:
            yield f"may not be found by {' or '.join(asked)} and be created again: {' and '.join(dict.fromkeys(reasons))}"
        elif asked:
            yield f"would not be found by {' or '.join(asked)}, so Entra creates it again"
        elif self._rows:
            yield f"has no {' or '.join(row.target_text for row, _ in self._rows)}, by which Entra would look for it"


def _same(row: AttributeMapping, value: Any, stored: Any) -> bool:
    """Whether a filter with `eq` and a value finds the stored value of the row's target."""
    normalise = normaliser(row.value_path.target.leaf)
    try:
        wanted = normalise(value)
        return any(normalise(one) == wanted for one in (stored if isinstance(stored, list) else [stored]) if one is not None)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        # A value of another type is found by no filter.
        return False
