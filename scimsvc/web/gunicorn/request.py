"""Parse the head of a request: gunicorn's parser, with what RFC 9112 asks for besides."""

from __future__ import annotations

from typing import Any

from gunicorn.http.errors import InvalidHeader, InvalidRequestLine
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from scimsvc.settings import HOST


class Snapshot:
    """gunicorn's configuration with plain attributes: a worker's settings do not change, and gunicorn looks up 20 a request."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self.__dict__.update((name, setting.get()) for name, setting in config.settings.items())
        self.is_ssl = config.is_ssl

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)


class StrictRequest(Request):
    """A request whose head is all in memory, so that nothing is waited for.

    Raises gunicorn's exceptions for a head that is wrong. Besides what gunicorn refuses, that is a missing or wrong Host and a
    fragment in the target (RFC 9112 §3.2). A later HTTP/1.x counts as HTTP/1.1 (§2.3). `close` and `keep-alive` are found in any
    list of Connection, and `close` wins (§9.6).
    """

    def __init__(self, cfg: Any, head: bytes, peer: Any) -> None:
        self._connection: set[str] = set()
        super().__init__(cfg, IterUnreader((head,)), peer)

    def parse(self, unreader: Any) -> Any:
        """Parse the head and check it. Return what is behind it, which is nothing."""
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
        # In gunicorn.conf.py no proxy is trusted: `server.trusted_proxies` alone decides. gunicorn would compare addresses.
        return {}, ()

    def should_close(self) -> bool:
        """Return whether the connection ends behind the answer."""
        if self.must_close or self.method == "CONNECT" or "close" in self._connection:
            return True
        return self.version != (1, 1) and "keep-alive" not in self._connection
