"""Functions whose value is another one each time."""

from __future__ import annotations

import random
import secrets
import string
import uuid
from collections.abc import Sequence
from typing import Any

from scimsvc.mapping.functions.model import Function, FunctionError, Parameter, plain
from scimsvc.mapping.functions.values import as_integer, as_text

MAX_LENGTH = 256
_SPECIAL = "!#$%&()*+,-./:;<=>?@[]^_{|}~"
_MINIMA = ("MinimumNumbers", "MinimumSpecialCharacters", "MinimumCapital", "MinimumLowerCase")
_KINDS = (string.digits, _SPECIAL, string.ascii_uppercase, string.ascii_lowercase)


def _random_string(length: Any, *rest: Any) -> str:
    *minima, avoid = rest
    total = as_integer(length, "Length")
    least = [as_integer(minimum, name) for minimum, name in zip(minima, _MINIMA, strict=True)]
    if not 0 < total <= MAX_LENGTH:
        raise FunctionError(f"Length must be from 1 to {MAX_LENGTH}, not {total}")
    if any(minimum < 0 for minimum in least) or sum(least) > total:
        raise FunctionError(f"the minima must not be negative, and their sum {sum(least)} must not exceed the Length {total}")
    unwanted = set(as_text(avoid) or "")
    kinds = ["".join(character for character in kind if character not in unwanted) for kind in _KINDS]
    if any(minimum and not kind for minimum, kind in zip(least, kinds, strict=True)) or not any(kinds):
        raise FunctionError("CharactersToAvoid leaves no characters of a kind that is asked for")
    drawn = [secrets.choice(kind) for minimum, kind in zip(least, kinds, strict=True) for _ in range(minimum)]
    drawn += [secrets.choice("".join(kinds)) for _ in range(total - len(drawn))]
    random.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def _check(constants: Sequence[Any]) -> None:
    if None not in constants[:5]:
        _random_string(*constants[:5], constants[5] if len(constants) > 5 else None)


GUID = Function(
    "Guid",
    "A new random GUID each time.",
    (),
    lambda arguments: lambda attributes: str(uuid.uuid4()),
    deterministic=False,
)
RANDOM_STRING = Function(
    "RandomString",
    f"A random text of a length of at most {MAX_LENGTH}, with at least so many digits, special characters, capitals and "
    "lower-case letters. The rest is of any kind.",
    (
        Parameter("Length", "integer"),
        *(Parameter(name, "integer") for name in _MINIMA),
        Parameter("CharactersToAvoid", optional=True),
    ),
    plain(_random_string, 6),
    deterministic=False,
    check=_check,
)

FUNCTIONS = (GUID, RANDOM_STRING)
