"""scimsvc under real gunicorn, on a port that the system chooses."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.tenants import SCIM, Scope
from tests.support.client import Client

ROOT = Path(__file__).resolve().parents[2]
BASE_PATH = "/api/scim/v2"


class Server:
    """A running gunicorn; `client` makes a tenant and answers a client for it."""

    def __init__(self, database_url: str, directory: Path, **settings: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SCIMSVC_", "PROMETHEUS_"))}
        environment |= {
            "SCIMSVC_DATABASE_URL": database_url,
            "SCIMSVC_CONFIG": str(ROOT / "config.yaml"),
            "SCIMSVC_MAPPINGS_DIRECTORY": str(ROOT / "mappings"),
            "HOST": "127.0.0.1",
            "PORT": "0",
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.environment = environment
        self.database = Database(database_url)
        self.log_path = directory / "gunicorn.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "wsgi:app"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        self.messages: list[str] = []
        self._ready = threading.Event()
        self._port = 0
        threading.Thread(target=self._read_messages, daemon=True).start()
        if not self._ready.wait(30) or not self._port:
            self.stop()
            raise RuntimeError("gunicorn did not start:\n" + "".join(self.messages))

    def _read_messages(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.messages.append(line)
            listening = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line)
            if listening:
                self._port = int(listening[1])
                self._ready.set()
        self._ready.set()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def tenant_url(self) -> str:
        return self.origin + BASE_PATH

    def client(self, tenant: str, profile: str = "entra") -> Client:
        return Client(self.tenant_url, new_token(self.database, tenant, profile))

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            status = self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        if self.process.stderr:
            self.process.stderr.close()
        self.database.close()
        return status


def new_token(database: Database, tenant: str, profile: str = "entra", scope: Scope = SCIM) -> str:
    """A token of a tenant that is made where it is not there yet."""
    record = tenants.find_tenant(database, tenant) or tenants.create_tenant(database, tenant, profile)
    return tenants.create_token(database, record, "test", None, scope)
