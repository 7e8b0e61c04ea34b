"""Messages about names that a schema does not have: which name is unknown, and which one may be meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from scimsvc.schema.model import Attribute

_LISTED = 20
"""Names that one message lists."""
_LENGTH = 128
"""Characters of a client's name that one message repeats."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'emails'?` for a name that is close to a known one in any case; else an empty text."""
    spellings = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name[:_LENGTH].lower(), spellings, 1)
    return f", did you mean {spellings[close[0]]!r}?" if close else ""


def unknown_key(attribute: Attribute, value: Mapping[str, Any]) -> str:
    """Return what is wrong with an object that assigns none of the sub-attributes of a complex attribute."""
    writable = [sub.name for sub in attribute.sub_attributes if sub.mutability != "readOnly"]
    needed = f"at least one of {_listed(writable)} is required"
    unknown = next((name for name in value if attribute.sub_attribute(name) is None), None)
    if unknown is not None:
        close = did_you_mean(unknown, [sub.name for sub in attribute.sub_attributes])
        return f"has the unknown key {unknown[:_LENGTH]!r}{close}; {needed}"
    read_only = [name for name, below in value.items() if below is not None and _is_read_only(attribute, name)]
    return f"has only {_listed(read_only)}, which only the server writes; {needed}" if read_only else f"has no value; {needed}"


def _is_read_only(attribute: Attribute, name: str) -> bool:
    sub = attribute.sub_attribute(name)
    return sub is not None and sub.mutability == "readOnly"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
