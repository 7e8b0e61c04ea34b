"""One connection of a worker: what the client has sent, and what is still to be sent to it.

Theory of operation
===================

A worker is one loop (the main thread) and `server.threads` request threads. The loop does all waiting for clients. A thread gets
a request that has arrived completely, and never reads. It sends what the socket takes at once and leaves the rest to the loop. So
a client that is slow or silent, sends without end, or does not read costs memory and a connection, both bounded, but no thread.

| state     | owner       | what happens                                            | leaves it by                            |
| --------- | ----------- | ------------------------------------------------------- | --------------------------------------- |
| READING   | the loop    | it collects a request, or waits for one to begin        | request here: WAITING or RUNNING        |
|           |             |                                                         | deadline: 408 and LINGERING, or CLOSED  |
| WAITING   | `Schedule`  | the request waits for a thread                          | its turn: RUNNING                       |
|           |             |                                                         | client closes: CLOSED, never begun      |
| RUNNING   | a thread,   | the application makes the answer, and what the socket   | all sent: READING or LINGERING          |
|           | or the loop | takes leaves at once                                    | otherwise: SENDING                      |
|           |             | if `checking`, a thread only looks up the token         | READING; wrong token: WAITING, for 401  |
| SENDING   | the loop    | it sends the rest of the answer                         | all sent: READING or LINGERING          |
|           |             |                                                         | deadline: CLOSED                        |
| LINGERING | the loop    | the last answer is sent; what still comes is thrown away | client closes, or deadline: CLOSED     |
| CLOSED    |             |                                                         |                                         |

Invariants:

1. The loop alone reads from the socket, closes it, and changes the state. One exception: a thread takes a connection from RUNNING
   back to READING if all of the answer is sent and nothing has come meanwhile. It does so under the lock of `Threads`, and so
   does the loop when it notes that something has come for a request that waits or runs.
2. Every state but WAITING and RUNNING has a deadline. A request that waits or runs ends by the application's own limits.
3. One request of a connection is answered at a time. What comes behind it is kept up to HEAD_BYTES, and then left in the socket.
4. Only a request with a known token may have more than HEAD_BYTES of a body in memory, and all bodies of a worker BODY_BYTES.
   Beyond that, the tenant that holds the most loses its oldest unfinished request (503).
5. Only `/healthz` and refusals are answered by the loop: they wait for nothing.

Example: a client sends half of a POST, the rest two seconds later, and reads slowly. READING (loop: head, half a body) → READING
(the rest) → RUNNING (a thread: parse, application, 60 of 100 kB sent) → SENDING (loop: 40 kB, whenever the client takes some) →
READING (the next request, or 75 s of silence).
"""

from __future__ import annotations

import socket
from collections.abc import Hashable
from enum import Enum
from typing import Any

from scimsvc.web.gunicorn.framing import HEAD_BYTES, Arrived, Incoming

TOGETHER = 65536
"""Up to this many bytes, the pieces of an answer are joined, so that one system call sends it, in one packet if possible."""
SENDING_TIME = 20.0
"""Seconds in which a client must receive an answer, in addition to one second for each SENDING_RATE bytes."""
SENDING_RATE = 32_768

ANONYMOUS = "no token"
"""The tenant of a request without a token."""
UNKNOWN = "unknown token"
"""The tenant of a request whose token is wrong, or new to this worker."""


class State(Enum):
    """See the head of this module."""

    READING = 1
    WAITING = 2
    RUNNING = 3
    SENDING = 4
    LINGERING = 5
    CLOSED = 6


class Outgoing:
    """A stand-in for the socket that gunicorn writes an answer to: it keeps the pieces."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Keep a piece."""
        self.pieces.append(data)

    def send(self, data: bytes) -> int:
        """Drop an interim answer: gunicorn's 100 Continue, which the loop has sent already if the client expects it."""
        return len(data)


class Connection:
    """A connection. `since` is when its last answer had been sent, or when it was accepted (seconds of the monotonic clock)."""

    __slots__ = (
        "answered",
        "arrived",
        "authorization",
        "checking",
        "client",
        "closing",
        "deadline",
        "ended",
        "incoming",
        "lost",
        "sender",
        "server",
        "since",
        "sock",
        "state",
        "tenant",
        "told_to_continue",
        "unsent",
        "watched",
    )

    def __init__(self, sock: socket.socket, client: Any, server: Any, request_bytes: int, now: float, deadline: float) -> None:
        self.sock = sock
        self.client = client
        self.server = server
        self.incoming = Incoming(request_bytes)
        self.state = State.READING
        self.arrived: Arrived | None = None
        self.tenant: Hashable = ANONYMOUS
        self.authorization: bytes | None = None
        """The last Authorization header whose token was known."""
        self.sender: Hashable = ANONYMOUS
        """The tenant of that token."""
        self.answered = False
        """Whether a request was answered, so that a silent client only keeps its connection alive."""
        self.checking = False
        """Whether a thread only looks up the token, because the body has not arrived."""
        self.ended = False
        """Whether the client has closed its side."""
        self.lost = False
        """Whether nothing can be sent any more."""
        self.closing = False
        """Whether the connection ends after the answer."""
        self.told_to_continue = False
        self.unsent: list[memoryview] = []
        self.since = now
        self.deadline = deadline
        self.watched = 0
        """The events that the poller watches for."""

    @property
    def reading(self) -> bool:
        """Return whether the loop collects its next request."""
        return self.state is State.READING

    @property
    def full(self) -> bool:
        """Return whether no more bytes may be kept after a request that is not answered yet."""
        return len(self.incoming) >= HEAD_BYTES

    @property
    def known(self) -> bool:
        """Return whether its last request had a known token."""
        return self.tenant not in (ANONYMOUS, UNKNOWN)

    def transmit(self, pieces: list[bytes]) -> None:
        """Send what the socket takes now, and keep the rest. Raise OSError if the connection is lost."""
        size = sum(map(len, pieces))
        if size <= TOGETHER:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            try:
                sent = self.sock.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            if sent < size:
                self.unsent = [memoryview(data)[sent:]]
            return
        self.unsent = [memoryview(piece) for piece in pieces if piece]
        self.send_more()

    def send_more(self) -> bool:
        """Send what the socket takes of the rest. Return whether all is sent. Raise OSError if the connection is lost."""
        try:
            while self.unsent:
                sent = self.sock.sendmsg(self.unsent[:16], (), socket.MSG_DONTWAIT)
                while sent and sent >= len(self.unsent[0]):
                    sent -= len(self.unsent.pop(0))
                if sent:
                    self.unsent[0] = self.unsent[0][sent:]
        except BlockingIOError:
            pass
        return not self.unsent

    def sending_deadline(self, now: float) -> float:
        """Return the time until which the client must have received the rest of the answer."""
        return now + SENDING_TIME + sum(map(len, self.unsent)) / SENDING_RATE
