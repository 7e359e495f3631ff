"""The packets of the shared vectors."""

from __future__ import annotations

from typing import Any

from caimi.ibc.packet import Packet, Payload


def packet_of(vector: dict[str, Any]) -> Packet:
    """Read one of `contracts/vectors/ibc.json`'s packets."""
    payloads = tuple(
        Payload(
            each["sourcePort"],
            each["destPort"],
            each["version"],
            each["encoding"],
            bytes.fromhex(each["value"][2:]),
        )
        for each in vector["payloads"]
    )
    return Packet(
        vector["sequence"],
        vector["sourceClient"],
        vector["destClient"],
        vector["timeoutTimestamp"],
        payloads,
    )
