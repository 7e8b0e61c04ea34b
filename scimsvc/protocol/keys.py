"""The keys of messages, such as `Operations` or `path`, which are known in any case (RFC 7643 §2.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from scimsvc.protocol.errors import invalid_syntax

_LENGTH = 64
"""Characters of a client's key that a message repeats."""


def by_lower_case(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a message by their keys in lower case.

    Raises ScimError invalidSyntax for a key that is there twice, in different case: one of the two would be ignored.
    """
    values = {key.lower(): value for key, value in message.items()}
    if len(values) < len(message):
        number = Counter(map(str.lower, message))
        twice = next(key for key in message if number[key.lower()] > 1)
        raise invalid_syntax(f"The key {twice[:_LENGTH]!r} is there twice, in different case; send one of them.")
    return values
