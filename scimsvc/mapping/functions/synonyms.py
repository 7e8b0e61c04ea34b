"""What other languages call the functions of Entra's expressions."""

from __future__ import annotations

SYNONYMS = {
    "ascii": "NormalizeDiacritics",
    "capitalize": "PCase",
    "case": "Switch",
    "concat": "Join or Append",
    "concatenate": "Join or Append",
    "contains": "InStr",
    "dateformat": "FormatDateTime",
    "equals": "=",
    "find": "InStr",
    "first": "Item",
    "format": "FormatDateTime or Join",
    "formatdate": "FormatDateTime",
    "if": "IIF",
    "ifnull": "Coalesce",
    "indexof": "InStr",
    "isblank": "IsNullOrEmpty",
    "isempty": "IsNullOrEmpty",
    "lcase": "ToLower",
    "lower": "ToLower",
    "lowercase": "ToLower",
    "nvl": "Coalesce",
    "plus": "Join or Append",
    "proper": "PCase",
    "regexreplace": "Replace",
    "strip": "Trim",
    "substitute": "Replace",
    "substr": "Mid",
    "substring": "Mid",
    "titlecase": "PCase",
    "today": "Now",
    "ucase": "ToUpper",
    "upper": "ToUpper",
    "uppercase": "ToUpper",
}
"""What other languages call a function, in lower case, and Entra's function for it."""


def synonym(function: str) -> str | None:
    """Return Entra's name for a function of another language, or None."""
    return SYNONYMS.get(function.lower())
