"""A real nginx with the configuration that scimsvc ships, on ports that the system chooses."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.server import ROOT

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_ports(number: int) -> list[int]:
    """Ports that were free a moment ago."""
    with_sockets = [socket.socket() for _ in range(number)]
    for made in with_sockets:
        made.bind(("127.0.0.1", 0))
    ports = [made.getsockname()[1] for made in with_sockets]
    for made in with_sockets:
        made.close()
    return ports


def command(folder: Path, replaced: dict[str, str]) -> list[str]:
    """Return how to start nginx in a folder, with the shipped configuration and some of its texts replaced."""
    assert PROGRAM
    text = CONFIGURATION.read_text()
    for shipped, own in replaced.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, own)
    (folder / "site.conf").write_text(text)
    temporary = " ".join(
        f"{module}_temp_path {folder / module};" for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # A user of its own could not write into a folder of the tests.
    user = "user root; " if os.getuid() == 0 else ""
    main = f"{user}daemon off; worker_processes 1; pid {folder / 'nginx.pid'}; error_log {folder / 'nginx.log'} warn;\n"
    main += f"events {{}}\nhttp {{ access_log off; {temporary} include {folder / 'site.conf'}; }}\n"
    (folder / "nginx.conf").write_text(main)
    return [PROGRAM, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]


class Nginx:
    """A running nginx before instances on two ports. Only addresses of the shipped configuration are replaced."""

    def __init__(self, folder: Path, instances: list[int], port: int) -> None:
        self.folder = folder
        self.port = port
        self.log = folder / "nginx.log"
        replaced = {"listen 80;": f"listen 127.0.0.1:{port};"}
        replaced |= {f"127.0.0.1:{shipped}": f"127.0.0.1:{own}" for shipped, own in zip((8001, 8002), instances, strict=True)}
        self.process = subprocess.Popen(command(folder, replaced), start_new_session=True)
        self._wait()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _wait(self) -> None:
        while True:
            assert self.process.poll() is None, self.log.read_text()
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), timeout=30):
                return

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
