"""Bytes over a socket, for requests that no HTTP client would send."""

import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.support.client import Answer, Client


def exchange(client: Client, method: str, path: str, *parts: bytes, **headers: str) -> Answer:
    """Send a request head and then the parts as they are; answers what came back, and closes.

    A server may answer before it has read everything, so a refused part is no failure.
    """
    url = urlsplit(client.tenant_url)
    sent = {"Host": url.netloc, "Authorization": f"Bearer {client.token}", "Content-Type": "application/scim+json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"{method} {url.path}{path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items()) + "\r\n"
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=client.timeout) as connection:
        try:
            for part in (head.encode("latin-1"), *parts):
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        response = HTTPResponse(connection, method=method)
        response.begin()
        return Answer(response.status, dict(response.getheaders()), response.read())
