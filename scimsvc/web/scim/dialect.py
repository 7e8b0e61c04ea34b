"""Apply the dialect of the client to a request."""

from __future__ import annotations

from scimsvc.protocol.dialects import Request
from scimsvc.protocol.dialects.entra import standardise
from scimsvc.web.http.environ import Environ
from scimsvc.web.http.request import note_of


def apply_dialect(environ: Environ, sent: Request) -> Request:
    """Return a request as RFC 7644 defines it. Note for the log which rules changed it and which names will be ignored."""
    request = standardise(sent)
    if request.rules or request.ignored:
        note = note_of(environ)
        # A query of the root passes here once for each resource type.
        note.dialect = tuple(dict.fromkeys(note.dialect + request.rules))
        note.ignored += request.ignored
    return request
