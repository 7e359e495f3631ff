"""IBC v2 packets: commitments, storage keys and bounds.

Byte for byte as ibc-go's ``modules/core/04-channel/v2`` computes them. (The prose specification
differs: timeouts are hashed big-endian, receipts lie under 0x02, acknowledgements under 0x03.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from caimi.errors.messaging import InvalidPacket
from caimi.hashing import keccak256, sha256
from caimi.ledgers.port import Packet, Payload

UNIVERSAL_ERROR_ACKNOWLEDGEMENT: Final = sha256(b"UNIVERSAL_ERROR_ACKNOWLEDGEMENT")
MAX_TIMEOUT_SECONDS: Final = 24 * 3600
MAX_PAYLOADS: Final = 16
MAX_PAYLOAD_BYTES: Final = 262_144

_IDENTIFIER = re.compile(r"[a-zA-Z0-9._+\-#\[\]<>]{2,128}")


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


def check_packet(packet: Packet, *, now: int | None = None) -> None:
    """Check a packet against IBC v2's bounds; against the longest timeout too when `now` is given.

    Raises:
        InvalidPacket: it breaks one.
    """
    for name in (packet.source_client, packet.dest_client):
        if _IDENTIFIER.fullmatch(name) is None:
            raise InvalidPacket(f"{name[:140]!r} is no client id.")
    if not 1 <= packet.sequence < 1 << 64 or not 1 <= packet.timeout < 1 << 64:
        raise InvalidPacket(f"Sequence {packet.sequence} or timeout {packet.timeout} is no uint64.")
    if now is not None and not now < packet.timeout <= now + MAX_TIMEOUT_SECONDS:
        raise InvalidPacket(
            f"Timeout {packet.timeout} is not within {MAX_TIMEOUT_SECONDS} s after {now}."
        )
    if not 1 <= len(packet.payloads) <= MAX_PAYLOADS:
        raise InvalidPacket(
            f"A packet has 1 to {MAX_PAYLOADS} payloads, not {len(packet.payloads)}."
        )
    if sum(len(payload.value) for payload in packet.payloads) > MAX_PAYLOAD_BYTES:
        raise InvalidPacket(f"The payloads exceed {MAX_PAYLOAD_BYTES} bytes.")
    for payload in packet.payloads:
        for name in (payload.source_port, payload.dest_port):
            if _IDENTIFIER.fullmatch(name) is None:
                raise InvalidPacket(f"{name[:140]!r} is no port id.")
        if not payload.version or not payload.encoding or not payload.value:
            raise InvalidPacket("A payload's version, encoding and value must not be empty.")
