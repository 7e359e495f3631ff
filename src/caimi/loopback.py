"""The network within one machine."""

from __future__ import annotations

import ipaddress
import random
import socket
from typing import Final

_BLOCKS: Final = range(20_000, 32_000)
"""Below what systems give to outgoing connections, which would take a port while nobody listens."""
_TRIES: Final = 200


def free_port() -> int:
    """Give a TCP port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on a TCP port on loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> range:
    """Give ports that follow each other, are free now, and are given to no outgoing connection.

    Raises:
        OSError: so many in a row were not found.
    """
    for _ in range(_TRIES):
        base = random.randrange(_BLOCKS.start, _BLOCKS.stop - count)  # noqa: S311 - no secret
        ports = range(base, base + count)
        if all(is_free(port) for port in ports):
            return ports
    raise OSError(f"no {count} free ports in a row were found")


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
