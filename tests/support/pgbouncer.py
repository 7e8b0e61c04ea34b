"""A real pgbouncer in transaction mode, between the service and PostgreSQL."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest

PATH = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
PORT = 6432
"""Part of the name of its socket, which is in a folder of its own."""

MAX_CLIENTS = 50


def require_pgbouncer() -> None:
    """Skip the test if there is no pgbouncer on this machine; fail it if REQUIRE_PGBOUNCER is set, as .ci/run does."""
    if not PATH:
        message = "pgbouncer is not installed (Debian: apt-get install pgbouncer)"
        if os.environ.get("REQUIRE_PGBOUNCER"):
            pytest.fail(message)
        pytest.skip(message)


class PgBouncer:
    """A pooler with few connections; `url` is that of the database behind it."""

    def __init__(self, database_url: str, folder: Path, system_user: str | None) -> None:
        assert PATH
        behind = urlsplit(database_url)
        socket_folder = parse_qs(behind.query)["host"][0]
        name = behind.path[1:]
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"""[databases]
{name} = host={socket_folder} dbname={name} user={behind.username}
[pgbouncer]
listen_addr =
listen_port = {PORT}
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = {MAX_CLIENTS}
logfile = {folder}/pgbouncer.log
"""
        )
        if system_user:
            # It refuses to run as root.
            shutil.chown(folder, system_user)
            folder.chmod(0o755)
        self._process = subprocess.Popen(
            [PATH, str(settings)], user=system_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.url = f"postgresql://{behind.username}@/{name}?host={quote(str(folder), safe='/')}&port={PORT}"
        self._wait(folder)

    def _wait(self, folder: Path) -> None:
        """Connect until it answers."""
        for _ in range(600):
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                try:
                    self._process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                break
        self.stop()
        raise RuntimeError(f"pgbouncer did not start:\n{(folder / 'pgbouncer.log').read_text()}")

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
