"""What to type instead of the most common mistakes in a profile's YAML."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

_MARK = "[\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4`]?"
"""A quotation mark that YAML does not know."""
_FILTERED = re.compile(rf"\b(?P<key>target|name|attribute)[\"']?:\s+{_MARK}(?P<text>[A-Za-z][\w:.$-]*\[[^\]\n]*\][\w.:]*)")
"""A key whose value has a filter and no quotes: YAML takes the bracket for the beginning of a list."""
_CALL = re.compile(rf"(?P<before>^|[\s{{,])(?P<key>expression|[A-Za-z]\w*):\s+{_MARK}(?P<call>[A-Za-z_]\w*\()")
"""A key whose value is a function's call without quotes."""
_COLON = re.compile(r"(?P<key>[A-Za-z]\w*):\s+(?P<text>[^\s'\"{\[|>&*][^,}\n]*?:(?:\s[^,}\n]*)?)\s*(?=[,}]|$)")
"""A key whose value has a colon before a space, and no quotes."""
_NESTED = re.compile(r"\b(?P<key>\w+)[\"']?:\s+(?P<mark>[\"'])(?P<text>[A-Za-z][\w:.$-]*\[[^\]\n]*\][\w.:]*)(?P=mark)")
"""A key whose value has a filter and stands in quotation marks."""
_NESTED_CALL = re.compile(r"\b(?P<key>\w+)[\"']?:\s+(?P<mark>[\"'])(?P<call>[A-Za-z_]\w*\()")
"""A key whose value is a function's call and stands in quotation marks."""
_KEYS = "source|constant|expression|target|matching|unique|default|apply|name|type|multiValued|required|exactCase|description"
_NEXT_KEY = re.compile(rf"[\s;](?P<key>{_KEYS}):(?:\s|$)")
"""A key inside of a value that goes on."""
_NO_SPACE = re.compile(rf"\s*(?:-\s+)?(?P<key>{_KEYS})(?P<colon>:?)(?P<space>\s*)(?P<value>[^\s:].*)")
"""A line with a key, and perhaps without the colon or the space that belong behind it."""
_INDENTATION = re.compile(r"[ \t]*(?P<character>[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff])")
_COMMENT = re.compile(r"\b(?P<key>[A-Za-z]\w*):\s+(?P<text>(?:[^\s'\"{\[#][^'\",}#\n]*\s)?(?P<sign>#)[^,}\n]*)")
"""A key whose value has, or begins with, what YAML takes for a comment, up to the end of the line."""
_DASH = re.compile(r"-(?=\w)|[\u2010-\u2015\u2022\u2212]")
"""What is typed for the dash and the space that a row begins with."""
_SPACE_BEHIND_DASH = "put a space behind the dash"
_INDICATORS = "@`%"


class Misplaced(NamedTuple):
    """The true place of a mistake that YAML finds only later: line and column from 1."""

    line: int
    column: int
    message: str


def quoted(text: str) -> str:
    """Return a text in YAML's single quotes."""
    return "'" + text.replace("'", "''") + "'"


def unquoted(line: str) -> str | None:
    """Return how to quote a value of a line that YAML does not read as one string, or None if every value is fine."""
    filtered = _FILTERED.search(line)
    if filtered:
        return f"put the {filtered['key']} in single quotes: {quoted(filtered['text'])}"
    call = _CALL.search(line)
    text = _call_at(line, call.start("call")) if call else None
    return f"put the expression in single quotes: {quoted(text)}" if text else None


def nested(line: str) -> str | None:
    """Return how to write a value of a line that is in the same quotation marks as it contains, or None."""
    filtered = _NESTED.search(line)
    if filtered and _ends_early(filtered["text"], filtered["mark"]):
        return _in_single_quotes(filtered["key"], filtered["text"], filtered["mark"])
    call = _NESTED_CALL.search(line)
    text = _call_at(line, call.start("call")) if call else None
    if call and text and _ends_early(text, call["mark"]) and line[call.start("call") + len(text) :].startswith(call["mark"]):
        return _in_single_quotes(call["key"], text, call["mark"])
    return None


def no_space(key: str, known: Collection[str]) -> str | None:
    """Return how to correct an unknown key that is a known one with its value, such as `source:mail`, or None."""
    if key[:1].isspace() and key.strip() in known:
        return f"the space before {key.strip()} is U+{ord(key[0]):04X}: put a plain space in its place"
    name, colon, value = key.partition(":")
    if not colon or name not in known or not value:
        return None
    if value[0].isspace():
        return f"the space behind {name}: is U+{ord(value[0]):04X}: put a plain space in its place"
    return f"put a space behind the colon: {name}: {value}"


def odd_indentation(lines: Sequence[str], until: int) -> Misplaced | None:
    """Return the first of some lines that begins with a space character that YAML does not accept as indentation, or None."""
    for number, line in enumerate(lines[:until], 1):
        match = _INDENTATION.match(line)
        if match:
            code = ord(match["character"])
            name = {0xA0: "a no-break space", 0x200B: "a zero-width space"}.get(code, "a special space")
            column = match.start("character") + 1
            return Misplaced(number, column, f"{name} (U+{code:04X}) stands in the indentation: put plain spaces in its place")
    return None


def comment(line: str) -> tuple[int, str] | None:
    """Return the column from 1 of a comment that may be a key's value, and what to do then, or None."""
    match = _COMMENT.search(line)
    if not match:
        return None
    remedy = (
        f"what follows # is a comment; if it is part of the value, put that in single quotes: {quoted(match['text'].rstrip())}"
    )
    return match.start("sign") + 1, remedy


def unclosed_by_comment(lines: Sequence[str], line: int) -> Misplaced | None:
    """Return the comment, at a line from 1 or the one before, that YAML's parser met before the end of keys in braces."""
    for number in (line, line - 1):
        text = lines[number - 1] if 0 < number <= len(lines) else ""
        hidden = comment(text)
        if hidden and text.count("{", 0, hidden[0]) > text.count("}", 0, hidden[0]):
            return Misplaced(number, *hidden)
    return None


def for_yaml(problem: str, lines: Sequence[str], line: int, column: int, begins: tuple[int, int] | None) -> str | None:
    """Return how to correct what YAML's parser complains of at a line and column, counted from 1, or None.

    `begins` is the position of the list or mapping that the parser was reading.
    """
    text = lines[line - 1] if line <= len(lines) else ""
    if r"'\t'" in problem:
        return "use spaces for the indentation, not tabs"
    value = nested(text) or unquoted(text)
    if value:
        return value
    if "escape character" in problem:
        return "a backslash in double quotes begins an escape: put the value in single quotes"
    indicator = next((one for one in _INDICATORS if repr(one) in problem), None)
    if indicator:
        return f"a value that begins with {indicator} needs single quotes"
    colon = _COLON.search(text)
    following = _NEXT_KEY.search(colon["text"]) if colon else None
    if following and "flow mapping" in problem:
        return f"put a comma before {following['key']}"
    if colon and ("':'" in problem or "mapping values" in problem):
        return f"a value with a colon needs single quotes: {quoted(colon['text'])}"
    if "mapping values" in problem or "could not find expected ':'" in problem:
        above = _NO_SPACE.match(lines[line - 2] if "mapping values" in problem and line > 1 else text)
        if above and not (above["colon"] and above["space"]):
            return f"a colon and a space belong behind a key: {above['key']}: {above['value']}"
    if "mapping values" in problem:
        return "the line above goes on here: begin both lines at the same column"
    if "<block end>" in problem and begins:
        return _for_unaligned(text, column, begins)
    if "quoted scalar" in problem or "end of stream" in problem:
        return "the closing quotation mark is missing"
    if "flow node" in problem and "<stream end>" in problem:
        return "the closing } or ] is missing"
    if "',' or '}'" in problem or "',' or ']'" in problem:
        return f"a comma or the closing {'}' if '}' in problem else ']'} is missing"
    return None


def _for_unaligned(text: str, column: int, begins: tuple[int, int]) -> str:
    """Return what to do about a line that does not go on with the list or keys that begin at a line and column."""
    before, here = text[: column - 1], text[column - 1 :]
    if before.strip():
        return f"this row ends in column {column - 1}: remove {here.strip()[:20]!r}"
    if _DASH.match(here):
        return f"a row begins with a plain dash and a space, not with {here[0]!r}" if here[0] != "-" else _SPACE_BEHIND_DASH
    if column == begins[1]:
        return f"this line begins in the column of the keys that begin in line {begins[0]}: indent it as the rows above"
    return f"this line begins at column {column}, and line {begins[0]}, to whose list or keys it belongs, at column {begins[1]}"


def _ends_early(text: str, mark: str) -> bool:
    """Return whether a quotation mark in a text ends it because it is not escaped."""
    return mark in text.replace('\\"' if mark == '"' else "''", "")


def _in_single_quotes(key: str, text: str, mark: str) -> str:
    """Return how to write a target or expression that contains the quotation mark around it."""
    in_pairs = mark == "'" and text.count(mark) % 2 == 0
    right = quoted(text.replace(mark, '"') if in_pairs else text)
    return f"put the {key} in single quotes, and texts in it in double ones: {right}"


def _call_at(line: str, start: int) -> str | None:
    """Return the text of a call up to its closing parenthesis, or None if it does not end in the line."""
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
