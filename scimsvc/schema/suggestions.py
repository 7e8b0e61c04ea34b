"""Messages about names that a schema does not have: which name is unknown, and which one may be meant."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from scimsvc.schema.model import Attribute
from scimsvc.schema.spelling import Spellings

_LISTED = 20
"""Names that one message lists."""
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_LENGTH = 128
"""Characters of a client's name that one message repeats."""


@lru_cache(maxsize=1024)
def _spellings(attribute: Attribute) -> Spellings:
    return Spellings(sub.name for sub in attribute.sub_attributes)


def did_you_mean(attribute: Attribute, name: str) -> str:
    """Return `, did you mean 'value'?` for a name that is close to a sub-attribute's; else an empty text."""
    close = _spellings(attribute).closest(name)
    return f", did you mean {close!r}?" if close else ""


def unknown_key(attribute: Attribute, value: Mapping[str, Any]) -> str:
    """Return what is wrong with an object that assigns none of the sub-attributes of a complex attribute."""
    writable = [sub.name for sub in attribute.sub_attributes if sub.mutability != "readOnly"]
    needed = f"at least one of {_listed(writable)} is required"
    unknown = next((name for name in value if attribute.sub_attribute(name) is None), None)
    if unknown is not None:
        return f"has the unknown key {unknown[:_LENGTH]!r}{did_you_mean(attribute, unknown)}; {needed}"
    read_only = [name for name, below in value.items() if below is not None and _is_read_only(attribute, name)]
    return f"has only {_listed(read_only)}, which only the server writes; {needed}" if read_only else f"has no value; {needed}"


def unknown_attribute(root: Attribute, body: Mapping[str, Any]) -> str | None:
    """Return the first name at the top of a resource that no schema has and that comes with a value; None if there is none."""
    return next(iter(unknown_attributes(root, body)), None)


def unknown_attributes(root: Attribute, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all such names."""
    return tuple(name for name, value in body.items() if value not in _NOTHING and root.sub_attribute(name) is None)


def named(root: Attribute, name: str) -> str:
    """Return an unknown name for a message, with the attribute that may be meant."""
    return f"the unknown attribute {name[:_LENGTH]!r}{did_you_mean(root, name)}"


def _is_read_only(attribute: Attribute, name: str) -> bool:
    sub = attribute.sub_attribute(name)
    return sub is not None and sub.mutability == "readOnly"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
