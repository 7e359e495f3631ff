"""One of Fabric's programs as a process that ends with this one, however this one ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.errors.fabric import FabricNodeFailed

_STOP_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.02
_TAIL_BYTES: Final = 2_000
_LOG_BYTES: Final = 16 << 20
_DIE_WITH_PARENT: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Has the kernel kill what it becomes when the process that started it ends (Linux)."""


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """What is run: its output goes to `log`."""

    name: str
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path


class NodeProcess:
    """A running program."""

    def __init__(self, command: NodeCommand, process: asyncio.subprocess.Process) -> None:
        self.command = command
        self._process = process
        self._told_to_end = False

    @classmethod
    async def start(cls, command: NodeCommand) -> NodeProcess:
        """Start it.

        Raises:
            FabricNodeFailed: the system does not.
        """
        log = command.log
        try:
            if log.exists() and log.stat().st_size > _LOG_BYTES:
                log.replace(log.with_suffix(".log.1"))
            with log.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    *_tied(command.arguments),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=command.folder,
                    env={"PATH": os.environ.get("PATH", os.defpath), **command.environment},
                    start_new_session=True,  # an interrupt at the terminal is this program's
                )
        except OSError as error:
            raise FabricNodeFailed(f"{command.name} cannot be started: {error}.") from error
        return cls(command, process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    @property
    def failed(self) -> bool:
        """Whether it ended though nobody told it to."""
        return not self.running and not self._told_to_end

    async def listening(self, *ports: int, seconds: float) -> None:
        """Wait until it listens on ports of loopback.

        Raises:
            FabricNodeFailed: it ended, or does not in time.
        """
        try:
            async with asyncio.timeout(seconds):
                for port in ports:
                    while not await _answers(port):
                        self.check()
                        await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise FabricNodeFailed(
                f"{self.command.name} did not listen within {seconds:g} s: {self._tail()}"
            ) from None

    def check(self) -> None:
        """See that it runs.

        Raises:
            FabricNodeFailed: it has ended.
        """
        if not self.running:
            ended = self._process.returncode
            raise FabricNodeFailed(f"{self.command.name} ended with {ended}: {self._tail()}")

    async def stop(self) -> None:
        """End it, politely first."""
        self._told_to_end = True
        if not self.running:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at whatever instruction it is."""
        self._told_to_end = True
        if self.running:
            self._process.kill()
            await self._process.wait()

    def pause(self) -> None:
        """Let it stand still: it holds its connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after `pause`."""
        self._process.send_signal(signal.SIGCONT)

    def _tail(self) -> str:
        try:
            with self.command.log.open("rb") as log:
                log.seek(max(0, self.command.log.stat().st_size - _TAIL_BYTES))
                return log.read().decode(errors="replace").strip()
        except OSError:
            return "its log cannot be read."


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _tied(arguments: Sequence[str]) -> Sequence[str]:
    """Give the command line of a program that does not outlive this process, where that can be."""
    if sys.platform != "linux":
        return arguments
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *arguments]
