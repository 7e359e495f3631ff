"""IBC v2 packets as the contracts take them."""

from __future__ import annotations

from caimi.ibc.packet import Packet
from caimi.ledgers.evm.abi.codec import Value


def to_tuple(packet: Packet) -> Value:
    """Give a packet as the contracts take it."""
    return (
        packet.sequence,
        packet.source_client,
        packet.dest_client,
        packet.timeout,
        [(p.source_port, p.dest_port, p.version, p.encoding, p.value) for p in packet.payloads],
    )
