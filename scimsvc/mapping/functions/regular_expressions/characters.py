"""The characters of a pattern: those that stand for themselves, escapes of one character, and classes in brackets."""

from __future__ import annotations

import re
from typing import NoReturn

import regex

from scimsvc.mapping.functions.model import FunctionError
from scimsvc.mapping.functions.regular_expressions.classes import NAME, SHORTHANDS, CharacterClass, bracketed, named

MAX_DEPTH = 50
"""How deep groups and brackets may be nested; each level costs the library many calls of Python."""
MAX_NUMBER = 2**31 - 1

Options = frozenset[str]
"""The letters of the options that hold: i, m, n, s, x."""

_WORD = regex.compile(NAME, regex.VERSION1)
_PROPERTY = re.compile(r"\\[pP]\{([^{}]*)\}")
_HEX = re.compile(r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}")
_OCTAL = re.compile(r"[0-7]{1,3}")
_ESCAPED = {"a": 7, "b": 8, "e": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


class CharacterReader:
    """Keeps the position in a pattern, and reads one character, shorthand or class in brackets there."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def _bracket(self, options: Options) -> str:
        """Return a class in brackets, without the class that follows a hyphen in it, as in `[a-z-[aeiou]]`."""
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
        """Return one character in brackets."""
        if self._peek() == "\\":
            return self._character()
        self._at += 1
        return ord(self._text[self._at - 1])

    def _shorthand(self, options: Options) -> CharacterClass | None:
        r"""Return the class that \d, \p{…} and their like stand for; None if there is no such shorthand here."""
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
        """Return one character that is written with a backslash."""
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

    def _number(self, digits: str, begin: int) -> int:
        if len(digits) > 10 or int(digits) > MAX_NUMBER:
            self._wrong(f"the number {digits[:20]} is more than {MAX_NUMBER}", begin)
        return int(digits)

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
