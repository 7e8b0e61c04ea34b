"""Who does something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Actor:
    """The credential, command or person that does something, and the id of the request if there is one.

    `name` is the number of a token, the words of a command (`db purge`) or the name of a person. The kind `server` is scimsvc
    itself, if no client or person asked for what it does.
    """

    kind: Literal["token", "command", "person", "server"]
    name: str = ""
    request_id: str | None = None

    def __str__(self) -> str:
        """Return the actor as the journal names it: `token:7`, `command:db purge`, `server`."""
        return f"{self.kind}:{self.name}" if self.name else self.kind


SERVER = Actor("server")
