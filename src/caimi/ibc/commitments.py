"""IBC v2 packets: commitments and storage keys.

Byte for byte as ibc-go's ``modules/core/04-channel/v2`` computes them. (The prose specification
differs: timeouts are hashed big-endian, receipts lie under 0x02, acknowledgements under 0x03.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from caimi.hashing import keccak256, sha256
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
    """Commit to a packet, 32 bytes; its sequence and source client are in the key instead."""
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


def commitment_path(source_client: str, sequence: int) -> bytes:
    """Where the source keeps a packet's commitment."""
    return source_client.encode() + b"\x01" + sequence.to_bytes(8)


def receipt_path(dest_client: str, sequence: int) -> bytes:
    """Where the destination keeps a packet's receipt."""
    return dest_client.encode() + b"\x02" + sequence.to_bytes(8)


def acknowledgement_path(dest_client: str, sequence: int) -> bytes:
    """Where the destination keeps a packet's acknowledgement."""
    return dest_client.encode() + b"\x03" + sequence.to_bytes(8)


def commitment_key(source_client: str, sequence: int) -> bytes:
    """Give keccak256 of `commitment_path`: the key in proofs and in an EVM gateway's mapping."""
    return keccak256(commitment_path(source_client, sequence))


def receipt_key(dest_client: str, sequence: int) -> bytes:
    """Give keccak256 of `receipt_path`."""
    return keccak256(receipt_path(dest_client, sequence))


def acknowledgement_key(dest_client: str, sequence: int) -> bytes:
    """Give keccak256 of `acknowledgement_path`."""
    return keccak256(acknowledgement_path(dest_client, sequence))
