"""Secret tokens that an operator brings: from a file or standard input, never as an argument, which other users can read."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from pathlib import Path

import click

from scimsvc.service.authentication import MAX_SECRET_LENGTH

MIN_SECRET_LENGTH = 32
_MIN_BITS = 96
"""The least bits of a secret, by the frequencies of its characters. 32 random hexadecimal digits have more than 100."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
"""What may stand behind `Bearer` (RFC 6750 §2.1)."""

TOKEN_FILE = click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the token from this file instead of making one; it is not printed then.",
)


def secret_in_file(path: Path) -> str:
    """Return the token in a file. Raise click.ClickException."""
    try:
        with path.open("rb") as file:
            return _checked(file.read(MAX_SECRET_LENGTH + 3), str(path))
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error


def secret_on_stdin() -> str:
    """Return the token on standard input. Raise click.ClickException."""
    return _checked(sys.stdin.buffer.read(MAX_SECRET_LENGTH + 3), "standard input")


def _checked(content: bytes, where: str) -> str:
    text = content.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")
    if not _TOKEN.fullmatch(text):
        raise click.ClickException(f"{where}: a token has letters, digits and -._~+/ alone, with = at its end at most")
    if not MIN_SECRET_LENGTH <= len(text) <= MAX_SECRET_LENGTH:
        raise click.ClickException(f"{where}: a token has {MIN_SECRET_LENGTH} to {MAX_SECRET_LENGTH} characters, not {len(text)}")
    if _bits(text) < _MIN_BITS:
        raise click.ClickException(f"{where}: this token can be guessed; make one with, for example: openssl rand -hex 32")
    return text


def _bits(text: str) -> float:
    return sum(number * math.log2(len(text) / number) for number in Counter(text).values())
