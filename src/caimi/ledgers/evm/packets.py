"""IBC v2 packets as the contracts take them, and the keys they are stored under."""

from __future__ import annotations

from caimi.hashing import keccak256
from caimi.ledgers.evm.abi_codec import Value
from caimi.ledgers.port import Packet

_COMMITMENT, _ACKNOWLEDGEMENT = b"\x01", b"\x03"


def commitment_key(source_client: str, sequence: int) -> bytes:
    """Give the key of a packet commitment: keccak256 of its ICS-24 v2 path."""
    return keccak256(source_client.encode() + _COMMITMENT + sequence.to_bytes(8, "big"))


def acknowledgement_key(dest_client: str, sequence: int) -> bytes:
    """Give the key of an acknowledgement, which holds something once the packet was received."""
    return keccak256(dest_client.encode() + _ACKNOWLEDGEMENT + sequence.to_bytes(8, "big"))


def to_tuple(packet: Packet) -> Value:
    """Give a packet as the contracts take it."""
    return (
        packet.sequence,
        packet.source_client,
        packet.dest_client,
        packet.timeout,
        [(p.source_port, p.dest_port, p.version, p.encoding, p.value) for p in packet.payloads],
    )
