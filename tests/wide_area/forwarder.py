"""The wide-area network: it takes IP packets from hosts' TUN devices and gives them on, later.

``forwarder.py PLAN``: a JSON object of `devices` (file descriptors by address) and `delays`
(one-way seconds by "address address", both ways alike). Commands come as JSON lines on standard
input, and each is answered by a line when it counts:
``{"link": [A, B], "up": bool, "loss": share}``. Packets between two hosts keep their order; what
waits between them is bounded, and more is dropped, as routers do. Standard library alone.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import random
import select
import socket
import sys
import time
from dataclasses import dataclass, field

QUEUE_BYTES = 8 << 20
"""How much may be under way from one host to another: 80 MB/s at a delay of 100 ms."""
_AT_ONCE = 64
_SOURCE, _DESTINATION = slice(12, 16), slice(16, 20)


@dataclass(slots=True)
class Link:
    """One direction between two hosts."""

    delay: float
    up: bool = True
    loss: float = 0.0
    waiting: int = 0


@dataclass(order=True, slots=True)
class Underway:
    """A packet on its way; `number` keeps the order of those that are due together."""

    due: float
    number: int
    packet: bytes = field(compare=False)
    link: Link = field(compare=False)
    device: int = field(compare=False)


class Forwarder:
    """Moves packets between devices, whose addresses are four bytes."""

    def __init__(
        self, devices: dict[bytes, int], links: dict[tuple[bytes, bytes], Link], seed: int = 0
    ) -> None:
        self._devices = devices
        self._links = links
        self._underway: list[Underway] = []
        self._taken = 0
        self._chance = random.Random(seed)

    def take(self, device: int) -> None:
        """Take what a device has, some packets at a time."""
        now = time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(device, 65535)
            except BlockingIOError:
                return
            link = self._links.get((packet[_SOURCE], packet[_DESTINATION]))
            if packet[0] >> 4 != 4 or link is None or not link.up:
                continue
            if link.waiting + len(packet) > QUEUE_BYTES or self._chance.random() < link.loss:
                continue
            link.waiting += len(packet)
            self._taken += 1
            target = self._devices[packet[_DESTINATION]]
            heapq.heappush(
                self._underway, Underway(now + link.delay, self._taken, packet, link, target)
            )

    def give(self) -> float | None:
        """Give on what is due, and tell in how many seconds the next is; None where none waits."""
        while self._underway:
            left = self._underway[0].due - time.monotonic()
            if left > 0:
                return left
            one = heapq.heappop(self._underway)
            one.link.waiting -= len(one.packet)
            if one.link.up:
                try:
                    os.write(one.device, one.packet)
                except OSError:
                    continue  # a device whose queue is full loses it
        return None

    def change(self, command: dict[str, object]) -> None:
        """Carry out a command."""
        names = command["link"]
        assert isinstance(names, list)
        one, other = (socket.inet_aton(name) for name in names)
        for pair in ((one, other), (other, one)):
            self._links[pair].up = bool(command["up"])
            self._links[pair].loss = float(str(command["loss"]))


def main(plan: str) -> None:
    """Forward until standard input closes."""
    said = json.loads(plan)
    devices = {socket.inet_aton(name): number for name, number in said["devices"].items()}
    links = {}
    for names, delay in said["delays"].items():
        one, other = (socket.inet_aton(name) for name in names.split())
        links[one, other], links[other, one] = Link(delay), Link(delay)
    forwarder = Forwarder(devices, links)
    ready = select.poll()
    for number in (*devices.values(), 0):
        ready.register(number, select.POLLIN)
    while True:
        left = forwarder.give()
        for number, _ in ready.poll(None if left is None else math.ceil(left * 1000)):
            if number != 0:
                forwarder.take(number)
                continue
            line = sys.stdin.buffer.raw.readline()
            if not line:
                return
            forwarder.change(json.loads(line))
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
