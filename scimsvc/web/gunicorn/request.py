"""Parse the head of a request with gunicorn's parser, and check what RFC 9112 requires in addition."""

from __future__ import annotations

from typing import Any

from gunicorn.http.errors import InvalidHeader, InvalidRequestLine
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from scimsvc.settings import HOST


class Snapshot:
    """gunicorn's configuration as plain attributes. A worker's settings do not change, and each request reads 20 of them."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self.__dict__.update((name, setting.get()) for name, setting in config.settings.items())
        self.is_ssl = config.is_ssl

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)


class StrictRequest(Request):
    """A request whose head is completely in memory, so that parsing never waits.

    Raise gunicorn's exceptions for a head that is not valid. In addition to gunicorn, refuse a missing or malformed Host and a
    fragment in the target (RFC 9112 §3.2). A later HTTP/1.x counts as HTTP/1.1 (§2.3). `close` and `keep-alive` count anywhere in
    the list of Connection, and `close` wins (§9.6).
    """

    def __init__(self, cfg: Any, head: bytes, peer: Any) -> None:
        self._connection: set[str] = set()
        super().__init__(cfg, IterUnreader((head,)), peer)

    def parse(self, unreader: Any) -> Any:
        """Parse the head and check it. Return the bytes after it, of which there are none."""
        rest = super().parse(unreader)
        assert self.uri is not None
        assert self.version is not None
        if "#" in self.uri:
            raise InvalidRequestLine(self.uri)
        hosts = 0
        for name, value in self.headers:
            if name == "HOST":
                hosts += 1
                if value and not HOST.fullmatch(value):
                    raise InvalidHeader(name, req=self)
            elif name == "CONNECTION":
                self._connection.update(option.strip(" \t") for option in value.lower().split(","))
        if self.version > (1, 1):
            self.version = (1, 1)
        if not hosts and self.version == (1, 1):
            raise InvalidHeader("HOST", req=self)
        return rest

    def _peer_trusted_for_forwarded(self) -> tuple[dict[str, str], tuple[str, ...]]:
        # gunicorn would compare addresses, but only `server.trusted_proxies` decides about proxies.
        return {}, ()

    def should_close(self) -> bool:
        """Return whether the connection ends after the answer."""
        if self.must_close or self.method == "CONNECT" or "close" in self._connection:
            return True
        return self.version != (1, 1) and "keep-alive" not in self._connection
