"""A process that has libraries loaded and nothing else forks others of itself when its host asks.

It has one thread, sees nothing of a stranger's, and ends when its host is gone.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from caimi.inference.confined import wire


def serve(control: socket.socket, become: Callable[[int], None]) -> None:
    """Fork what the host asks for until it is gone; each then does `become` with its channel."""
    ends: dict[int, tuple[int, int]] = {}
    waiting = select.poll()
    waiting.register(control, select.POLLIN)
    while True:
        for ready, _ in waiting.poll():
            if ready != control.fileno():
                waiting.unregister(ready)
                _tell_end(ready, *ends.pop(ready))
                continue
            message, descriptors, _, _ = socket.recv_fds(control, wire.MAX_PACKET, 2)
            if not message:
                return
            channel, status = descriptors
            process = os.fork()
            if process == 0:
                _become(channel, become)
            os.close(channel)
            handle = os.pidfd_open(process)
            ends[handle] = process, status
            waiting.register(handle, select.POLLIN)
            socket.send_fds(control, [wire.FORKED], [handle])


def _tell_end(handle: int, process: int, status: int) -> None:
    os.close(handle)
    _, code = os.waitpid(process, 0)
    with suppress(OSError):
        os.write(status, wire.ENDED.pack(os.waitstatus_to_exitcode(code)))
    os.close(status)


def _become(channel: int, become: Callable[[int], None]) -> None:
    """Be the new process: keep its channel and the standard descriptors, and never come back."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.closerange(3, channel)
        os.closerange(channel + 1, os.sysconf("SC_OPEN_MAX"))
        become(channel)
        code = 0
    finally:
        os._exit(code)
