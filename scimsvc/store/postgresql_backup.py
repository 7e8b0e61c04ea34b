"""Back up and restore a PostgreSQL database by its own programs pg_dump and pg_restore.

A restore goes into an empty database as one transaction, so it happens as a whole or not at all, whatever is killed meanwhile.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scimsvc.store.backup import BackupError, Report, new_file, require_backup_of
from scimsvc.store.migrations import refuse_unknown

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/opt/local/lib/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
"""Where packages put the programs of each version: Debian, Red Hat, from source, Homebrew, MacPorts, Postgres.app."""
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_TABLE = re.compile(r"^\d+; .* TABLE \S+ migration ", re.MULTILINE)
_MIGRATIONS = re.compile(r"^COPY \S*\.migration \(([^)]*)\) FROM stdin;\n(.*?)^\\\.$", re.MULTILINE | re.DOTALL)
_LOOK_EVERY = 1.0
"""Seconds between two reports."""
_COUNT_TABLES = """SELECT COUNT(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
    AND relkind IN ('r', 'p', 'v', 'm')"""


def backup(url: str, file: Path, report: Report) -> None:
    """Write the database as it is at this moment to a new file, and read that one through. Raises BackupError."""
    server = _server_version(url)
    dump, reader = _program("pg_dump", server), _program("pg_restore", server)
    with new_file(file) as partial:
        arguments = ["--format=custom", "--no-owner", "--no-privileges", f"--file={partial}"]
        _run(dump, arguments, url, lambda: report(partial.stat().st_size, None))
        _check(reader, partial, file)


def check(url: str, file: Path) -> None:
    """Raise BackupError if a file is no whole backup, or WrongDatabase if it is of a newer version."""
    require_backup_of("postgresql", file)
    _check(_program("pg_restore", _server_version(url)), file, file)


def restore(file: Path, url: str, report: Report) -> None:
    """Restore a backup into an empty database. Raises BackupError, WrongDatabase."""
    check(url, file)
    with _connection(url) as connection:
        tables = connection.execute(_COUNT_TABLES).fetchone()
        name = connection.info.dbname
    if tables and tables[0]:
        raise BackupError(
            f"the database {name!r} has {tables[0]} tables; a backup is restored into an empty database alone: make one"
        )
    seconds = iter(range(1, 10**9))
    arguments = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run(_program("pg_restore", _server_version(url)), arguments, url, lambda: report(next(seconds), None), str(file.absolute()))


def _check(reader: str, file: Path, name: Path) -> None:
    """Read all of a backup. Raises BackupError, WrongDatabase."""
    if not _TABLE.search(_output(reader, "--list", str(file))):
        raise BackupError(f"{name.absolute()} is no backup of a database of scimsvc: it has no table of migrations")
    _output(reader, f"--file={os.devnull}", str(file))
    refuse_unknown(_migrations_in(_output(reader, "--data-only", "--table=migration", "--file=-", str(file))))


def _migrations_in(script: str) -> dict[str, bool]:
    """Return the migrations in the SQL that pg_restore makes of the table, and whether each is marked compatible."""
    match = _MIGRATIONS.search(script)
    columns = [column.strip() for column in match[1].split(",")] if match else []
    rows = [dict(zip(columns, line.split("\t"), strict=True)) for line in match[2].splitlines()] if match else []
    return {row["name"]: row.get("compatible") == "1" for row in rows}


def _connection(url: str) -> psycopg.Connection[tuple[int]]:
    try:
        return psycopg.connect(url.replace("postgres://", "postgresql://", 1), connect_timeout=5, autocommit=True)
    except psycopg.Error as error:
        raise BackupError(f"the database can't be reached: {_without_secrets(str(error), url)}") from error


def _server_version(url: str) -> int:
    with _connection(url) as connection:
        return connection.info.server_version // 10000


def _program(name: str, server: int) -> str:
    """Return the path of a program of the server's version, or else of the next newer one there is. Raises BackupError."""
    versions: dict[int, str] = {}
    for folder in _folders():
        path = os.path.join(folder, name)
        version = _version_of(path) if os.access(path, os.X_OK) else None
        if version is not None:
            versions.setdefault(version, path)
    fitting = [version for version in versions if version >= server]
    if not fitting:
        there = ", ".join(f"{path} {version}" for version, path in sorted(versions.items())) or "none"
        raise BackupError(
            f"{name} of PostgreSQL {server} is needed, the server's version; found: {there}. Install the client programs "
            f"(Debian: postgresql-client-{server}) and put them on PATH"
        )
    return versions[min(fitting)]


def _folders() -> Iterator[str]:
    yield from filter(None, os.environ.get("PATH", "").split(os.pathsep))
    for pattern in _PLACES:
        yield from sorted(glob(pattern))


def _version_of(path: str) -> int | None:
    try:
        # S603: a program of PostgreSQL's, without a shell.
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(shown)
    return int(match[1]) if match else None


def _settings(url: str) -> tuple[str, dict[str, str]]:
    """Return the connection string without its password, and an environment that has it: all users can see a command line."""
    parts: dict[str, Any] = dict(conninfo_to_dict(url.replace("postgres://", "postgresql://", 1)))
    password = parts.pop("password", None)
    if "sslpassword" in parts:
        raise BackupError(
            "the database URL has sslpassword, which pg_dump takes on its command line alone; use a key without one"
        )
    secret = {"PGPASSWORD": str(password)} if password else {}
    return make_conninfo("", **parts), {**os.environ, **secret}


def _run(program: str, arguments: list[str], url: str, report: Callable[[], None], *files: str) -> None:
    conninfo, environment = _settings(url)
    command = [program, "--no-password", f"--dbname={conninfo}", *arguments, *files]
    _finish(command, environment, report, url)


def _output(program: str, *arguments: str) -> str:
    return _finish([program, *arguments], os.environ, lambda: None, "")


def _finish(command: list[str], environment: Mapping[str, str], report: Callable[[], None], url: str) -> str:
    """Run a program to its end; return its output. Raises BackupError with what it says."""
    process = subprocess.Popen(  # noqa: S603 - a program of PostgreSQL's, without a shell
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        while True:
            try:
                output, messages = process.communicate(timeout=_LOOK_EVERY)
                break
            except subprocess.TimeoutExpired:
                report()
    except BaseException:
        process.terminate()
        process.communicate()
        raise
    if process.returncode:
        said = " ".join(messages.split("\n")[:3]).strip() or f"exit status {process.returncode}"
        raise BackupError(f"{command[0]} failed: {_without_secrets(said, url)}")
    return output


def _without_secrets(message: str, url: str) -> str:
    try:
        password = conninfo_to_dict(url.replace("postgres://", "postgresql://", 1)).get("password")
    except psycopg.Error:
        password = None
    line = " ".join(message.split())
    return line.replace(str(password), "***") if password else line
