"""``ping.py ADDRESS COUNT INTERVAL``: ICMP echoes (RFC 792), the milliseconds of each in JSON.

What did not come back within a second is null; `order` are the numbers of the answers as they came.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time


def main(address: str, count: int, interval: float) -> None:
    """Send echoes, one each `interval` seconds, and print what came back."""
    answered: dict[int, float] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asked:
        sent: dict[int, float] = {}
        started = time.monotonic()
        end = started + count * interval + 1.0
        while (now := time.monotonic()) < end and len(answered) < count:
            if len(sent) < count and now >= started + len(sent) * interval:
                number = len(sent)
                sent[number] = time.monotonic()
                asked.sendto(_echo(number), (address, 0))
                continue
            due = started + len(sent) * interval if len(sent) < count else end
            if select.select([asked], [], [], max(0.0, min(due, end) - now))[0]:
                packet = asked.recv(2048)
                kind, _, _, _, number = struct.unpack("!BBHHH", packet[20:28])
                if kind == 0 and number in sent:
                    answered.setdefault(number, (time.monotonic() - sent[number]) * 1000)
    took = [answered.get(number) for number in range(count)]
    sys.stdout.write(json.dumps({"milliseconds": took, "order": list(answered)}) + "\n")


def _echo(number: int) -> bytes:
    head = struct.pack("!BBHHH", 8, 0, 0, 1, number)
    total = sum(struct.unpack("!4H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, 1, number)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
