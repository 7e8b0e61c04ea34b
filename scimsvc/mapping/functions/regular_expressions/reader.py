"""The syntax of .NET's regular expressions, translated into that of the library regex.

Whatever this reader doesn't know is refused: the library has a syntax of its own that must not act here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import regex

from scimsvc.mapping.functions.model import FunctionError
from scimsvc.mapping.functions.regular_expressions.classes import (
    BOUNDARY,
    NAME,
    NO_BOUNDARY,
    SHORTHANDS,
    CharacterClass,
    bracketed,
    cased,
    literal,
    named,
)

MAX_DEPTH = 50
"""How deep groups and brackets may be nested; each level costs the library many calls of Python."""
MAX_SIZE = 50_000
"""Characters that the translation may come to with all its repetitions written out, as the library does with them."""
MAX_NUMBER = 2**31 - 1

Options = frozenset[str]
"""The letters of the options that hold: i, m, n, s, x."""

_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\}")
_OPTIONS = re.compile(r"\(\?([imnsx+-]*)([:)])", re.IGNORECASE)
_COMMENT = re.compile(r"\(\?#[^)]*\)")
_SPACES = re.compile(r"(?:[ \t\n\f\r]+|#[^\n]*)+")
_NAMED = re.compile(r"\(\?(?:<([^>]*)>|'([^']*)')")
_NUMBER = re.compile(r"[0-9]+")
_GROUP_NAME = regex.compile(rf"(?![0-9]){NAME}+|[1-9][0-9]*", regex.VERSION1)
_REFERENCE = regex.compile(rf"\\k?(?:<((?![0-9]){NAME}+|[0-9]+)>|'((?![0-9]){NAME}+|[0-9]+)')", regex.VERSION1)
_WORD = regex.compile(NAME, regex.VERSION1)
_PROPERTY = re.compile(r"\\[pP]\{([^{}]*)\}")
_HEX = re.compile(r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}")
_OCTAL = re.compile(r"[0-7]{1,3}")
_ESCAPED = {"a": 7, "b": 8, "e": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
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
    """The translation of a pattern of .NET, given in UTF-16 code units.

    Raises FunctionError where it is none, isn't supported or comes to more than MAX_SIZE; the message has the character,
    counted from 1, where that is.
    """
    first = _Reader(pattern, None)
    first.read()
    numbers = _numbers(first.unnamed, first.names)
    read = _Reader(pattern, numbers).read()
    return Translation(read.text, {"0": 0, **numbers}, read.least)


def _numbers(unnamed: int, names: Iterable[str]) -> dict[str, int]:
    """Groups without a name count first; those with one come behind them, in order, where no number is taken."""
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


class _Reader:
    """Reads a pattern once. The first reading finds out which groups there are, the second one knows their numbers."""

    def __init__(self, text: str, numbers: Mapping[str, int] | None) -> None:
        self._text = text
        self._numbers = numbers
        self._at = 0
        self._depth = 0
        self._atoms = 0
        self.unnamed = 0
        self.names: dict[str, None] = {}

    def read(self) -> _Piece:
        found = self._alternatives(frozenset())
        if self._at < len(self._text):
            self._wrong("this ) closes nothing; a parenthesis itself is \\)")
        return found

    def _alternatives(self, options: Options) -> _Piece:
        """All up to the closing parenthesis, which is left, or the end."""
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
        """The atom with the quantifier that follows, or itself where none does."""
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

    def _number(self, digits: str, begin: int) -> int:
        if len(digits) > 10 or int(digits) > MAX_NUMBER:
            self._wrong(f"the number {digits[:20]} is more than {MAX_NUMBER}", begin)
        return int(digits)

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
        """How a group begins in the library, and the options inside of it."""
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
        """A backslash outside of brackets, and what it makes of the characters behind it."""
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

    def _bracket(self, options: Options) -> str:
        """A class in brackets, less another one where that is in it behind a hyphen."""
        begin = self._at
        self._deeper(begin)
        self._at += 1
        negated = self._take("^")
        members: list[CharacterClass] = []
        without = ""
        first = True
        while first or self._peek() != "]":
            if without:
                self._wrong("a class that is taken away, -[…], is the last in its brackets")
            if self._at >= len(self._text):
                self._wrong("this bracket isn't closed; one itself is \\[", begin)
            if not first and self._text.startswith("-[", self._at):
                self._at += 1
                without = self._bracket(options)
                continue
            first = False
            shorthand = self._shorthand(options)
            if shorthand is not None:
                members.append(shorthand)
                continue
            escaped_hyphen = self._text.startswith("\\-", self._at)
            low = self._member()
            high = low
            if not escaped_hyphen and self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]", "["):
                self._at += 1
                high = self._end_of_range(low, options)
            members.append(CharacterClass(((low, high),)))
        self._at += 1
        self._depth -= 1
        return bracketed(members, negated, "i" in options, without)

    def _end_of_range(self, low: int, options: Options) -> int:
        place = self._at
        if self._shorthand(options) is not None:
            self._wrong(f"{self._text[place : place + 2]} can't end a range; a hyphen itself is \\-", place)
        high = self._member()
        if high < low:
            self._wrong("a range that ends before it begins; a hyphen itself is \\-", place)
        return high

    def _member(self) -> int:
        """One character in brackets."""
        if self._peek() == "\\":
            return self._character()
        self._at += 1
        return ord(self._text[self._at - 1])

    def _shorthand(self, options: Options) -> CharacterClass | None:
        r"""What \d, \p{…} and their like stand for, or None where none of them is here."""
        begin = self._at
        letter = self._text[begin + 1 : begin + 2] if self._peek() == "\\" else ""
        if letter in SHORTHANDS:
            self._at += 2
            return SHORTHANDS[letter]
        if letter not in ("p", "P"):
            return None
        found = _PROPERTY.match(self._text, begin)
        if not found:
            self._wrong(f"\\{letter} needs a category or block in braces, such as \\p{{Lu}} or \\p{{IsGreek}}")
        members = named(found[1], letter == "P", "i" in options)
        if members is None:
            self._wrong(f"there is no category or block {found[1][:60]!r}; such are Lu, L, IsGreek and IsCyrillic")
        self._at = found.end()
        return members

    def _character(self) -> int:
        """One character that is written with a backslash."""
        begin = self._at
        behind = begin + 1
        letter = self._text[behind : behind + 1]
        if not letter:
            self._wrong("a backslash at the end; one itself is \\\\")
        if octal := _OCTAL.match(self._text, behind):
            self._at = octal.end()
            return int(octal[0], 8) & 0xFF
        if code := _HEX.match(self._text, behind):
            self._at = code.end()
            return int(code[0][1:], 16)
        if letter in ("x", "u"):
            self._wrong(f"\\{letter} needs {2 if letter == 'x' else 4} hexadecimal digits")
        self._at += 2
        if letter in _ESCAPED:
            return _ESCAPED[letter]
        if letter == "c":
            return self._control(begin)
        if _WORD.match(letter):
            self._wrong(f"there is no \\{letter} in .NET; a letter itself is without the backslash", begin)
        return ord(letter)

    def _control(self, begin: int) -> int:
        code = ord(self._peek().upper() or " ") - ord("@")
        if not 0 <= code < 32:
            self._wrong("\\c needs a letter, as in \\cM", begin)
        self._at += 1
        return code

    def _skip(self, options: Options) -> None:
        """Comments, and where x is an option spaces."""
        skipped = (_COMMENT, _SPACES) if "x" in options else (_COMMENT,)
        while found := next(filter(None, (one.match(self._text, self._at) for one in skipped)), None):
            self._at = found.end()
        if self._text.startswith("(?#", self._at):
            self._wrong("this comment isn't closed")

    def _deeper(self, begin: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._wrong(f"nested more than {MAX_DEPTH} deep", begin)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, sign: str) -> bool:
        found = self._peek() == sign
        self._at += found
        return found

    def _wrong(self, message: str, at: int | None = None) -> NoReturn:
        place = self._at if at is None else at
        raise FunctionError(f"character {place + 1}: {message}")


def _one(text: str) -> _Piece:
    return _Piece(text, len(text), 1)


def _none(text: str) -> _Piece:
    return _Piece(text, len(text), 0)


def _written(character: int, options: Options) -> str:
    return cased(character) if "i" in options else literal(character)


def _switched(options: Options, letters: str) -> Options:
    """The options after switches such as `i-s`."""
    off = False
    for letter in letters.lower():
        if letter in "+-":
            off = letter == "-"
        else:
            options = options - {letter} if off else options | {letter}
    return options
