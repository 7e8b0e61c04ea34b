"""Find requests in the bytes of a connection (RFC 9112). Pure: bytes in, requests out; nothing here waits.

This module decides only where a request ends. `request.StrictRequest` decides whether its head is valid. It sees the same bytes
and has no other source of bytes, so a difference between both can never make a thread wait.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD_BYTES = 65536
"""The most bytes of a head, with its blank line. Also the most bytes that are kept of what follows an unanswered request."""
LINE_BYTES = 8190
"""The most bytes of a request line and of a line in a chunked body; `limit_request_line` in gunicorn.conf.py is the same."""
CHUNK_OVERHEAD = 65536
"""The most bytes of sizes, extensions and trailers in a chunked body, in addition to a quarter of its data."""

LINES_AT_ONCE = 50
"""Lines of a chunked body that are read before other connections get their turn. They take a tenth of a millisecond."""

_END = b"\r\n\r\n"
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|authorization|expect):[ \t]*([^\r\n]*)", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,18}")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
# RFC 9112 §7.1.1: a recipient ignores unknown extensions.
_CHUNK_SIZE = re.compile(
    rb"(0{0,32}[0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)
TRAILER_COST = 1024
"""Bytes that each trailer counts in addition to its own, so that no more trailers are read than headers are allowed."""
_TRAILER = re.compile(rb"(" + _TOKEN + rb"):[\t\x20-\x7e\x80-\xff]*")
_SIZE, _DATA, _DATA_END, _TRAILERS = "size", "data", "data end", "trailers"
"""The parts of a chunked body: which of them comes next."""
_NO_TRAILERS = frozenset({b"host", b"content-length", b"transfer-encoding", b"trailer", b"authorization", b"te"})


class Refused(Exception):
    """The request is refused with `status`; the connection ends after the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Arrived(NamedTuple):
    """A request: the bytes of its head, and its body without chunks.

    `whole` is False if the rest of the body was not read; then the connection ends after the answer. `body` is None if the body
    can't be read, because its chunks are malformed or it ended inside a chunk.
    """

    head: bytes
    body: bytes | None
    whole: bool
    authorization: bytes | None


class Incoming:
    """Collect the requests of one connection. `limit` is how many bytes a body may have (`limits.request_bytes`)."""

    __slots__ = ("_body", "_chunks", "_head", "_length", "_limit", "_rest", "authorization", "expects_continue")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest: bytes | bytearray = b""
        self._begin()

    def _begin(self) -> None:
        self._head: bytes | None = None
        self._length = 0
        self._chunks: _Chunks | None = None
        self.authorization: bytes | None = None
        self.expects_continue = False

    def __len__(self) -> int:
        """Return how many bytes are in memory."""
        return len(self._rest) + (len(self._chunks.body) if self._chunks else 0)

    @property
    def begun(self) -> bool:
        """Return whether a part of a request has arrived."""
        return self._head is not None or bool(self._rest)

    @property
    def body_begun(self) -> bool:
        """Return whether the head has arrived and its body is expected."""
        return self._head is not None

    @property
    def awaited(self) -> int:
        """Return how many bytes the body has, as far as that is known, including those that have arrived."""
        return max(self._length, len(self))

    @property
    def paused(self) -> bool:
        """Return whether `next` stopped early, so that other connections get their turn, and can continue without new bytes."""
        return self._chunks is not None and self._chunks.paused

    def feed(self, data: bytes) -> None:
        """Add bytes that the client has sent."""
        if not self._rest:
            self._rest = data
        elif isinstance(self._rest, bytearray):
            self._rest += data
        else:
            self._rest = bytearray(self._rest) + data

    def next(self) -> Arrived | None:
        """Return the next request if all of it has arrived. Return None if not, or if `paused`. Raise Refused 413, 414 or 431."""
        if self._head is None and not self._take_head():
            return None
        if self._chunks is None:
            return self._take(self._length) if len(self._rest) >= self._length else None
        # The head is removed already, so the rest begins with the body.
        consumed = self._chunks.feed(self._rest)
        self._rest = self._rest[consumed:]
        if self._chunks.malformed:
            return self.give_up(malformed=True)
        if len(self._chunks.body) > self._limit or self._chunks.wasteful:
            raise Refused(413)
        return self._arrived(bytes(self._chunks.body), whole=True) if self._chunks.ended else None

    def give_up(self, malformed: bool = False) -> Arrived:
        """Return a request whose body does not come or is not wanted, with the part of the body that has arrived."""
        body: bytes | None = None if malformed or self._chunks else bytes(self._rest[: self._length])
        self._rest = b""
        return self._arrived(body, whole=False)

    def _take(self, length: int) -> Arrived:
        if not length:
            body = b""
        elif length == len(self._rest):
            body, self._rest = bytes(self._rest), b""
        else:
            body, self._rest = bytes(self._rest[:length]), self._rest[length:]
        return self._arrived(body, whole=True)

    def _arrived(self, body: bytes | None, whole: bool) -> Arrived:
        assert self._head is not None
        arrived = Arrived(self._head, body, whole, self.authorization)
        self._begin()
        return arrived

    def _take_head(self) -> bool:
        rest = self._rest
        # RFC 9112 §2.2: an empty line before the request line is ignored.
        end = rest.find(_END, 2 if rest[:2] == b"\r\n" else 0) + 4
        if end < 4 or end > HEAD_BYTES:
            if b"\n" not in rest[2 : LINE_BYTES + 4] and len(rest) > LINE_BYTES + 4:
                raise Refused(414)
            if len(rest) >= HEAD_BYTES:
                raise Refused(431)
            return False
        self._head = head = bytes(rest[:end])
        self._rest = rest[end:]
        lengths, codings = [], []
        for name, value in _FRAMING.findall(head):
            name = name.lower()
            if name == b"authorization":
                self.authorization = value.rstrip(b" \t")
            elif name == b"content-length":
                lengths.append(value.rstrip(b" \t"))
            elif name == b"transfer-encoding":
                codings.append(value.rstrip(b" \t").lower())
            elif b" HTTP/1.0\r\n" not in head:
                # RFC 9110 §10.1.1: ignore the header of an HTTP/1.0 client.
                self.expects_continue = value.rstrip(b" \t").lower() == b"100-continue"
        if codings:
            self._chunks = _Chunks()
            # The end of such a body can't be found (RFC 9112 §6.3), so the connection ends after the answer.
            self._chunks.malformed = codings != [b"chunked"] or bool(lengths)
        elif lengths:
            if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]) or int(lengths[0]) > self._limit:
                self._chunks = _Chunks()
                self._chunks.malformed = True
            else:
                self._length = int(lengths[0])
        return True


class _Chunks:
    """Extract the data of a chunked body (RFC 9112 §7.1), however the bytes are split."""

    __slots__ = ("_left", "_overhead", "_stage", "body", "ended", "malformed", "paused")

    def __init__(self) -> None:
        self.body = bytearray()
        self.ended = False
        self.malformed = False
        self.paused = False
        self._stage = _SIZE
        self._left = 0
        self._overhead = 0

    @property
    def wasteful(self) -> bool:
        """Return whether the body consists mostly of chunk sizes, extensions or trailers."""
        return self._overhead > CHUNK_OVERHEAD + len(self.body) // 4

    def feed(self, data: bytes | bytearray) -> int:
        """Read as much as possible, up to LINES_AT_ONCE lines. Return how many bytes were used."""
        at = lines = 0
        self.paused = False
        while not (self.ended or self.malformed or self.wasteful):
            if lines == LINES_AT_ONCE:
                self.paused = True
                return at
            if self._stage is _DATA:
                piece = data[at : at + self._left]
                self.body += piece
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    return at
                self._stage = _DATA_END
            end = data.find(b"\r\n", at, at + LINE_BYTES + 2)
            if end < 0:
                unfinished = data[at:]
                self.malformed = len(unfinished) > LINE_BYTES or (self._stage is _DATA_END and unfinished not in (b"", b"\r"))
                return at
            self._line(data[at:end])
            self._overhead += end + 2 - at
            at = end + 2
            lines += 1
        return at

    def _line(self, line: bytes | bytearray) -> None:
        if self._stage is _SIZE:
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                self.malformed = True
            else:
                self._left = int(match[1], 16)
                self._stage = _DATA if self._left else _TRAILERS
        elif self._stage is _DATA_END:
            self.malformed = bool(line)
            self._stage = _SIZE
        elif line:
            self._overhead += TRAILER_COST
            trailer = _TRAILER.fullmatch(line)
            self.malformed = trailer is None or trailer[1].lower() in _NO_TRAILERS
        else:
            self.ended = True
