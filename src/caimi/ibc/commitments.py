"""IBC v2 packets: what ledgers commit to.

Byte for byte as ibc-go's ``modules/core/04-channel/v2`` computes them. (The prose specification
differs: timeouts are hashed big-endian.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from caimi.hashing import sha256
from caimi.ibc.packet import Packet, Payload

UNIVERSAL_ERROR_ACKNOWLEDGEMENT: Final = sha256(b"UNIVERSAL_ERROR_ACKNOWLEDGEMENT")


def payload_hash(payload: Payload) -> bytes:
    """Hash one payload, 32 bytes."""
    return sha256(
        sha256(payload.source_port.encode())
        + sha256(payload.dest_port.encode())
        + sha256(payload.version.encode())
        + sha256(payload.encoding.encode())
        + sha256(payload.value)
    )


def packet_commitment(packet: Packet) -> bytes:
    """Commit to a packet, 32 bytes; its sequence and source client are in its `Path` instead."""
    payloads = b"".join(payload_hash(payload) for payload in packet.payloads)
    return sha256(
        b"\x02"
        + sha256(packet.dest_client.encode())
        + sha256(packet.timeout.to_bytes(8))
        + sha256(payloads)
    )


def acknowledgement_commitment(acknowledgements: Sequence[bytes]) -> bytes:
    """Commit to a packet's acknowledgements, 32 bytes."""
    return sha256(b"\x02" + b"".join(sha256(item) for item in acknowledgements))
