"""Entra's session with a server, as the README has it: a person comes, changes, is found, joins a group, leaves."""

import re
import shlex
from string import Template

from tests.support.client import Client
from tests.support.server import ROOT


def run_session(client: Client) -> None:
    """Send the requests of the README's session one after the other; each must be answered with the status that it says."""
    (session,) = re.findall(r"```sh session\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names: dict[str, str] = {}
    last = ""
    requests = 0
    for line in session.splitlines():
        if line.startswith("scim "):
            command, _, status = line.rpartition("#")
            _, method, path, *body = shlex.split(Template(command.replace("'$JANE'", "$JANE")).safe_substitute(names))
            answer = client(method, path.replace(" ", "+"), raw=body[0].encode() if body else None)
            assert answer.status == int(status), f"{line}\n{answer.raw!r}"
            last = answer.body["id"] if answer.status == 201 else ""
            requests += 1
        elif "=..." in line:
            names[line.partition("=")[0]] = last
            assert last
        else:
            assert not line or line.startswith("#")
    assert requests == 11
