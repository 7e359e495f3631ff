"""IBC v2 packets between the port and the contracts' tuples, and the keys they are stored under."""

from __future__ import annotations

from caimi.errors.ledgers import EventInvalid
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi import Value
from caimi.ledgers.port import Packet, Payload

_COMMITMENT = b"\x01"


def commitment_key(source_client: str, sequence: int) -> bytes:
    """Give the key of a packet commitment: keccak256 of its ICS-24 v2 path."""
    return keccak256(source_client.encode() + _COMMITMENT + sequence.to_bytes(8, "big"))


def to_tuple(packet: Packet) -> Value:
    """Give a packet as the contracts take it."""
    return (
        packet.sequence,
        packet.source_client,
        packet.dest_client,
        packet.timeout,
        [(p.source_port, p.dest_port, p.version, p.encoding, p.value) for p in packet.payloads],
    )


def from_tuple(fields: Value) -> Packet:
    """Take a packet from a decoded event.

    Raises:
        EventInvalid: it has another shape.
    """
    try:
        sequence, source, dest, timeout, payloads = fields
        return Packet(
            sequence, source, dest, timeout, tuple(Payload(*payload) for payload in payloads)
        )
    except (TypeError, ValueError) as error:
        raise EventInvalid("A packet in a log has another shape.") from error
