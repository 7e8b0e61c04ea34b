"""Content negotiation (RFC 7644 §3.8): which media type a client accepts."""

from __future__ import annotations

import re
from functools import lru_cache

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.openapi import MEDIA_TYPE
from scimsvc.web.http.environ import Environ

_MEDIA_RANGE = re.compile(r"[\w!#$&^.+*-]+/[\w!#$&^.+*-]+", re.ASCII)
_QUALITY = re.compile(r"[01](\.[0-9]{0,9})?", re.ASCII)


def negotiate(environ: Environ) -> None:
    """Raise ScimError 406 if the client accepts neither of the two JSON media types."""
    accept = environ.get("HTTP_ACCEPT")
    if accept and accepted(accept) is None:
        raise ScimError(406, f"Answers are {MEDIA_TYPE} or application/json; the Accept header has neither.", rule="Accept")


@lru_cache(maxsize=256)
def accepted(accept: str) -> str | None:
    """Return the media type for an Accept header: the one with the higher quality, SCIM's own if both are equal.

    Return None if the header excludes both. A header without any media range counts as absent.
    """
    ranges: dict[str, float] = {}
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        quality = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
        if _MEDIA_RANGE.fullmatch(name):
            ranges[name] = float(quality) if _QUALITY.fullmatch(quality) else 1.0
    if not ranges:
        return MEDIA_TYPE
    # The most specific range decides (RFC 9110 §12.5.1).
    qualities = {
        media_type: next((ranges[name] for name in (media_type, "application/*", "*/*") if name in ranges), 0.0)
        for media_type in (MEDIA_TYPE, "application/json")
    }
    best = max(qualities, key=lambda media_type: qualities[media_type])
    return best if qualities[best] else None
