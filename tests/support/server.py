"""scimsvc under real gunicorn, on a port that the system chooses."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.tenants import SCIM, Scope
from tests.support.client import Client

ROOT = Path(__file__).resolve().parents[2]
BASE_PATH = "/api/scim/v2"


class Gunicorn:
    """A command that runs gunicorn in a folder, on a port of 127.0.0.1 that the system chooses, with these variables."""

    def __init__(self, command: Sequence[str], folder: Path, log_path: Path, variables: Mapping[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SCIMSVC_", "PROMETHEUS_"))}
        self.environment = clean | {"HOST": "127.0.0.1", "PORT": "0", "PYTHONUNBUFFERED": "1"} | dict(variables)
        self.log_path = log_path
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.messages: list[str] = []
        """Lines of standard error, and what gunicorn itself logs."""
        self.ports: list[int] = []
        """The ports that it listens at: the public one, and the one for operators if there is one."""
        self._ready = threading.Event()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_log, self._read_messages)]
        for reader in self._readers:
            reader.start()
        if not self._ready.wait(30) or not self.ports:
            self.stop()
            raise RuntimeError("gunicorn did not start:\n" + "".join(self.messages))

    def _read_log(self) -> None:
        assert self.process.stdout
        with self.log_path.open("w") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                if '"logger":"gunicorn"' in line:
                    self.messages.append(line)
                    if "Listening at: " in line and not self.ports:
                        self.ports = [int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", line)]
                        self._ready.set()
        self._ready.set()

    def _read_messages(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.messages.append(line)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def tenant_url(self) -> str:
        return self.origin + BASE_PATH

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something about the processes is so, half a minute at most."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)

    def kill(self) -> None:
        """Kill the master process and its workers, as the system does when memory is short."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            status = self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        for reader in self._readers:
            reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return status


class Server(Gunicorn):
    """gunicorn in the checkout; `client` makes a tenant and answers a client for it."""

    def __init__(self, database_url: str, directory: Path, **settings: str) -> None:
        self.database = Database(database_url)
        variables = {
            "SCIMSVC_DATABASE_URL": database_url,
            "SCIMSVC_CONFIG": str(ROOT / "config.yaml"),
            "SCIMSVC_MAPPINGS_DIRECTORY": str(ROOT / "mappings"),
            **settings,
        }
        super().__init__([sys.executable, "-m", "gunicorn", "wsgi:app"], ROOT, directory / "gunicorn.log", variables)

    def client(self, tenant: str, profile: str = "entra") -> Client:
        return Client(self.tenant_url, new_token(self.database, tenant, profile))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        status = super().stop(how)
        self.database.close()
        return status


def new_token(database: Database, tenant: str, profile: str = "entra", scope: Scope = SCIM) -> str:
    """A token of a tenant that is made where it is not there yet."""
    record = tenants.find_tenant(database, tenant) or tenants.create_tenant(database, tenant, profile)
    return tenants.create_token(database, record, "test", None, scope)
