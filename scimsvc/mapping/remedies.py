"""What to type instead of the commonest mistakes in a profile's YAML and in its expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_FILTERED = re.compile(r"\b(?P<key>target|name|attribute):\s+(?P<text>[A-Za-z][\w:.$-]*\[[^\]\n]*\][\w.:]*)")
"""A key whose value has a filter and no quotes: YAML takes the bracket for the beginning of a list."""
_CALL = re.compile(r"(?P<before>^|[\s{,])(?P<key>expression|[A-Za-z]\w*):\s+(?P<call>[A-Za-z_]\w*\()")
"""A key whose value is a function's call without quotes."""
_COLON = re.compile(r"(?P<key>[A-Za-z]\w*):\s+(?P<text>[^\s'\"{\[|>&*][^,}\n]*?:(?:\s[^,}\n]*)?)\s*(?=[,}]|$)")
"""A key whose value has a colon before a space, and no quotes."""
_INDENTATION = re.compile(r"[ \t]*(?P<character>[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff])")
_INDICATORS = "@`%"

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


class Misplaced(NamedTuple):
    """The true place of a mistake that YAML finds only later: line and column from 1."""

    line: int
    column: int
    message: str


def synonym(function: str) -> str | None:
    """Return Entra's name for a function of another language, or None."""
    return SYNONYMS.get(function.lower())


def quoted(text: str) -> str:
    """Return a text in YAML's single quotes."""
    return "'" + text.replace("'", "''") + "'"


def unquoted(line: str) -> str | None:
    """Return how to quote a value of a line that YAML doesn't read as one text, or None if there is no such value."""
    filtered = _FILTERED.search(line)
    if filtered:
        return f"put the {filtered['key']} in single quotes: {quoted(filtered['text'])}"
    call = _CALL.search(line)
    text = _call_at(line, call.start("call")) if call else None
    return f"put the expression in single quotes: {quoted(text)}" if text else None


def odd_indentation(lines: Sequence[str], until: int) -> Misplaced | None:
    """Return the first line, of those up to a number, that begins with a space that YAML doesn't take for one."""
    for number, line in enumerate(lines[:until], 1):
        match = _INDENTATION.match(line)
        if match:
            code = ord(match["character"])
            name = {0xA0: "a no-break space", 0x200B: "a zero-width space"}.get(code, "a special space")
            column = match.start("character") + 1
            return Misplaced(number, column, f"{name} (U+{code:04X}) stands in the indentation: put plain spaces in its place")
    return None


def for_yaml(problem: str, lines: Sequence[str], line: int, column: int, begins: tuple[int, int] | None) -> str | None:
    """Return what to do about a problem that YAML's parser has at a line and column from 1, or None.

    `begins` is where the list or the keys begin that the parser was reading.
    """
    text = lines[line - 1] if line <= len(lines) else ""
    if r"'\t'" in problem:
        return "use spaces for the indentation, not tabs"
    value = unquoted(text)
    if value:
        return value
    indicator = next((one for one in _INDICATORS if repr(one) in problem), None)
    if indicator:
        return f"a value that begins with {indicator} needs single quotes"
    colon = _COLON.search(text)
    if colon and ("':'" in problem or "mapping values" in problem):
        return f"a value with a colon needs single quotes: {quoted(colon['text'])}"
    if "mapping values" in problem:
        return "the line above goes on here: begin both lines at the same column"
    if "<block end>" in problem and begins:
        return (
            f"this line begins at column {column}, and line {begins[0]}, to whose list or keys it belongs, at column {begins[1]}"
        )
    if "quoted scalar" in problem or "end of stream" in problem:
        return "the closing quotation mark is missing"
    if "',' or '}'" in problem or "',' or ']'" in problem:
        return f"a comma or the closing {'}' if '}' in problem else ']'} is missing"
    return None


def _call_at(line: str, start: int) -> str | None:
    """The text of a call up to its closing parenthesis; None if it doesn't end in the line."""
    depth, in_text = 0, False
    for place in range(start, len(line)):
        character = line[place]
        if character == '"':
            in_text = not in_text
        elif not in_text and character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return line[start : place + 1]
    return None
