"""Operators of other languages, and what RFC 7644 §3.4.2.2 has in their place, for messages about filters and paths."""

from __future__ import annotations

import re

OTHER_OPERATORS: dict[str, str] = {
    **dict.fromkeys(("=", "==", "===", "equal", "equals", "is"), "eq"),
    **dict.fromkeys(("!=", "!==", "<>", "neq", "not"), "ne"),
    **dict.fromkeys(("contains", "like", "ilike", "includes", "matches", "=~", "~", "~="), "co"),
    **dict.fromkeys(("startswith", "starts_with", "beginswith", "begins"), "sw"),
    **dict.fromkeys(("endswith", "ends_with", "ends"), "ew"),
    **dict.fromkeys(("exists", "present"), "pr"),
    **{">": "gt", ">=": "ge", "=>": "ge", "gte": "ge", "<": "lt", "<=": "le", "=<": "le", "lte": "le"},
}
OTHER_CONNECTIVES: dict[str, str] = {"&&": "and", "&": "and", ",": "and", ";": "and", "||": "or", "|": "or"}
_NULL = {"isnull": "eq null", "isnotnull": "pr"}
_SYMBOL = re.compile(r"[=!<>~]+")
"""At the beginning of a word, because a value may follow at once: `title =x`."""


def remedy_for(operator: str, attribute: str) -> str:
    """Return what to write in place of the word behind an attribute; an empty text if no language is known to have it there."""
    symbol = _SYMBOL.match(operator)
    name = symbol[0] if symbol else operator.lower()
    if name == "in":
        return f'write {attribute} eq "…" or {attribute} eq "…"'
    if name == "between":
        return f'write {attribute} ge "…" and {attribute} le "…"'
    right = OTHER_OPERATORS.get(name) or _NULL.get(name)
    return f"write {right}" if right else ""


def remedy_for_call(function: str) -> str:
    """Return what to write in place of a call, as in `startswith(userName, "a")`; an empty text if it is no known operator."""
    right = OTHER_OPERATORS.get(function.lower())
    return f'write userName {right} "…", with the attribute first' if right else ""
