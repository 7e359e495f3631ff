"""The first process of one host: it makes its interfaces, hands its TUN device on, and stays.

Run in namespaces of its own: ``host.py NAME ADDRESS PLACES FD``, where PLACES is a JSON object of
what is seen in which place, and FD a socket that takes the device. The host ends when that socket
closes. Standard library alone, so that it needs nothing of the environment.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys

MTU = 1500
_DEVICE = "wan0"
_TUNSETIFF = 0x400454CA
_TUN, _NO_INFORMATION = 0x0001, 0x1000
_SET_FLAGS, _SET_ADDRESS, _SET_NETMASK, _SET_MTU = 0x8914, 0x8916, 0x891C, 0x8922
_UP_AND_RUNNING = 0x1 | 0x40
_BIND = 0x1000


def main(name: str, address: str, places: dict[str, str], handed: int) -> None:
    """Become the host."""
    for target, source in places.items():
        _bind(source, target)
    socket.sethostname(name)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    wanted = struct.pack("16sH14x", _DEVICE.encode(), _TUN | _NO_INFORMATION)
    fcntl.ioctl(device, _TUNSETIFF, wanted)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        _set(asked, _SET_FLAGS, "lo", struct.pack("H14x", _UP_AND_RUNNING))
        _set(asked, _SET_ADDRESS, _DEVICE, _internet(address))
        _set(asked, _SET_NETMASK, _DEVICE, _internet("255.255.255.0"))
        _set(asked, _SET_MTU, _DEVICE, struct.pack("i12x", MTU))
        _set(asked, _SET_FLAGS, _DEVICE, struct.pack("H14x", _UP_AND_RUNNING))
    with socket.socket(fileno=handed) as channel:
        socket.send_fds(channel, [b"device"], [device])
        os.close(device)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody else waits for what was left
        channel.recv(1)


def _set(asked: socket.socket, what: int, device: str, value: bytes) -> None:
    fcntl.ioctl(asked, what, device.encode().ljust(16, b"\0") + value.ljust(24, b"\0"))


def _internet(address: str) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _bind(source: str, target: str) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(source.encode(), target.encode(), None, _BIND, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]))
