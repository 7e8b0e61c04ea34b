"""Heads of requests and answers are what gunicorn's own classes make of them."""

import io
from typing import Any, cast

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.web.gunicorn.connection import Outgoing
from scimsvc.web.gunicorn.request import Snapshot, StrictRequest
from scimsvc.web.gunicorn.response import Response

PEER = ("127.0.0.1", 50000)
SERVER = ("127.0.0.1", 8000)
HEAD = b"%s /api/scim/v2/Users?filter=a HTTP/%s\r\nHost: example.com\r\n%s\r\n"
NAMES = st.sampled_from(
    [
        "Content-Type",
        "ETag",
        "Location",
        "Vary",
        "Content-Length",
        "Connection",
        "Transfer-Encoding",
        "Retry-After",
        "Bad Name",
        "x",
    ]
)
VALUES = st.one_of(st.sampled_from(["5", "close", " padded ", "upgrade", "a\r\nX: y", "a\0", "é", ""]), st.text(max_size=8))


def config() -> Config:
    made = Config()
    made.set("secure_scheme_headers", {})
    made.set("forwarder_headers", "")
    return made


def answer(response_class: Any, request: Any, status: str, headers: list[tuple[str, str]]) -> Any:
    """The bytes of an answer, or the class of the error."""
    out: Any = Outgoing()
    try:
        response, _ = wsgi.create(request, out, PEER, SERVER, request.cfg, response_class)
        response.start_response(status, list(headers))
        response.write(b"12345")
        response.close()
    except Exception as error:
        return type(error)
    lines = b"".join(out.pieces).split(b"\r\n")
    return [line for line in lines if not line.startswith(b"Date: ")], response.should_close()


@given(
    st.sampled_from([b"GET", b"HEAD", b"POST"]),
    st.sampled_from([b"1.0", b"1.1"]),
    st.sampled_from(["200 OK", "204 NO CONTENT", "304 NOT MODIFIED", "404 NOT FOUND"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
)
def test_answers_are_gunicorns(method: bytes, version: bytes, status: str, headers: list[tuple[str, str]]):
    for connection in (b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"):
        request = StrictRequest(config(), HEAD % (method, version, connection), PEER)
        # gunicorn takes blanks off the ends of values; this application sends none.
        trimmed = [(name, value.strip(" \t")) for name, value in headers]
        assert answer(Response, request, status, trimmed) == answer(wsgi.Response, request, status, trimmed)


def test_an_answer_has_the_date():
    out: Any = Outgoing()
    response, _ = wsgi.create(StrictRequest(config(), HEAD % (b"GET", b"1.1", b""), PEER), out, PEER, SERVER, config(), Response)
    response.start_response("204 NO CONTENT", [])
    response.close()
    assert out.pieces[0].split(b"\r\n")[2] == f"Date: {util.http_date()}".encode()


@pytest.mark.parametrize("peer", [PEER, ("10.0.0.1", 1), b"", ""])
@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"X-Forwarded-Proto: https\r\n",
        b"X-Forwarded-Protocol: ssl\r\n",
        b"Content-Length: 3\r\n",
        b"Expect: 100-continue\r\n",
    ],
)
def test_requests_are_gunicorns_with_its_configuration_at_hand(peer: Any, headers: bytes):
    head = HEAD % (b"POST", b"1.1", headers)
    ours, theirs = StrictRequest(Snapshot(config()), head, peer), Request(config(), IterUnreader((head,)), peer)
    for name in ("method", "uri", "path", "query", "version", "headers", "scheme", "_expected_100_continue"):
        assert getattr(ours, name) == getattr(theirs, name)
    environs = [wsgi.create(one, cast(Any, Outgoing()), PEER, SERVER, one.cfg)[1] for one in (ours, theirs)]
    plain = [{key: value for key, value in one.items() if isinstance(value, (str, bool, tuple))} for one in environs]
    assert plain[0] == plain[1]
    assert isinstance(environs[0]["wsgi.errors"], io.RawIOBase)


def test_a_snapshot_has_what_gunicorn_computes():
    whole = config()
    snapshot = Snapshot(whole)
    assert snapshot.is_ssl == whole.is_ssl
    assert snapshot.forwarded_allow_networks() == whole.forwarded_allow_networks()
    assert all(getattr(snapshot, name) == setting.get() for name, setting in whole.settings.items())
    with pytest.raises(AttributeError):
        _ = snapshot.unheard_of
