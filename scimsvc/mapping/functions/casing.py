"""Functions on upper case, lower case and diacritics."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import regex

from scimsvc.mapping.functions.model import Function, FunctionError, Parameter, each, plain
from scimsvc.mapping.functions.values import as_text

_CULTURE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_DOTTED = frozenset({"tr", "az"})
"""Languages that tell the i with a dot from the one without."""
_INVARIANT = frozenset("\u0130\u0131")
"""Letters whose case differs between languages, which .NET's invariant culture leaves as they are."""


def _one_by_one(text: str, change: Callable[[str], str]) -> str:
    # .NET changes each character into one character, so ß stays; Python would make SS of it.
    return "".join(
        changed if character not in _INVARIANT and len(changed := change(character)) == 1 else character for character in text
    )


def lower(text: str, culture: str = "") -> str:
    """Return a text in lower case, as .NET has it. Raise FunctionError for an unknown culture."""
    if _dotted(culture):
        text = text.replace("I", "\u0131").replace("\u0130", "i")
    lowered = text.lower()
    # Where no letter became several, only a sigma depends on what stands beside it.
    plain = len(lowered) == len(text) and "\u03a3" not in text
    return lowered if plain else _one_by_one(text, str.lower)


def upper(text: str, culture: str = "") -> str:
    """Return a text in upper case, as .NET has it. Raise FunctionError for an unknown culture."""
    if _dotted(culture):
        text = text.replace("i", "\u0130").replace("\u0131", "I")
    raised = text.upper()
    return raised if len(raised) == len(text) and "\u0131" not in text else _one_by_one(text, str.upper)


def _dotted(culture: str) -> bool:
    if not culture:
        return False
    if not _CULTURE.fullmatch(culture):
        raise FunctionError(f"culture must be a name such as en-US, not {culture[:40]!r}")
    return culture.partition("-")[0].lower() in _DOTTED


def _cased(change: Callable[[str, str], str]) -> Callable[[Any, Any], str | None]:
    def cased(source: Any, culture: Any) -> str | None:
        text = as_text(source)
        return None if text is None else change(text, as_text(culture) or "")

    return cased


_CULTURE_HELP = (
    "The culture, such as tr-TR, decides how letters change; without one it is the invariant culture. Only tr and az differ "
    "from it here. Entra updates an existing value for a change of case alone only if the target is caseExact."
)

TO_LOWER = Function(
    "ToLower",
    f"The source in lower case. {_CULTURE_HELP}",
    (Parameter("source"), Parameter("culture", optional=True)),
    plain(_cased(lower), 2),
    check=each({1: _dotted}),
)
TO_UPPER = Function(
    "ToUpper",
    f"The source in upper case. {_CULTURE_HELP}",
    (Parameter("source"), Parameter("culture", optional=True)),
    plain(_cased(upper), 2),
    check=each({1: _dotted}),
)


_WORD = re.compile(r"[A-Za-z0-9]+")
_WORD_OF_ANY_SCRIPT = regex.compile(r"[\p{L}\p{M}\p{N}]+")


@lru_cache(maxsize=64)
def _words_between(separators: str) -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(separators)}]+" if separators else r".+", re.DOTALL)


def _p_case(source: Any, separators: Any) -> str | None:
    text = as_text(source)
    if text is None:
        return None
    if separators is not None:
        return _words_between(as_text(separators) or "").sub(_capitalised, text)
    return _WORD.sub(_capitalised, text) if text.isascii() else _WORD_OF_ANY_SCRIPT.sub(_capitalised, text)


def _capitalised(match: re.Match[str] | regex.Match[str]) -> str:
    word = match[0]
    return upper(word[0]) + lower(word[1:])


P_CASE = Function(
    "PCase",
    "The source with each word's first character in upper case and the rest in lower case. Each of wordSeparators' characters "
    "ends a word; without them, every character does that is not a letter, a mark on a letter, or a digit.",
    (Parameter("source"), Parameter("wordSeparators", optional=True)),
    plain(_p_case, 2),
)

_LATIN = {
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "ø": "oe",
    "Ø": "OE",
    "ł": "l",
    "Ł": "L",
    "\u0131": "i",
}
_WITH_MARKS = {"œ": "oe", "Œ": "OE"}


def normalize_diacritics(text: str) -> str:
    """Return Latin letters without their diacritics, as Entra's table has them: ö is o, ø is oe, ß is ss."""
    if text.isascii():
        return text
    try:
        plain_text = text.encode("latin-1").translate(_ONE_FOR_ONE).decode("latin-1")
        return plain_text if plain_text.isascii() else text.translate(_SIMPLE)
    except UnicodeEncodeError:
        # No mark stands alone before U+0300, so what is there is one letter each.
        return text.translate(_SIMPLE) if max(text) < "\u0300" else _without_marks(text)


def _without_marks(text: str) -> str:
    pieces: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFD", text):
        if unicodedata.combining(character):
            if base in _WITH_MARKS:
                pieces[-1] = _WITH_MARKS[base]
            elif not (base.isascii() and base.isalpha()) and base not in _LATIN:
                pieces.append(character)
        else:
            base = character
            pieces.append(_LATIN.get(character, character))
    return unicodedata.normalize("NFC", "".join(pieces))


_SIMPLE = {code: _without_marks(chr(code)) for code in range(0x80, 0x300)}
_ONE_FOR_ONE = bytes(ord(new) if len(new := _SIMPLE.get(code, chr(code))) == 1 and new.isascii() else code for code in range(256))
"""Latin-1 letters that become one other, which is most of what there is, and a tenth of the work."""


def _normalize(source: Any) -> str | None:
    text = as_text(source)
    return None if text is None else normalize_diacritics(text)


NORMALIZE_DIACRITICS = Function(
    "NormalizeDiacritics",
    "The source with Latin letters without their diacritics: ä, ö and ü become a, o and u; æ becomes ae, ø becomes oe and "
    "ß becomes ss. Letters of other scripts stay.",
    (Parameter("source"),),
    plain(_normalize, 1),
)

FUNCTIONS = (TO_LOWER, TO_UPPER, P_CASE, NORMALIZE_DIACRITICS)
