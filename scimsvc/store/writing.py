"""How write transactions follow one another on SQLite, where there can be only one at a time."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import peewee

from scimsvc.store.errors import DatabaseUnavailable, Translation

_MAX_GROUP = 64


class _Task:
    """A unit of work that waits for its turn, and what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit:
    """Commits what several threads want to write in one transaction: each of them waits for the disk, but only once.

    The thread that gets the lock does the work of all that wait, each inside a savepoint. Work that fails leaves no
    trace, and the rest stays. No call returns before the commit; if the commit fails, all fail.
    """

    def __init__(self, database: peewee.Database, lock_path: str) -> None:
        self._database = database
        self._errors = Translation()
        self._waiting: deque[_Task] = deque()
        self._leading = threading.Lock()
        self._file_lock = _FileLock(lock_path)

    @property
    def queued(self) -> int:
        """How many callers wait for their turn."""
        return len(self._waiting)

    def run(self, work: Callable[[], Any]) -> Any:
        """What `work` returns, once it is committed. Raises what it raises, and what Translation does."""
        task = _Task(work)
        self._waiting.append(task)
        with self._leading:
            while not task.done:
                self._lead()
        return task.outcome()

    def _lead(self) -> None:
        group: list[_Task] = []
        try:
            with self._errors, self._file_lock:
                cursor = self._database.cursor()
                cursor.execute("BEGIN IMMEDIATE")
                try:
                    while self._waiting and len(group) < _MAX_GROUP:
                        group.append(self._waiting.popleft())
                        self._attempt(group[-1], cursor)
                    cursor.execute("COMMIT")
                except BaseException:
                    self._roll_back(cursor)
                    raise
        except BaseException as error:
            # The next thread to lead would meet the same, so none is left waiting.
            group += [self._waiting.popleft() for _ in range(len(self._waiting))]
            for task in group:
                task.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            for task in group:
                task.done = True

    def _attempt(self, task: _Task, cursor: Any) -> None:
        cursor.execute("SAVEPOINT task")
        try:
            with self._errors:
                task.result = task.work()
        except DatabaseUnavailable:
            # SQLite may have ended the whole transaction, so there is nothing to go on with.
            raise
        except Exception as error:
            task.error = error
            cursor.execute("ROLLBACK TO task")
        cursor.execute("RELEASE task")

    def _roll_back(self, cursor: Any) -> None:
        """Undo what was done; a connection that can't even do that is given up, which undoes it too."""
        try:
            cursor.execute("ROLLBACK")
        except sqlite3.Error:
            self._database.close()


class _FileLock:
    """One writer at a time over processes, in the order of arrival.

    SQLite alone would have writers poll with growing pauses, which costs half of the throughput under load.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread_lock = threading.Lock()
        self._descriptor: tuple[int, int] | None = None

    def __enter__(self) -> None:
        self._thread_lock.acquire()
        try:
            fcntl.flock(self._file(), fcntl.LOCK_EX)
        except BaseException:
            self._thread_lock.release()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            fcntl.flock(self._file(), fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()

    def _file(self) -> int:
        # A descriptor that came over a fork would share its lock with the parent process.
        if self._descriptor is None or self._descriptor[0] != os.getpid():
            try:
                self._descriptor = os.getpid(), os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise peewee.OperationalError(str(error)) from error
        return self._descriptor[1]
