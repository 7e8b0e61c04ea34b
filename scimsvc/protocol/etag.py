"""Entity tags and conditional requests (RFC 7644 §3.14, RFC 9110 §13.1). Versions are weak tags: `W/"3"`."""

from __future__ import annotations

import re

from scimsvc.protocol.errors import precondition_failed

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_DIGEST = re.compile(r"-[0-9a-f]{8}(?=\")")


def etag(version: str) -> str:
    """The weak entity tag of a version."""
    return f'W/"{version}"'


def own_part(tags: str) -> str:
    """Entity tags without the digests in them.

    A version is `N`, or `N-digest` where the digest covers what other resources contribute to the answer: that changes
    without a write to this resource.
    """
    return _DIGEST.sub("", tags)


def matches(header: str, version: str) -> bool:
    """Whether a list of entity tags, or `*`, has this version.

    The comparison is weak, for If-Match too: RFC 9110 would have it strong, but SCIM's tags are weak by
    preference (RFC 7644 §3.14) and a strong comparison never matches those.
    """
    return header.strip() == "*" or version in _TAG.findall(header)


def require(if_match: str | None, version: str, if_none_match: str | None = None) -> None:
    """Raise ScimError 412 where If-Match is sent without this version of the resource's own attributes, or If-None-Match with it.

    No write to it can be lost over what other resources contribute to the answer.
    """
    own = version.partition("-")[0]
    if if_match is not None and not matches(own_part(if_match), own):
        raise precondition_failed(
            f"The resource was changed meanwhile: its version is now {etag(own)}. Read it again, then repeat.", "If-Match"
        )
    if if_none_match is not None and matches(own_part(if_none_match), own):
        raise precondition_failed(
            f"The resource is there, in the version {etag(own)}, which If-None-Match rules out.", "If-None-Match"
        )
