"""The host's side: the nursery of this process, and one process with one model."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Final

from caimi.errors.inference import ProviderMissing, RunnerDied, RunTimedOut
from caimi.inference.confined import wire

_BOOT: Final = Path(__file__).with_name("boot.py")
_CAIMI: Final = _BOOT.parents[2]
_START_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 1.0
_KEPT: Final = (
    *("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"),
    *("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV"),
)
"""The variables of the environment that the children have, too."""

Program = Callable[[int], list[str]]


class Nursery:
    """A process of which others are forked; it ends when this object does.

    `program` gives its command, for the descriptor of its socket.
    """

    def __init__(self, program: Program) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own program
                program(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={
                    **{name: os.environ[name] for name in _KEPT if name in os.environ},
                    "ORT_DISABLE_TELEMETRY": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                },
            )
        self.pid: Final = process.pid
        self._of = os.getpid()
        self._control = ours
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, _bury, process, ours)
        ours.settimeout(_START_SECONDS)
        try:
            said = json.loads(ours.recv(wire.MAX_PACKET) or b"null")
        except OSError as error:
            raise RunnerDied("The process that others are forked of does not start.") from error
        if said is None:
            raise RunnerDied("The process that others are forked of ended before it began.")
        self.version: Final[str] = said[0]
        self.providers: Final[tuple[str, ...]] = tuple(said[1])

    @property
    def alive(self) -> bool:
        """Whether it can fork for this process; one that was forked of it needs another."""
        return self._of == os.getpid() and self.close.alive

    def fork(self) -> ConfinedProcess:
        """Give a fresh process.

        Raises:
            RunnerDied: there is no nursery any more.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end, status = os.pipe2(os.O_CLOEXEC)
        try:
            with self._lock:
                socket.send_fds(self._control, [wire.FORK], [theirs.fileno(), status])
                answer, handles, _, _ = socket.recv_fds(self._control, wire.MAX_PACKET, 1)
            if answer != wire.FORKED or len(handles) != 1:
                raise RunnerDied("The process that others are forked of is gone.")
        except (OSError, RunnerDied) as error:
            ours.close()
            os.close(end)
            self.close()
            if isinstance(error, RunnerDied):
                raise
            raise RunnerDied("The process that others are forked of is gone.") from error
        finally:
            theirs.close()
            os.close(status)
        return ConfinedProcess(ours, handles[0], end)


_nurseries: Final[dict[Program, Nursery]] = {}
_starting: Final = threading.Lock()


def onnx_runtime(descriptor: int) -> list[str]:
    """Give the command of the process that has ONNX Runtime."""
    sites = []
    for name in ("onnxruntime", "numpy"):
        found = find_spec(name)
        if found is None or found.origin is None:
            raise ProviderMissing(f"The package {name} is not installed.")
        sites.append(str(Path(found.origin).parents[1]))
    return [
        *(sys.executable, "-I", "-S", str(_BOOT), str(descriptor), str(_CAIMI)),
        *dict.fromkeys(sites),
    ]


def nursery(program: Program = onnx_runtime) -> Nursery:
    """Give this process' nursery of a program, started when it is first needed."""
    with _starting:
        known = _nurseries.get(program)
        if known is None or not known.alive:
            known = _nurseries[program] = Nursery(program)
        return known


def fork(program: Program = onnx_runtime) -> ConfinedProcess:
    """Give a fresh process, of another nursery where the one that was is gone."""
    try:
        return nursery(program).fork()
    except RunnerDied:
        return nursery(program).fork()


@dataclass(frozen=True, slots=True)
class Signature:
    """What a loaded model says of itself: the provider, and each tensor's name, type and sizes."""

    provider: str
    inputs: list[object]
    outputs: list[object]


class ConfinedProcess:
    """One process; it ends when this object does."""

    def __init__(self, channel: socket.socket, handle: int, end: int) -> None:
        self.channel: Final = channel
        self._handle = handle
        self._end = end
        self._lock = threading.Lock()
        self._in_company = False
        self._struck = False
        self._killed = False
        self._running = 0
        self._how: str | None = None
        self._code: int | None = None
        self.close = weakref.finalize(self, _end_process, channel, handle, end)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        if not self.close.alive or self._killed or self._how is not None:
            return False
        ended = select.poll()
        ended.register(self._handle, select.POLLIN)
        return not ended.poll(0)

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._killed = True
        if self.close.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count a run."""
        with self._lock:
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    @property
    def had_victims(self) -> bool:
        """Whether runs may have died of another run, or of a signal from outside."""
        return self._in_company or self._struck

    @property
    def how(self) -> str:
        """How it ended, in words, where that is known."""
        return self._how or "is gone"

    def receive(
        self, from_socket: socket.socket, deadline: float, most: int = wire.MAX_PACKET
    ) -> bytes:
        """Give the next message; `deadline` is on the monotonic clock.

        Raises:
            RunnerDied: it ended first.
            RunTimedOut: there was none in time; it is killed.
        """
        try:
            from_socket.settimeout(max(deadline - monotonic(), 0.001))
            message = from_socket.recv(most)
        except TimeoutError:
            self._note("was ended, since a run took more than its time")
            self.kill()
            raise RunTimedOut("The model did not answer in its time, and was ended.") from None
        except OSError as error:
            raise self.died() from error
        if not message:
            raise self.died()
        return message

    def died(self) -> RunnerDied:
        """Say how it ended; what hangs up without ending is ended."""
        with self._lock:
            if self._how is None:
                self._in_company = self._running > 1
                ours = self._killed
                self._how = self._ended()
                self._struck = not ours and self._code == -signal.SIGKILL
        self.kill()
        return RunnerDied(f"The process that ran the model {self._how}.")

    def _note(self, how: str) -> None:
        with self._lock:
            if self._how is None:
                self._in_company = self._running > 1
                self._how = how

    def _ended(self) -> str:
        told = select.poll()
        told.register(self._end, select.POLLIN)
        if not told.poll(_GRACE_SECONDS * 1000):
            return "is gone"
        said = os.read(self._end, wire.ENDED.size)
        if len(said) != wire.ENDED.size:
            return "is gone"
        (self._code,) = wire.ENDED.unpack(said)
        if self._code < 0:
            return f"was ended by signal {-self._code} ({signal.strsignal(-self._code)})"
        return f"ended with status {self._code}"


def _bury(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()


def _end_process(channel: socket.socket, handle: int, end: int) -> None:
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    channel.close()
    os.close(handle)
    os.close(end)


def send(to: socket.socket, message: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one message; that nobody listens is found out by receiving."""
    with contextlib.suppress(OSError):
        socket.send_fds(to, [message], descriptors)
