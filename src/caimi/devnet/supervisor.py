"""Starts the programs of a local network, and starts again what ends: a process of its own.

What it is to run it reads from its standard input. SIGTERM: end everything. SIGHUP: forget what has
ended so far, and start what was given up.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from caimi.devnet import processes
from caimi.devnet.locking import locked
from caimi.devnet.processes import Process
from caimi.devnet.programs import SUPERVISOR, Program
from caimi.errors.base import CaimiError
from caimi.json_text import read_json

LOOK_SECONDS: Final = 0.2
READY_SECONDS: Final = 60.0
WINDOW_SECONDS: Final = 60.0
ENDS: Final = 5
"""A program that ends more often within the window is given up."""
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 8.0
_CONNECT_SECONDS: Final = 0.2

Clock = Callable[[], float]


class Comebacks:
    """Says when a program that ended is started again: at once, then later and later, then never.

    `clock` gives seconds that only grow.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=ENDS + 1)
        self._not_before = 0.0

    def ended(self) -> None:
        """Take note of an end."""
        now = self._clock()
        self._ends.append(now)
        recent = self._recent(now)
        delay = min(_FIRST_DELAY * 2 ** (recent - 2), _LONGEST_DELAY) if recent > 1 else 0.0
        self._not_before = now + delay

    @property
    def given_up(self) -> bool:
        """Whether it has ended too often within the window; that stays so."""
        return len(self._ends) > ENDS and self._ends[-1] - self._ends[0] <= WINDOW_SECONDS

    @property
    def due(self) -> bool:
        """Whether it may be started now."""
        return not self.given_up and self._clock() >= self._not_before

    def _recent(self, now: float) -> int:
        return sum(1 for at in self._ends if now - at <= WINDOW_SECONDS)


@dataclass(slots=True)
class Supervised:
    """A program and the process of it that was started last."""

    program: Program
    process: Process | None = None
    running: bool = False
    answers: bool = False
    since: float = 0.0
    comebacks: Comebacks = field(default_factory=Comebacks)

    @property
    def settled(self) -> bool:
        """Whether nobody needs to wait for it any longer."""
        if self.comebacks.given_up:
            return True
        return self.running and (self.answers or time.monotonic() - self.since > READY_SECONDS)


class Supervisor:
    """Runs programs whose files are in `folder`; what runs is written to `listed`."""

    def __init__(
        self, folder: Path, listed: Path, programs: Sequence[Program], passphrase: bytes
    ) -> None:
        self._folder = folder
        self._listed = listed
        self._passphrase = passphrase
        self._own = processes.this_process(SUPERVISOR, folder)
        self._all = [Supervised(program) for program in programs]
        self._ending = False
        self._anew = False

    def run(self) -> None:
        """Look after them until SIGTERM, then end them all."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_signal)
        self._adopt()
        while not self._ending:
            self.look()
            time.sleep(LOOK_SECONDS)
        living = [each.process for each in reversed(self._all) if each.process is not None]
        processes.stop(living)
        processes.sweep(self._folder, [self._own])

    def look(self) -> None:
        """See what has ended and what answers, and start what is to be started."""
        if self._anew:
            self._anew = False
            for each in self._all:
                each.comebacks = Comebacks()
        before = self._told()
        for each in self._all:
            self._look_at(each)
        if self._told() != before:
            self._save()

    def _adopt(self) -> None:
        """Take over what an earlier supervisor, or `up`, has started, and end what nobody lists."""
        known = {process.name: process for process in processes.load(self._listed)}
        for each in self._all:
            each.process = known.get(each.program.name)
            each.running = each.answers = each.process is not None and each.process.alive
        processes.sweep(self._folder, [self._own, *self._living()])
        self._save()

    def _look_at(self, each: Supervised) -> None:
        process = each.process
        if each.running and process is not None:
            if process.alive:
                each.answers = each.answers or _answers(each.program.url)
                return
            code = processes.reap([process]).get(process.pid)
            each.running = each.answers = False
            each.comebacks.ended()
            each.process = replace(process, said=_said(code, given_up=each.comebacks.given_up))
            print(f"{process.name} {each.process.said}", flush=True)
        if each.comebacks.due and self._may_start(each):
            self._start(each)

    def _may_start(self, each: Supervised) -> bool:
        """Whether all that it needs at the start answers; once started, it bears their absence."""
        if each.process is not None:
            return True
        return all(other.settled for other in self._all if other.program.stage < each.program.stage)

    def _start(self, each: Supervised) -> None:
        before, program = each.process, each.program
        processes.sweep(self._folder, [self._own, *self._living()])  # its own children, too
        try:
            each.process = replace(
                processes.start(
                    program.name,
                    program.command,
                    self._folder,
                    url=program.url,
                    secret=self._passphrase if program.secret else None,
                ),
                restarts=0 if before is None else before.restarts + 1,
            )
        except CaimiError as error:
            each.comebacks.ended()
            print(error, flush=True)
            return
        each.running, each.answers, each.since = True, False, time.monotonic()
        self._save()

    def _living(self) -> list[Process]:
        return [each.process for each in self._all if each.running and each.process is not None]

    def _told(self) -> list[Process]:
        return [self._own, *(each.process for each in self._all if each.process is not None)]

    def _save(self) -> None:
        processes.save(self._listed, self._told())

    def _on_signal(self, number: int, _: object) -> None:
        if number == signal.SIGTERM:
            self._ending = True
        else:
            self._anew = True


def orders(programs: Sequence[Program], passphrase: bytes) -> bytes:
    """Give what a supervisor reads from its standard input, as one line."""
    listed = [asdict(program) for program in programs]
    return json.dumps({"programs": listed, "passphrase": passphrase.decode()}).encode()


def main() -> int:
    """Run as a program: ``python -m caimi.devnet.supervisor FOLDER LISTED``."""
    folder, listed = map(Path, sys.argv[1:])
    told = read_json(sys.stdin.buffer.readline())
    programs = [Program(**{**each, "command": tuple(each["command"])}) for each in told["programs"]]
    try:
        with locked(folder / "supervisor.lock", "supervisor"):
            Supervisor(folder, listed, programs, told["passphrase"].encode()).run()
    except CaimiError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _answers(url: str | None) -> bool:
    if url is None:
        return True
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), _CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _said(code: int | None, *, given_up: bool) -> str:
    if code is None:
        how = "ended"
    elif code < 0:
        how = f"was killed by signal {-code}"
    else:
        how = f"ended with status {code}"
    return f"{how}, and {ENDS} times before: it is not started again" if given_up else how


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
