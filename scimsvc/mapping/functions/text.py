"""Functions that take texts apart and put them together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from scimsvc.mapping.functions.model import Function, FunctionError, Lazy, Parameter, plain
from scimsvc.mapping.functions.values import as_integer, as_text, as_texts, limited


def _append(source: Any, suffix: Any) -> str | None:
    text = as_text(source)
    return None if text is None else limited(text + (as_text(suffix) or ""))


def _prepend(prefix: Any, source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else limited((as_text(prefix) or "") + text)


def _without_suffix(value: Any, suffix: Any) -> str:
    text, end = as_text(value) or "", as_text(suffix) or ""
    if not text.endswith(end):
        raise FunctionError("it doesn't end with the suffix")
    return text[: len(text) - len(end)]


APPEND = Function(
    "Append",
    "Puts the suffix at the end of the source. Of a null source nothing comes but null; a multi-valued one is its values with "
    "commas between them, as it is for every function that takes a text.",
    (Parameter("source"), Parameter("suffix")),
    plain(_append, 2),
    inverse=_without_suffix,
)
PREPEND = Function(
    "Prepend",
    "Put the prefix before the source. A null source gives null. Entra's engine lists this function, its reference does not.",
    (Parameter("prefix"), Parameter("source")),
    plain(_prepend, 2),
)


def _build_join(arguments: Sequence[Lazy | None]) -> Lazy:
    separator, *sources = [argument for argument in arguments if argument is not None]

    def join(attributes: Mapping[str, Any]) -> str:
        texts = []
        for source in sources:
            value = source(attributes)
            if isinstance(value, str):
                if value:
                    texts.append(value)
            elif value is not None:
                texts += [text for text in as_texts(value) if text]
        return limited((as_text(separator(attributes)) or "").join(texts))

    return join


JOIN = Function(
    "Join",
    "Puts texts together with a separator between them. Sources that are null or empty are skipped, separator "
    "included; a multi-valued source contributes each of its values.",
    (Parameter("separator"),),
    _build_join,
    repeating=(Parameter("source", "any"),),
)


def _left(source: Any, count: Any) -> str:
    text, number = as_text(source) or "", as_integer(count, "NumChars")
    return text if number < 0 else text[:number]


LEFT = Function(
    "Left",
    "The first NumChars characters of a text: nothing of a null one, all of a shorter one, and all if the number is negative.",
    (Parameter("String"), Parameter("NumChars", "integer")),
    plain(_left, 2),
)


def _mid(source: Any, start: Any, length: Any) -> str | None:
    text, first, number = as_text(source), as_integer(start, "start"), as_integer(length, "length")
    return None if text is None else text[max(first, 1) - 1 :][: max(number, 0)]


MID = Function(
    "Mid",
    "Characters of the source from a position on, which counts from 1. What lies behind the end of the source is left out; "
    "a start behind it gives an empty text, one below 1 counts as 1.",
    (Parameter("source"), Parameter("start", "integer"), Parameter("length", "integer")),
    plain(_mid, 3),
)


def _in_str(text: Any, wanted: Any, start: Any, compare_type: Any) -> int:
    whole, part = as_text(text) or "", as_text(wanted) or ""
    first = 1 if start is None else as_integer(start, "start")
    if compare_type == "vbTextCompare":
        # Each character on its own, so that positions stay what they are.
        whole, part = "".join(map(_folded, whole)), "".join(map(_folded, part))
    return whole.find(part, max(first, 1) - 1) + 1


def _folded(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


IN_STR = Function(
    "InStr",
    "The position of value2 in value1, the first at or after start, counted from 1; 0 if value1 does not contain it. "
    "vbTextCompare pays no heed to case, vbBinaryCompare does, as does a call without.",
    (
        Parameter("value1"),
        Parameter("value2"),
        Parameter("start", "integer", optional=True),
        Parameter("compareType", "compareType", optional=True),
    ),
    plain(_in_str, 4),
    result="integer",
)


def _split(source: Any, delimiter: Any) -> list[str] | None:
    text = as_text(source)
    return [part.strip() for part in text.split(as_text(delimiter) or ",")] if text else None


SPLIT = Function(
    "Split",
    "Makes a multi-valued attribute of a text, at each delimiter, which is a comma if it is left out. Spaces around a value "
    "are not part of it. A null or empty source gives null.",
    (Parameter("source"), Parameter("delimiter", optional=True)),
    plain(_split, 2),
    inverse=lambda values, delimiter: (as_text(delimiter) or ",").join(as_texts(values)),
)


def _strip_spaces(source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else text.replace(" ", "")


STRIP_SPACES = Function("StripSpaces", "Takes every space out of the source.", (Parameter("source"),), plain(_strip_spaces, 1))


_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""White space in .NET. Python would also strip U+001C to U+001F, which .NET keeps."""


def _trim(source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else text.strip(_WHITE_SPACE)


TRIM = Function(
    "Trim",
    "Removes the white space at the beginning and at the end of the source. Of a null source nothing comes but null.",
    (Parameter("source"),),
    plain(_trim, 1),
)


@lru_cache(maxsize=64)
def _any_of(characters: str) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(characters)}]")


def _word(source: Any, number: Any, delimiters: Any) -> str:
    text, place, marks = as_text(source) or "", as_integer(number, "WordNumber"), as_text(delimiters) or ""
    pieces = _any_of(marks).split(text) if marks else [text]
    words = [piece for piece in pieces if piece] if len(pieces) > 1 else []
    return words[place - 1] if 1 <= place <= len(words) else ""


WORD = Function(
    "Word",
    "The word of a text at a position, counted from 1; each of the delimiters' characters separates words. An empty text "
    "if there is no such word, and if the text has no delimiter at all.",
    (Parameter("String"), Parameter("WordNumber", "integer"), Parameter("delimiters")),
    plain(_word, 3),
)

FUNCTIONS = (APPEND, PREPEND, JOIN, LEFT, MID, IN_STR, SPLIT, STRIP_SPACES, TRIM, WORD)
