"""Where a request ends is found however its bytes are cut, and nothing is kept that has no end."""

from itertools import pairwise

import pytest
from gunicorn.config import Config
from gunicorn.http.body import ChunkedReader
from gunicorn.http.unreader import IterUnreader
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.web.gunicorn.framing import CHUNK_OVERHEAD, HEAD_BYTES, LINE_BYTES, LINES_AT_ONCE, Arrived, Incoming, Refused

LIMIT = 200_000
HEAD = b"POST /api/scim/v2/Users HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def requests(*pieces: bytes) -> list[Arrived]:
    """What arrives with these bytes, in the order in which they come."""
    incoming = Incoming(LIMIT)
    arrived = []
    for piece in pieces:
        incoming.feed(piece)
        while (request := incoming.next()) or incoming.paused:
            if request is None:
                continue
            arrived.append(request)
            if not request.whole:
                return arrived
    return arrived


@pytest.mark.parametrize(
    ("received", "bodies"),
    [
        (b"", []),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", []),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [b""]),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", [b""]),
        (HEAD + b"Content-Length: 2\r\n\r\n{", []),
        (HEAD + b"content-length:2\r\n\r\n{}", [b"{}"]),
        (HEAD + b"Content-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\n\r\n", [b"{}", b""]),
        (HEAD + b"Content-Length: 2\r\n\r\n{}GET", [b"{}"]),
        (HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 99_999, []),
        (HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000, [b"x" * 100_000]),
        (HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n", []),
        (CHUNKED + b"2\r\n{}\r\n", []),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", [b"{}"]),
        (CHUNKED + b"0\r\n\r\n", [b""]),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n", [b"{}"]),
        (CHUNKED + b'2;a=b; c="d;\\""\r\n{}\r\n00;a\r\n\r\nGET / HTTP/1.1\r\n\r\n', [b"{}", b""]),
        # A chunk may hold what looks like the last one.
        (CHUNKED + b"20\r\nab\r\n0\r\n\r\n", []),
        (CHUNKED + b"9\r\nab\r\n0\r\n\r\n\r\n0\r\n\r\n", [b"ab\r\n0\r\n\r\n"]),
    ],
)
def test_a_request_has_arrived(received: bytes, bodies: list[bytes]) -> None:
    for pieces in ((received,), tuple(bytes([byte]) for byte in received) if len(received) < 1000 else (received,)):
        arrived = requests(*pieces)
        assert [request.body for request in arrived] == bodies
        assert all(request.whole for request in arrived)


@pytest.mark.parametrize(
    "headers",
    [
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2",
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: 2, 2",
        b"Content-Length: -1",
        b"Content-Length: two",
        b"Content-Length: 200001",
        b"Content-Length: 9999999999999999999999999",
    ],
)
def test_a_body_without_an_end_that_can_be_found_is_not_awaited(headers: bytes) -> None:
    (request,) = requests(HEAD + headers + b"\r\n\r\n")
    assert (request.body, request.whole) == (None, False)


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"-1\r\n",
        b" 1\r\na\r\n",
        b"1 \r\na\r\n",
        b"2\r\nabc\r\n",
        b"1\r\naX",
        b"1;a b\r\na\r\n",
        b"1;\x01\r\n",
        b"1" * 17 + b"\r\n",
        b"1" * (LINE_BYTES + 1),
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nno field\r\n\r\n",
        b"0\r\n X: folded\r\n\r\n",
    ],
)
def test_wrong_chunks_are_no_body(chunks: bytes) -> None:
    for pieces in ((CHUNKED + chunks,), (CHUNKED, *(chunks[at : at + 1] for at in range(len(chunks))))):
        (request,) = requests(*pieces)
        assert (request.body, request.whole) == (None, False)


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (HEAD + b"X-A: " + b"x" * HEAD_BYTES, 431),
        (HEAD + b"X-A: b\r\n" * (HEAD_BYTES // 8), 431),
        (HEAD + b"X-A: " + b"x" * HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * (LINE_BYTES + 8), 414),
        (CHUNKED + b"%x\r\n" % (LIMIT + 1) + b"x" * (LIMIT + 1), 413),
        (CHUNKED + b"1\r\nx\r\n" * CHUNK_OVERHEAD, 413),
        (CHUNKED + b"1;a=%s\r\nx\r\n" % (b"b" * 8000) * 9, 413),
        (CHUNKED + b"0\r\n" + b"X-A: b\r\n" * (CHUNK_OVERHEAD // 8), 413),
        (CHUNKED + b"0\r\n" + b"A:b\r\n" * 65, 413),
    ],
)
def test_what_has_no_end_is_refused_while_it_comes(received: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        requests(*(received[at : at + 4096] for at in range(0, len(received), 4096)))
    assert refused.value.status == status


@pytest.mark.parametrize("size", [1, 3, 100])
def test_small_chunks_are_read_a_few_lines_at_once(size: int) -> None:
    text = b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for _ in range(1000)) + b"0\r\nX-A: b\r\n\r\n"
    incoming = Incoming(LIMIT)
    incoming.feed(CHUNKED + text + b"GET / HTTP/1.1\r\n\r\n")
    turns = 0
    while (request := incoming.next()) is None:
        assert incoming.paused
        turns += 1
    assert request.body == b"x" * size * 1000
    assert turns == (2 * 1000 + 3) // LINES_AT_ONCE
    assert not incoming.paused
    following = incoming.next()
    assert following is not None
    assert following.head.startswith(b"GET / ")


def test_what_breaks_off_is_passed_on_as_it_is() -> None:
    incoming = Incoming(LIMIT)
    incoming.feed(HEAD + b"Content-Length: 5\r\n\r\nabc")
    assert incoming.next() is None
    assert incoming.body_begun
    assert incoming.give_up()[1:3] == (b"abc", False)
    incoming.feed(CHUNKED + b"5\r\nabc")
    assert incoming.next() is None
    assert incoming.give_up()[1:3] == (None, False)


def test_the_loop_learns_what_it_must_know() -> None:
    incoming = Incoming(LIMIT)
    incoming.feed(HEAD + b"Authorization: Bearer abc \r\nEXPECT: 100-Continue\r\nContent-Length: 100000\r\n\r\n")
    assert incoming.next() is None
    assert incoming.authorization == b"Bearer abc"
    assert incoming.expects_continue
    assert incoming.awaited == 100_000
    older = Incoming(LIMIT)
    older.feed(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert older.next() is None
    assert not older.expects_continue


cuts = st.lists(st.integers(0, 400), max_size=12)


def pieces_of(data: bytes, where: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(data) + 1) for cut in where), len(data)]
    return [data[begin:end] for begin, end in pairwise(at)]


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans()), min_size=1, max_size=5), cuts)
def test_pipelined_requests_are_found_however_they_are_cut(bodies: list[tuple[bytes, bool]], where: list[int]) -> None:
    sent = b""
    for body, chunked in bodies:
        if chunked:
            half = len(body) // 2
            parts = [part for part in (body[:half], body[half:]) if part]
            sent += CHUNKED + b"".join(b"%X\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        else:
            sent += HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    arrived = requests(*pieces_of(sent, where))
    assert [request.body for request in arrived] == [body for body, _ in bodies]


class Request:
    """What gunicorn's reader of chunks wants of a request."""

    limit_request_field_size = LINE_BYTES
    max_buffer_headers = CHUNK_OVERHEAD

    @staticmethod
    def parse_headers(data: bytes, from_trailer: bool) -> list[tuple[str, str]]:
        from gunicorn.http.message import Request

        message = Request.__new__(Request)
        message.cfg = Config()
        message.limit_request_fields, message.limit_request_field_size = 64, LINE_BYTES
        return message.parse_headers(data, from_trailer)


PIECES = [
    *(b"1", b"2", b"a", b"A", b"0", b"00", b"g", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"x", b"xx", b";", b"=", b'"', b" "),
    *(b"1\r\nx\r\n", b"2\r\nxx\r\n", b"2;e=f\r\nxx\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"X: y\r\n", b"Host: y\r\n"),
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=14), cuts)
def test_chunks_are_read_as_gunicorn_reads_them(tokens: list[bytes], where: list[int]) -> None:
    """A second opinion: both find the same body, or both none."""
    data = b"".join(tokens)
    reader = ChunkedReader(Request, IterUnreader(iter([data])))
    try:
        expected: bytes | None = reader.read(1_000_000)
    except Exception:
        expected = None
    arrived = requests(CHUNKED, *pieces_of(data, where))
    assert (arrived[0].body if arrived else None) == expected
