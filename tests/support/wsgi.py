"""Calls the WSGI application with the environment that gunicorn would make, so that any bytes can be sent."""

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask

from scimsvc.web.http.environ import OVERLOADED
from tests.support.client import Answer


def call(
    app: Flask,
    method: str,
    target: bytes,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    overloaded: bool = False,
) -> Answer:
    """`target` is the request target as it goes over the wire: a path, and a query after a question mark.

    With `overloaded` the worker has no room for the request.
    """
    path, _, query = target.partition(b"?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "scim.example.com",
        "CONTENT_TYPE": "application/scim+json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if overloaded:
        environ[OVERLOADED] = True
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    started: list[tuple[str, list[tuple[str, str]]]] = []
    raw = b"".join(app(environ, lambda status, answered, *_: started.append((status, answered))))  # type: ignore[arg-type,func-returns-value]
    status, answered = started[-1]
    return Answer(int(status[:3]), dict(answered), raw)
