"""The syntax of .NET's regular expressions, translated into that of the library regex.

Any unknown syntax is refused, because the library has a syntax of its own that must not take effect here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import regex

from scimsvc.mapping.functions.regular_expressions.characters import MAX_NUMBER, CharacterReader, Options
from scimsvc.mapping.functions.regular_expressions.classes import (
    BOUNDARY,
    NAME,
    NO_BOUNDARY,
    bracketed,
    cased,
    literal,
)

MAX_SIZE = 50_000
"""Characters that the translation may come to with all its repetitions written out, as the library does with them."""

_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\}")
_OPTIONS = re.compile(r"\(\?([imnsx+-]*)([:)])", re.IGNORECASE)
_COMMENT = re.compile(r"\(\?#[^)]*\)")
_SPACES = re.compile(r"(?:[ \t\n\f\r]+|#[^\n]*)+")
_NAMED = re.compile(r"\(\?(?:<([^>]*)>|'([^']*)')")
_NUMBER = re.compile(r"[0-9]+")
_GROUP_NAME = regex.compile(rf"(?![0-9]){NAME}+|[1-9][0-9]*", regex.VERSION1)
_REFERENCE = regex.compile(rf"\\k?(?:<((?![0-9]){NAME}+|[0-9]+)>|'((?![0-9]){NAME}+|[0-9]+)')", regex.VERSION1)
_ANCHORS = {"b": BOUNDARY, "B": NO_BOUNDARY, "A": r"\A", "Z": "$", "z": r"\Z"}
# The library prepares the search for a run of characters in a time that grows with the cube of its length, beyond any limit.
_LONGEST_RUN = 100
_ALWAYS = "(?!(?!))"
_TOO_MUCH = (
    "up to here it comes to too much, with repetitions written out; nest fewer of them, or repeat fewer times at the least"
)
_AROUND = ("(?=", "(?!", "(?<=", "(?<!")


@dataclass(frozen=True)
class Translation:
    """A pattern in the library's syntax. The group with .NET's number n has the name `_n` in it.

    `groups`: the number of each group by its name, or by its number as a text; 0 is the whole match.
    `least`: how many UTF-16 code units a match has at the least, or fewer.
    """

    text: str
    groups: Mapping[str, int]
    least: int


@dataclass(frozen=True)
class _Piece:
    """Translated text, its size with repetitions written out, and the least that it matches."""

    text: str
    size: int
    least: int


def translated(pattern: str) -> Translation:
    """Return the translation of a .NET pattern, given in UTF-16 code units.

    Raise FunctionError if it is not valid, not supported, or longer than MAX_SIZE. The message has the position of the character,
    counted from 1.
    """
    first = _Reader(pattern, None)
    first.read()
    numbers = _numbers(first.unnamed, first.names)
    read = _Reader(pattern, numbers).read()
    return Translation(read.text, {"0": 0, **numbers}, read.least)


def _numbers(unnamed: int, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of groups.

    Groups without a name count first; those with a name follow in order with the numbers that are left.
    """
    given = [int(name) for name in names if name.isdecimal()]
    numbers = {str(number): number for number in sorted({*range(1, unnamed + 1), *given})}
    taken = set(numbers.values())
    following = unnamed + 1
    for name in names:
        if not name.isdecimal():
            while following in taken:
                following += 1
            numbers[name] = following
            taken.add(following)
    return numbers


class _Reader(CharacterReader):
    """Reads a pattern once. The first reading finds the groups; the second one knows their numbers."""

    def __init__(self, text: str, numbers: Mapping[str, int] | None) -> None:
        super().__init__(text)
        self._numbers = numbers
        self._atoms = 0
        self.unnamed = 0
        self.names: dict[str, None] = {}

    def read(self) -> _Piece:
        found = self._alternatives(frozenset())
        if self._at < len(self._text):
            self._wrong("this ) closes nothing; a parenthesis itself is \\)")
        return found

    def _alternatives(self, options: Options) -> _Piece:
        """Return all up to the end or the closing parenthesis, which is not read."""
        branches: list[list[_Piece]] = [[]]
        quantified = False
        while True:
            self._skip(options)
            sign = self._peek()
            if sign in ("", ")"):
                break
            changed = _OPTIONS.match(self._text, self._at)
            if sign == "|":
                self._at += 1
                branches.append([])
            elif changed and changed[1] and changed[2] == ")":
                self._at = changed.end()
                options = _switched(options, changed[1])
            elif _QUANTIFIER.match(self._text, self._at):
                self._wrong(
                    "a quantifier on a quantifier; put what is repeated in parentheses"
                    if quantified
                    else f"the quantifier {sign} has nothing to repeat; the character itself is \\{sign}"
                )
            else:
                atom = self._atom(options)
                self._skip(options)
                piece = self._repeated(atom, options)
                quantified = piece is not atom
                self._atoms += 1
                if self._atoms % _LONGEST_RUN == 0:
                    branches[-1].append(_none(_ALWAYS))
                branches[-1].append(piece)
                continue
            quantified = False
        size = sum(one.size for branch in branches for one in branch) + len(branches)
        if size > MAX_SIZE:
            self._wrong(_TOO_MUCH)
        return _Piece(
            "|".join("".join(one.text for one in branch) for branch in branches),
            size,
            min(sum(one.least for one in branch) for branch in branches),
        )

    def _repeated(self, atom: _Piece, options: Options) -> _Piece:
        """Return the atom with the quantifier that follows, or the atom itself if none follows."""
        begin = self._at
        found = _QUANTIFIER.match(self._text, begin)
        if not found:
            return atom
        self._at = found.end()
        self._skip(options)
        lazy = "?" if self._take("?") else ""
        if found[1] is None:
            least, most = (1 if found[0] == "+" else 0), (1 if found[0] == "?" else MAX_NUMBER)
        else:
            least = self._number(found[1], begin)
            most = self._number(found[3], begin) if found[3] else MAX_NUMBER if found[2] else least
        if most < least:
            self._wrong(f"from {least} to {most} times; the smaller number comes first", begin)
        # The library writes out the least number of times, and the rest once more as a loop.
        size = (atom.size + 2) * max(least + (most > least), 1)
        if size > MAX_SIZE:
            self._wrong(_TOO_MUCH, begin)
        return _Piece(f"{atom.text}{found[0]}{lazy}", size, least * atom.least)

    def _atom(self, options: Options) -> _Piece:
        sign = self._text[self._at]
        if sign == "(":
            return self._group(options)
        if sign == "[":
            return _one(self._bracket(options))
        if sign == "\\":
            return self._escape(options)
        self._at += 1
        match sign:
            case ".":
                return _one("(?s:.)" if "s" in options else ".")
            case "^":
                return _none("(?m:^)" if "m" in options else "^")
            case "$":
                return _none("(?m:$)" if "m" in options else "$")
        return _one(_written(ord(sign), options))

    def _group(self, options: Options) -> _Piece:
        begin = self._at
        opening, inner = self._opening(options)
        self._deeper(begin)
        content = self._alternatives(inner)
        if not self._take(")"):
            self._wrong("this parenthesis isn't closed; one itself is \\(", begin)
        self._depth -= 1
        least = 0 if opening in _AROUND else content.least
        return _Piece(f"{opening}{content.text})", content.size + len(opening) + 1, least)

    def _opening(self, options: Options) -> tuple[str, Options]:
        """Return how a group begins in the library, and the options inside of it."""
        begin = self._at
        text = self._text
        if not text.startswith("(?", begin):
            self._at += 1
            return ("(?:" if "n" in options else self._capturing("")), options
        switch = _OPTIONS.match(text, begin)
        if switch and switch[2] == ":":
            self._at = switch.end()
            return "(?:", _switched(options, switch[1])
        for opening in (*_AROUND, "(?>"):
            if text.startswith(opening, begin):
                self._at += len(opening)
                return opening, options
        if text.startswith("(?(", begin):
            self._wrong("conditions, (?(…)…|…), are not supported; use alternatives, (…|…)")
        name = _NAMED.match(text, begin)
        if name is None:
            self._wrong("no such group; there are (…) (?:…) (?<name>…) (?=…) (?!…) (?<=…) (?<!…) (?>…) and options such as (?i)")
        self._at = name.end()
        return self._capturing(self._name(name[1] if name[1] is not None else name[2], begin)), options

    def _name(self, name: str, begin: int) -> str:
        if "-" in name:
            self._wrong("balancing groups, (?<name-other>…), are not supported", begin)
        if not _GROUP_NAME.fullmatch(name):
            self._wrong(f"a group's name is letters, digits and _, or a number from 1, not {name[:40]!r}", begin)
        if _NUMBER.fullmatch(name):
            self._number(name, begin)
        return name

    def _capturing(self, name: str) -> str:
        if name:
            self.names.setdefault(name)
        else:
            self.unnamed += 1
            name = str(self.unnamed)
        return f"(?P<_{self._numbers[name] if self._numbers else 0}>"

    def _escape(self, options: Options) -> _Piece:
        """Return what a backslash outside of brackets makes of the characters after it."""
        begin = self._at
        letter = self._text[begin + 1 : begin + 2]
        if letter in _ANCHORS:
            self._at += 2
            return _none(_ANCHORS[letter])
        if letter == "G":
            self._wrong("\\G is not supported; ^ or \\A is the beginning of the value")
        members = self._shorthand(options)
        if members is not None:
            return _one(bracketed([members], False, "i" in options))
        reference = _REFERENCE.match(self._text, begin)
        if reference:
            self._at = reference.end()
            return self._reference(reference[1] or reference[2], options, begin)
        if letter == "k":
            self._wrong("\\k refers to a group, as in \\k<name>")
        digits = _NUMBER.match(self._text, begin + 1)
        if digits and letter != "0":
            number = self._number(digits[0], begin)
            if self._numbers is None or number in self._numbers.values() or number < 10:
                self._at = digits.end()
                return self._reference(str(number), options, begin)
        return _one(_written(self._character(), options))

    def _reference(self, name: str, options: Options, begin: int) -> _Piece:
        if self._numbers is None:
            return _none("")
        number = self._number(name, begin) if name.isdecimal() else self._numbers.get(name, -1)
        if number not in self._numbers.values():
            known = ", ".join(self._numbers) or "none"
            self._wrong(f"refers to the group {name[:40]!r}, which the pattern doesn't have; it has: {known[:200]}", begin)
        # Without its full case folding the library finds one character for each, as .NET does.
        return _none(f"(?i-f:(?P=_{number}))" if "i" in options else f"(?P=_{number})")

    def _skip(self, options: Options) -> None:
        """Skip comments, and white space if x is an option."""
        skipped = (_COMMENT, _SPACES) if "x" in options else (_COMMENT,)
        while found := next(filter(None, (one.match(self._text, self._at) for one in skipped)), None):
            self._at = found.end()
        if self._text.startswith("(?#", self._at):
            self._wrong("this comment isn't closed")


def _one(text: str) -> _Piece:
    return _Piece(text, len(text), 1)


def _none(text: str) -> _Piece:
    return _Piece(text, len(text), 0)


def _written(character: int, options: Options) -> str:
    return cased(character) if "i" in options else literal(character)


def _switched(options: Options, letters: str) -> Options:
    """Return the options after switches such as `i-s`."""
    off = False
    for letter in letters.lower():
        if letter in "+-":
            off = letter == "-"
        else:
            options = options - {letter} if off else options | {letter}
    return options
