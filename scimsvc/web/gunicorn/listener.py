"""A listening socket: take connections from it, and close it without losing one."""

from __future__ import annotations

import errno
import socket
from typing import Any

_NOT_NOW = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EPROTO, errno.EPERM})
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class NoFiles(Exception):
    """No file can be opened for another connection now."""


def accept(listener: Any) -> tuple[socket.socket, Any] | None:
    """Return a new connection and its client's address; None if no client waits. Raises NoFiles.

    Its socket blocks. Each call says MSG_DONTWAIT instead, since a call that would make it non-blocking lets go of the GIL, and a
    loop that lets go of it while threads compute waits 5 ms to get it back.
    """
    try:
        client, address = listener.accept()
    except OSError as error:
        if error.errno in _NO_FILES:
            raise NoFiles from None
        if error.errno in _NOT_NOW:
            return None
        raise
    return client, address
