"""Processes that outlive the terminal, and that are ended only when they are surely ours.

A process is known by its id, its start time and the boot that these are of, so that an id used
again by somebody else is left alone. What processes of ours have started is known by a mark that
they inherit.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from caimi.errors.node import ProcessFailed, ProcessListDamaged
from caimi.json_text import read_json
from caimi.places import write_result

STOP_SECONDS = 10.0
LOG_TAIL_BYTES = 2000
LOG_BYTES: Final = 16 << 20
"""A log that is larger when its process starts is put aside; the one before that goes."""
MARK: Final = "CAIMI_DEVNET"
"""A variable of all our processes: the folder of their network."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Kept until `reap`: what is dropped before, `subprocess` waits for at some later start."""


@dataclass(frozen=True, slots=True)
class Process:
    """One started process. `started` is the kernel's start time in clock ticks since boot `boot`.

    `restarts` tells how often it was started again after it had ended by itself, and `said` what
    its supervisor has to say of it.
    """

    name: str
    pid: int
    started: int
    boot: str
    log: str
    url: str | None = None
    restarts: int = 0
    said: str = ""

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot == _boot() and _start_time(self.pid) == self.started

    @property
    def seconds(self) -> float:
        """How long it has run, if it runs."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        return max(0.0, now - self.started / os.sysconf("SC_CLK_TCK"))

    def log_tail(self) -> str:
        """Give the end of its log."""
        with contextlib.suppress(OSError), Path(self.log).open("rb") as handle:
            handle.seek(max(0, Path(self.log).stat().st_size - LOG_TAIL_BYTES))
            return handle.read().decode("utf-8", "replace")
        return ""


def this_process(name: str, folder: Path) -> Process:
    """Give the process that asks."""
    return _known(name, os.getpid(), _log_of(name, folder))


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
    log = _log_of(name, folder)
    try:
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                list(command),
                stdin=subprocess.PIPE if secret is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=folder,
                env={**os.environ, MARK: str(folder)},
            )
    except OSError as error:
        raise ProcessFailed(f"{name} cannot be started: {error}.") from error
    if secret is not None and child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(secret + b"\n")
            child.stdin.close()
    _children[child.pid] = child
    return _known(name, child.pid, log, url)


def stop(processes: Sequence[Process]) -> None:
    """End these processes, politely first; those that are no longer ours are left alone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            send(process, number)
        deadline = time.monotonic() + STOP_SECONDS
        while any(process.alive for process in processes) and time.monotonic() < deadline:
            reap(processes)
            time.sleep(0.05)


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal, if it still runs."""
    if process.alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def sweep(folder: Path, spared: Sequence[Process] = ()) -> list[int]:
    """Kill what processes of a network have left behind: all that has its mark.

    Those in `spared`, and what is in their sessions, are not touched. Gives who was killed.
    """
    kept = {process.pid for process in spared if process.alive} | {os.getpid()}
    left = [pid for pid, session in _marked(folder) if session not in kept and pid not in kept]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_start_time(pid) is not None for pid in left) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def reap(processes: Sequence[Process]) -> dict[int, int]:
    """Let the system forget those of our own children that have ended; gives their exit codes."""
    ended = {}
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            if pid:
                _children.pop(pid, None)
                ended[pid] = os.waitstatus_to_exitcode(status)
    return ended


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
            "restarts": int(restarts),
            "said": str(said),
            **further,
        } if pid > 1:  # 0 and below stand for whole groups of processes
            boot = further.get("boot", "")  # older lists do not tell of it: they are of another
            if isinstance(boot, str):
                return Process(name, pid, started, boot, log, url, restarts, said)
    raise ProcessListDamaged(f"{file} lists something that is no process: {entry!r:.80}.")


def _known(name: str, pid: int, log: Path, url: str | None = None) -> Process:
    return Process(name, pid, _start_time(pid) or 0, _boot(), str(log), url)


@functools.cache
def _boot() -> str:
    """Give the kernel's name for this boot; where it has none, all boots are one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "unnamed"


def _log_of(name: str, folder: Path) -> Path:
    return folder / f"{name}.log"


def _marked(folder: Path) -> Iterator[tuple[int, int]]:
    """Give the ids of the living processes with a network's mark, and their sessions'."""
    mark = f"{MARK}={folder}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                fields = _status(int(entry.name))
                if fields and fields[0] != "Z":
                    yield int(entry.name), int(fields[3])


def _start_time(pid: int) -> int | None:
    fields = _status(pid)
    return None if not fields or fields[0] == "Z" else int(fields[19])


def _status(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return []
    return text.rpartition(b")")[2].decode().split()
