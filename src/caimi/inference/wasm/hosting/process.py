"""One child process: started, spoken to, limited, and buried."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Final

from caimi.errors.inference import RunnerDied, RunTimedOut
from caimi.inference.wasm.hosting.protocol import MAX_PACKET, plain

_BOOT: Final = Path(__file__).with_name("boot.py")
_CAIMI: Final = _BOOT.parents[3]
_GRACE_SECONDS: Final = 1.0
_SLACK_BYTES: Final = 512 * 1024 * 1024
_MOST_WORDS: Final = 2048


class ChildProcess:
    """A process that compiles or runs one module; it ends when this object does.

    It inherits no environment and no descriptors but its socket and its standard error.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._errors, errors = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    _command(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=(theirs.fileno(),),
                    cwd="/",
                    env={name: value for name, value in os.environ.items() if name == _LIBRARIES},
                )
            except BaseException:
                ours.close()
                os.close(self._errors)
                raise
            finally:
                os.close(errors)
        self._channel = ours
        self.close = weakref.finalize(self, _bury, self._process, ours, self._errors)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.close.alive and self._process.poll() is None

    def limit(self, memory_bytes: int, seconds: int | None = None) -> None:
        """Bound its private memory, beyond what an idle one has, and its processor time."""
        bounds = [(resource.RLIMIT_DATA, memory_bytes + _SLACK_BYTES)]
        if seconds is not None:
            bounds.append((resource.RLIMIT_CPU, seconds))
        with contextlib.suppress(ProcessLookupError):
            for name, value in bounds:
                resource.prlimit(self.pid, name, (value, value))

    def send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send one message.

        Raises:
            RunnerDied: nobody listens any more.
        """
        try:
            socket.send_fds(self._channel, [message], descriptors)
        except OSError as error:
            raise self._died() from error

    def receive(self, deadline: float) -> bytes:
        """Give the next message; `deadline` is on the monotonic clock.

        Raises:
            RunnerDied: it ended first.
            RunTimedOut: there was none in time; it is killed.
        """
        try:
            self._channel.settimeout(max(deadline - monotonic(), 0.001))
            message = self._channel.recv(MAX_PACKET)
        except TimeoutError:
            self.close()
            raise RunTimedOut("The module did not answer in its time.") from None
        except OSError as error:
            raise self._died() from error
        if not message:
            raise self._died()
        return message

    def _died(self) -> RunnerDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        words = b""
        with contextlib.suppress(OSError):
            words = os.read(self._errors, 65_536)[-_MOST_WORDS:]
        ended = self._process.poll()
        how = "is closing" if ended is None else f"ended with status {ended}"
        if ended is not None and ended < 0:
            how = f"was ended by signal {-ended} ({signal.strsignal(-ended)})"
        said = words.strip().splitlines()
        self.close()
        return RunnerDied(f"The process {how}{': ' + plain(said[-1]) if said else ''}.")


_LIBRARIES: Final = "LD_LIBRARY_PATH"
"""The one variable that the child has too: some Pythons find their own library by it."""


def _command(descriptor: int) -> list[str]:
    found = find_spec("wasmtime")
    if found is None or found.origin is None:
        raise RunnerDied("The package wasmtime is not installed.")
    site = Path(found.origin).parents[1]
    return [sys.executable, "-I", "-S", str(_BOOT), str(descriptor), str(_CAIMI), str(site)]


def _bury(process: subprocess.Popen[bytes], channel: socket.socket, errors: int) -> None:
    channel.close()
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
    os.close(errors)
