"""The log line of a request, and of an operation in a bulk request."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import orjson

from scimsvc.protocol.errors import ScimError
from scimsvc.service.rendering import Effect
from scimsvc.web.http.note import Note
from scimsvc.web.observe.labels import Kind
from scimsvc.web.observe.logs import SERVICE

_LINE = (
    '{"event":%s,"request_id":"%s",%s,"status":%d%s%s%s,"level":"info","timestamp":"%s.%06dZ"'
    + "".join(f',"{name}":"{value}"' for name, value in SERVICE.items())
    + "}\n"
)


MAX_IGNORED = 3
"""The most ignored names that a line contains."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:$-]{1,64}")


class Done(NamedTuple):
    """A request that is over, or an operation of a bulk request. `seconds` of an operation is None: it is not measured."""

    note: Note
    kind: Kind
    status: int
    seconds: float | None
    resource_id: str
    error: ScimError | None
    effect: Effect | None
    dialect: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def line_of(done: Done, ended: float, index: int | None = None) -> str:
    """Return the line in JSON. `ended` is in seconds since the epoch, `index` the position of an operation in its bulk request.

    What a client can choose is from a fixed set or a plain token, so only names of the schema and of tenants need escaping. A
    JSON library would take three times as long.
    """
    note, kind, status, seconds, resource_id, error, effect, dialect, ignored = done
    credential = note.credential
    more = f',"resource_id":"{resource_id}"' if resource_id else ""
    if effect:
        more += f',"effect":"{effect}"'
    if error is not None:
        more += _why(error.scim_type, error.attribute, error.rule)
    if dialect:
        more += _dialect(dialect)
    if ignored and status < 400:
        more += _ignored(ignored)
    if note.address:
        more += f',"client":"{note.address}"'
    if note.client_request_id:
        more += f',"client_request_id":"{note.client_request_id}"'
    whole = int(ended)
    return _LINE % (
        '"request"' if index is None else f'"operation","index":{index}',
        note.request_id,
        _what(kind),
        status,
        "" if seconds is None else ',"ms":%.2f' % (seconds * 1000),
        "" if credential is None else _whose(credential.tenant.name, credential.token_id),
        more,
        _second(whole),
        (ended - whole) * 1_000_000,
    )


@lru_cache(maxsize=4096)
def _what(kind: Kind) -> str:
    return f'"method":"{kind.method}","endpoint":{_text(kind.endpoint)},"operation":"{kind.operation}"'


@lru_cache(maxsize=4096)
def _whose(tenant: str, token: int) -> str:
    return f',"tenant":{_text(tenant)},"token":{token}'


@lru_cache(maxsize=4096)
def _why(scim_type: str | None, attribute: str | None, rule: str | None) -> str:
    fields = (("scimType", scim_type), ("attribute", attribute), ("rule", rule))
    return "".join(f',"{name}":{_text(value)}' for name, value in fields if value)


@lru_cache(maxsize=1024)
def _dialect(rules: tuple[str, ...]) -> str:
    return f',"dialect":{orjson.dumps(rules).decode()}'


def _ignored(names: tuple[str, ...]) -> str:
    """Return the first names that are plain tokens, and the number of all names. Any other name may be a client's free text."""
    plain = list(islice((name for name in names if _PLAIN_NAME.fullmatch(name)), MAX_IGNORED))
    return f',"ignored":{orjson.dumps(plain).decode()},"ignored_count":{len(names)}'


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    return orjson.dumps(text).decode()


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
