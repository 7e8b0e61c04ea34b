"""The answer of `/healthz`: the process is alive. Nothing in it depends on the database or on a thread."""

from __future__ import annotations

import orjson

BODY = orjson.dumps({"status": "ok"})
MEDIA_TYPE = "application/json"


def liveness_response(head_only: bool = False, close: bool = False) -> bytes:
    """Return a whole HTTP/1.1 response, for a loop that answers without a thread. `head_only` is for the method HEAD."""
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(BODY)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: {'close' if close else 'keep-alive'}\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if head_only else BODY)
