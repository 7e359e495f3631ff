"""Simulated processes that are killed between any two steps of I/O, and disks that survive them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process is no more. Not an `Exception`: nothing handles its own death."""


class Process:
    """One life of a validator, relayer or user.

    Every step of I/O passes `step`, before its effect and after it. `fuse` is the number of steps
    until the process dies; None lets it live.
    """

    def __init__(self, name: str, fuse: int | None = None) -> None:
        self.name = name
        self.fuse = fuse
        self.alive = True

    def step(self) -> None:
        """Count one step; raises `Killed` at the last one and ever after."""
        if self.alive and self.fuse is not None:
            self.fuse -= 1
            self.alive = self.fuse > 0
        if not self.alive:
            raise Killed(self.name)


class Disk:
    """What can go wrong when a process writes: `full` fails every statement that would write."""

    def __init__(self) -> None:
        self.full = False


class Database:
    """A sqlite connection on a `Disk`, for the production stores.

    A statement is a step of I/O before and after. A dead process neither commits nor rolls back:
    what it had not committed is gone, as sqlite's journal has it after a real kill.
    """

    def __init__(self, connection: sqlite3.Connection, process: Process, disk: Disk) -> None:
        self._connection = connection
        self._process = process
        self._disk = disk
        self._open = True

    @property
    def in_transaction(self) -> bool:
        """Whether there is something to undo; the dead undo nothing."""
        return self._open and self._connection.in_transaction

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        return self._do(self._connection.execute, statement, *parameters)

    def executemany(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        return self._do(self._connection.executemany, statement, *parameters)

    def _do(
        self, run: Callable[..., sqlite3.Cursor], statement: str, *parameters: Any
    ) -> sqlite3.Cursor:
        try:
            self._process.step()
            if self._disk.full and statement.startswith(("INSERT", "UPDATE", "DELETE", "COMMIT")):
                if statement == "COMMIT":
                    self._connection.execute("ROLLBACK")  # as sqlite does by itself
                raise sqlite3.OperationalError("database or disk is full")
            result = run(statement, *parameters)
            self._process.step()
        except Killed:
            self.close()
            raise
        return result

    def close(self) -> None:
        """Give the file up, as the system does for the dead: what was not committed is gone."""
        if self._open:
            self._open = False
            if self._connection.in_transaction:
                # A cursor that somebody still holds would keep the file locked.
                self._connection.execute("ROLLBACK")
            self._connection.close()
