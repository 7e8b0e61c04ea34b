"""HTTP/1.1 as RFC 9112 has it, over a socket: what no client library would send."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.support.server import Server


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    url = urlsplit(server.origin)
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=30) as connection:
        yield connection


def answers(server: Server, sent: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Send bytes and read answers until the server closes the connection, or for as long as it lets the last one be awaited."""
    with connected(server) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers["Content-Length"])
        found.append((int(status.split()[1]), headers, received[:length]))
        received = received[length:]
    return found


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET /healthz HTTP/1.1", ["Host: x"], 200),
        ("GET /healthz HTTP/1.1", ["Host:"], 200),
        ("GET /healthz HTTP/1.1", ["HOST: [::1]:80"], 200),
        ("GET /healthz HTTP/1.0", [], 200),
        ("GET /healthz HTTP/1.2", ["Host: x"], 200),
        # RFC 9112 §3.2
        ("GET /healthz HTTP/1.1", [], 400),
        ("GET /healthz HTTP/1.2", [], 400),
        ("GET /docs HTTP/1.1", [], 400),
        ("GET /healthz HTTP/1.1", ["Host: x", "Host: x"], 400),
        ("GET /healthz HTTP/1.1", ["Host: x y"], 400),
        ("GET /healthz HTTP/1.1", ["Host: http://x/"], 400),
        ("GET /healthz HTTP/1.1", ["Host: x@y"], 400),
        ("GET /healthz#fragment HTTP/1.1", ["Host: x"], 400),
        ("GET /docs?a#fragment HTTP/1.1", ["Host: x"], 400),
        ("GET healthz HTTP/1.1", ["Host: x"], 400),
        ("GET  /healthz HTTP/1.1", ["Host: x"], 400),
        ("GET /healthz HTTP/2.0", ["Host: x"], 400),
        ("GET /healthz", ["Host: x"], 400),
        # §5, §5.1, §5.2
        ("GET /healthz HTTP/1.1", ["Host: x", "X-A : b"], 400),
        ("GET /healthz HTTP/1.1", ["Host: x", "X-A: b", " c"], 400),
        ("GET /healthz HTTP/1.1", ["Host: x", "X-A: b\nX-B: c"], 400),
        ("GET /healthz HTTP/1.1", ["Host: x", "X-A: b\0"], 400),
        # §6.1, §6.3
        ("POST /healthz HTTP/1.1", ["Host: x", "Transfer-Encoding: identity"], 400),
        ("GET /healthz HTTP/1.1", ["Host: x", "Transfer-Encoding: identity"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Transfer-Encoding: identity", "Content-Length: 5"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Transfer-Encoding: gzip"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Transfer-Encoding: chunked, gzip"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Transfer-Encoding: chunked", "Content-Length: 5"], 400),
        ("POST /docs HTTP/1.0", ["Host: x", "Transfer-Encoding: chunked"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Transfer-Encoding: brotli"], 501),
        ("POST /docs HTTP/1.1", ["Host: x", "Content-Length: 1, 1"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Content-Length: +1"], 400),
        ("POST /docs HTTP/1.1", ["Host: x", "Expect: 200-ok"], 417),
    ],
)
def test_a_request_is_taken_or_refused_by_the_rfc(server: Server, request_line: str, headers: list[str], status: int) -> None:
    head = "\r\n".join([request_line, *headers, "", ""])
    ((found, answered, body),) = answers(server, head.encode())
    assert (found, head) == (status, head)
    if status != 200:
        assert answered["Connection"] == "close"
        assert json.loads(body)["status"] == str(status)


@pytest.mark.parametrize(
    ("version", "connection", "closes"),
    [
        ("1.1", [], False),
        ("1.1", ["keep-alive"], False),
        ("1.1", ["x"], False),
        ("1.1", ["close"], True),
        ("1.1", ["Close"], True),
        ("1.1", ["close, x"], True),
        ("1.1", ["x ,\tclose"], True),
        ("1.1", ["keep-alive, close"], True),
        ("1.1", ["keep-alive", "close"], True),
        ("1.1", ["close", "keep-alive"], True),
        ("1.2", [], False),
        ("1.2", ["close"], True),
        ("1.0", [], True),
        ("1.0", ["x"], True),
        ("1.0", ["keep-alive"], False),
        ("1.0", ["Keep-Alive, x"], False),
        ("1.0", ["keep-alive, close"], True),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/docs"])
def test_close_counts_wherever_it_stands(server: Server, path: str, version: str, connection: list[str], closes: bool) -> None:
    head = "\r\n".join([f"GET {path} HTTP/{version}", "Host: x", *(f"Connection: {value}" for value in connection), "", ""])
    found = answers(server, (head * 2).encode())
    assert len(found) == (1 if closes else 2)
    for status, headers, _ in found:
        assert (status, headers["Connection"]) == (200, "close" if closes else "keep-alive")


@pytest.mark.parametrize("path", ["/healthz", "/docs"])
def test_a_later_http_1_is_answered_as_http_1_1(server: Server, path: str) -> None:
    with connected(server) as connection:
        connection.sendall(f"GET {path} HTTP/1.9\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_are_answered_in_their_order_however_many_are_sent_at_once(server: Server) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /docs/none HTTP/1.1\r\nHost: x\r\n\r\n"
    found = answers(server, one * 300)
    assert [status for status, *_ in found] == [200, 404] * 300


def test_a_head_has_no_body(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while data := connection.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n")
