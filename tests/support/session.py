"""Entra's session with a server, as docs/start/by-hand.md has it: a person comes, changes, is found, joins a group, leaves."""

import re
import shlex
from string import Template

from tests.support.client import Client
from tests.support.server import ROOT


def run_session(client: Client, page: str = "docs/start/by-hand.md", requests: int = 11) -> None:
    """Send the requests of a page's session one after the other; each must be answered with the status that it says."""
    (session,) = re.findall(r"```sh session\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    names: dict[str, str] = {}
    last = ""
    sent = 0
    for line in session.splitlines():
        if line.startswith("scim "):
            command, _, status = line.rpartition("#")
            _, method, path, *body = shlex.split(Template(command.replace("'$JANE'", "$JANE")).safe_substitute(names))
            answer = client(method, path.replace(" ", "+"), raw=body[0].encode() if body else None)
            assert answer.status == int(status), f"{line}\n{answer.raw!r}"
            last = answer.body["id"] if answer.status == 201 else ""
            sent += 1
        elif "=..." in line:
            names[line.partition("=")[0]] = last
            assert last
        else:
            assert not line or line.startswith("#")
    assert sent == requests
