"""What ends is started again by a process of its own, within bounds; what runs is taken over."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from caimi.devnet import processes
from caimi.devnet.processes import Process
from caimi.devnet.programs import SUPERVISOR, Program
from caimi.devnet.supervisor import ENDS, WINDOW_SECONDS, Comebacks, orders
from caimi.loopback import free_port

SLEEP = "import time; time.sleep(300)"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{SLEEP}', 'the-child'])"


def python(name: str, code: str, stage: int = 0, url: str | None = None) -> Program:
    return Program(name, (sys.executable, "-S", "-c", code), stage, url)


class Net:
    """Supervisors of some programs, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed = folder / "processes.json"

    def supervise(self, programs: Sequence[Program], passphrase: bytes = b"secret") -> Process:
        command = [sys.executable, "-m", "caimi.devnet.supervisor", self.folder, self.listed]
        return processes.start(
            SUPERVISOR,
            list(map(str, command)),
            self.folder,
            secret=orders(programs, passphrase),
        )

    def find(self, name: str) -> Process | None:
        return next((each for each in processes.load(self.listed) if each.name == name), None)

    def until(self, name: str, wanted: Callable[[Process], bool]) -> Process:
        deadline = time.monotonic() + 15
        while not ((found := self.find(name)) and wanted(found)):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    net = Net(tmp_path)
    yield net
    supervisor = net.find(SUPERVISOR)
    if supervisor is not None:
        processes.stop([supervisor])
    processes.sweep(tmp_path)
    processes.reap(processes.load(net.listed))


def runs(process: Process) -> bool:
    return process.alive


def test_a_program_that_ended_comes_back_and_one_that_keeps_ending_is_given_up(net: Net) -> None:
    supervisor = net.supervise([python("good", SLEEP), python("bad", "raise SystemExit(3)")])
    first = net.until("good", runs)
    os.kill(first.pid, signal.SIGKILL)
    second = net.until("good", lambda each: each.restarts == 1 and each.alive)
    assert second.pid != first.pid
    given_up = net.until("bad", lambda each: "not started again" in each.said)
    assert given_up.said.startswith("ended with status 3")
    assert given_up.restarts == ENDS
    assert "good was killed by signal 9" in supervisor.log_tail()
    os.kill(supervisor.pid, signal.SIGHUP)
    net.until("bad", lambda each: each.restarts > ENDS)
    processes.stop([supervisor])
    assert not second.alive


def test_a_supervisor_takes_over_what_runs_and_is_alone(net: Net) -> None:
    programs = [python("kept", SLEEP), python("lost", SLEEP)]
    first = net.supervise(programs)
    kept, lost = net.until("kept", runs), net.until("lost", runs)
    second = net.supervise(programs)
    while second.alive:
        processes.reap([second])
        time.sleep(0.02)
    assert "CAIMI-N035" in second.log_tail()
    for each in (first, lost):
        os.kill(each.pid, signal.SIGKILL)
    while first.alive or lost.alive:
        processes.reap([first])
        time.sleep(0.02)
    third = net.supervise(programs)
    net.until(SUPERVISOR, lambda each: each.pid == third.pid)
    assert net.until("lost", runs).pid != lost.pid
    assert net.until("kept", runs).pid == kept.pid


def test_of_programs_that_are_killed_together_each_end_is_told(net: Net) -> None:
    names = ("one", "two", "three")
    supervisor = net.supervise([python(name, SLEEP) for name in names])
    for each in [net.until(name, runs) for name in names]:
        os.kill(each.pid, signal.SIGKILL)
    for name in names:
        net.until(name, lambda each: each.restarts == 1)
        assert f"{name} was killed by signal 9" in supervisor.log_tail()


def test_what_a_killed_program_had_started_is_ended_before_it_comes_back(net: Net) -> None:
    net.supervise([python("parent", CHILD), python("other", CHILD)])
    parent, other = net.until("parent", runs), net.until("other", runs)
    while len(children(net.folder)) < 2:
        time.sleep(0.02)
    spared = next(pid for pid, session in children(net.folder).items() if session == other.pid)
    os.kill(parent.pid, signal.SIGKILL)
    again = net.until("parent", lambda each: each.pid != parent.pid and each.alive)
    while again.pid not in children(net.folder).values():
        time.sleep(0.02)
    assert set(children(net.folder).values()) == {again.pid, other.pid}
    assert spared in children(net.folder)


def children(folder: Path) -> dict[int, int]:
    """Give the living processes that programs of a network have started, and their sessions."""
    return {pid: session for pid, session in processes._marked(folder) if pid != session}


def test_a_program_waits_for_what_it_needs_and_has_the_passphrase(net: Net) -> None:
    port = free_port()
    serve = (
        f"import socket, time; time.sleep(1); s = socket.create_server(('127.0.0.1', {port})); "
        "time.sleep(300)"
    )
    needing = (
        f"import socket, sys, time; socket.create_connection(('127.0.0.1', {port})); "
        "print(sys.stdin.readline().strip(), flush=True); time.sleep(300)"
    )
    later = Program("later", (sys.executable, "-S", "-c", needing), 1, secret=True)
    net.supervise([later, python("first", serve, url=f"http://127.0.0.1:{port}")], b"hush")
    found = net.until("later", lambda each: each.alive and each.log_tail() != "")
    assert (found.restarts, found.log_tail().strip()) == (0, "hush")
    assert b"hush" not in Path(f"/proc/{found.pid}/cmdline").read_bytes()


def test_a_list_that_tells_of_somebody_else_s_process_harms_nobody(net: Net) -> None:
    stranger = processes.start("x", [sys.executable, "-c", SLEEP], net.folder.parent)
    processes.save(net.listed, [replace(stranger, started=stranger.started - 1)])
    supervisor = net.supervise([python("x", SLEEP)])
    assert net.until("x", lambda each: each.alive).pid != stranger.pid
    processes.stop([supervisor])
    assert stranger.alive
    processes.stop([stranger])


class Clock:
    """Seconds that a test lets pass."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_delays_grow_until_a_program_is_given_up() -> None:
    clock = Clock()
    comebacks, delays = Comebacks(clock), []
    for _ in range(ENDS):
        comebacks.ended()
        began = clock.now
        while not comebacks.due:
            clock.now += 0.5
        delays.append(clock.now - began)
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0]
    comebacks.ended()
    clock.now += 10 * WINDOW_SECONDS
    assert comebacks.given_up
    assert not comebacks.due


def test_a_program_that_ends_now_and_then_always_comes_back() -> None:
    clock = Clock()
    comebacks = Comebacks(clock)
    for _ in range(10 * ENDS):
        comebacks.ended()
        clock.now += WINDOW_SECONDS / ENDS + 1
        assert comebacks.due
