"""Processes that outlive the terminal, and that are ended only when they are surely ours.

A process is known by its id and its start time, so that an id used again by somebody else is left
alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from caimi.errors.node import ProcessFailed, ProcessListDamaged
from caimi.json_text import read_json
from caimi.places import write_result

STOP_SECONDS = 10.0
LOG_TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Process:
    """One started process. `started` is the kernel's start time in clock ticks since boot."""

    name: str
    pid: int
    started: int
    log: str
    url: str | None = None

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _start_time(self.pid) == self.started

    def log_tail(self) -> str:
        """Give the end of its log."""
        with contextlib.suppress(OSError), Path(self.log).open("rb") as handle:
            handle.seek(max(0, Path(self.log).stat().st_size - LOG_TAIL_BYTES))
            return handle.read().decode("utf-8", "replace")
        return ""


def start(
    name: str,
    command: Sequence[str],
    folder: Path,
    *,
    url: str | None = None,
    secret: bytes | None = None,
) -> Process:
    """Start a process in its own session, logging to a file; `secret` goes to its standard input.

    Raises:
        ProcessFailed: it cannot be started.
    """
    log = folder / f"{name}.log"
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                list(command),
                stdin=subprocess.PIPE if secret is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=folder,
            )
    except OSError as error:
        raise ProcessFailed(f"{name} cannot be started: {error}.") from error
    if secret is not None and child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(secret + b"\n")
            child.stdin.close()
    return Process(name, child.pid, _start_time(child.pid) or 0, str(log), url)


def stop(processes: Sequence[Process]) -> None:
    """End these processes, politely first; those that are no longer ours are left alone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            if process.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while any(process.alive for process in processes) and time.monotonic() < deadline:
            _reap(processes)
            time.sleep(0.05)


def _reap(processes: Sequence[Process]) -> None:
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def save(file: Path, processes: Sequence[Process]) -> None:
    """Write the list down atomically."""
    write_result(file, json.dumps([asdict(process) for process in processes]).encode())


def load(file: Path) -> list[Process]:
    """Read the list; empty when there is none.

    Raises:
        ProcessListDamaged: it is not as `save` writes it, or cannot be read.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise ProcessListDamaged(f"{file} is not a plain file.")
        entries = read_json(file.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ProcessListDamaged(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ProcessListDamaged(f"{file} is no JSON: {error}.") from error
    if not isinstance(entries, list):
        raise ProcessListDamaged(f"{file} does not hold a list.")
    return [_process(file, entry) for entry in entries]


def _process(file: Path, entry: object) -> Process:
    match entry:
        case {
            "name": str(name),
            "pid": int(pid),
            "started": int(started),
            "log": str(log),
            "url": str() | None as url,
        } if pid > 1:  # 0 and below stand for whole groups of processes
            return Process(name, pid, started, log, url)
    raise ProcessListDamaged(f"{file} lists something that is no process: {entry!r:.80}.")


def _start_time(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
