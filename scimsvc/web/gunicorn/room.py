"""Bound what clients make a worker keep: connections, bodies that have not arrived, answers that clients do not take."""

from __future__ import annotations

from collections.abc import Hashable

from scimsvc.web.gunicorn.connection import Connection, State
from scimsvc.web.gunicorn.ending import Ending
from scimsvc.web.gunicorn.framing import HEAD_BYTES

BODY_BYTES = 64 * 1024 * 1024
"""Bytes of unfinished and unanswered requests of a worker, beyond which unfinished ones are refused."""
ANSWER_BYTES = 256 * 1024 * 1024
"""Bytes of answers of a worker that clients have not taken, beyond which the oldest are dropped."""

_EXPENDABLE = {State.LINGERING: 0, State.READING: 1, State.SENDING: 2}
"""States in which a connection may be closed for a new one, and in which order."""


class Room(Ending):
    """Choose which connections end if there are too many, or if they hold too much."""

    def _oldest_idle(self) -> Connection | None:
        """Return the connection whose end does the least harm: its client is silent, slow, or does not read."""
        waiting = [conn for conn in self._connections if conn.state in _EXPENDABLE]
        return min(waiting, key=lambda conn: (_EXPENDABLE[conn.state], conn.known, conn.since), default=None)

    def _close_oldest(self) -> bool:
        """Close the connection whose end does the least harm. Return whether there was one."""
        oldest = self._oldest_idle()
        if oldest is not None:
            self._close(oldest)
        return oldest is not None

    def _has_room(self, conn: Connection) -> bool:
        """Refuse unfinished requests while all together are too large. Return whether the request of `conn` goes on."""
        while True:
            held: dict[Hashable, int] = {}
            for other in self._connections:
                arrived = other.arrived
                body = len(arrived.body) if arrived and arrived.body else 0
                held[other.tenant] = held.get(other.tenant, 0) + len(other.incoming) + body
            if sum(held.values()) <= BODY_BYTES:
                return True
            large = [other for other in self._connections if other.state is State.READING and len(other.incoming) > HEAD_BYTES]
            if not large:
                return True
            victim = min(large, key=lambda other: (-held[other.tenant], other.deadline))
            self._refuse(victim, 503)
            if victim is conn:
                return False

    def _drop_answers(self) -> None:
        """Close the connections that wait longest for their clients while too many bytes wait."""
        waiting = [conn for conn in self._connections if conn.state is State.SENDING]
        size = sum(sum(map(len, conn.unsent)) for conn in waiting)
        waiting.sort(key=lambda conn: (conn.known, conn.since))
        while size > ANSWER_BYTES and len(waiting) > 1:
            conn = waiting.pop(0)
            size -= sum(map(len, conn.unsent))
            self._close(conn)
