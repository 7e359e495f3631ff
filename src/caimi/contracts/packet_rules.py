"""The bounds and forms of packets (ICS-04 v2), and what identifiers may be (ICS-24)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from caimi.contracts.execution import require
from caimi.ibc.commitments import UNIVERSAL_ERROR_ACKNOWLEDGEMENT, packet_commitment
from caimi.ibc.packet import Packet, Payload

MAX_TIMEOUT: Final = 24 * 3600
"""How long a packet may last, in seconds."""
MAX_PAYLOADS: Final = 16
MAX_PAYLOADS_LENGTH: Final = 262_144
MAX_ACKNOWLEDGEMENT_LENGTH: Final = 8_192
MAX_REASON_LENGTH: Final = 512
_UINT64: Final = 1 << 64
_CLIENT: Final = re.compile(r"[0-9A-Za-z._+\-#\[\]<>]{8,64}")
_PORT: Final = re.compile(r"[0-9A-Za-z._+\-#\[\]<>]{2,128}")


def is_client_id(text: str) -> bool:
    """Whether `text` names a client: 8 to 64 identifier characters."""
    return _CLIENT.fullmatch(text) is not None


def is_port(text: str) -> bool:
    """Whether `text` names a port: 2 to 128 identifier characters."""
    return _PORT.fullmatch(text) is not None


def check_payload(payload: Payload, index: int) -> int:
    """Give the length of a payload's value; refuses ``InvalidPayload``.

    There is a value, and something visible in the version and in the encoding.
    """
    texts = _encoded(payload)
    complete = texts is not None and bool(payload.value) and all(map(_visible, texts[2:]))
    require(complete, "InvalidPayload", index=index)
    return len(payload.value)


def check_total(count: int, length: int) -> None:
    """Bound a packet's payloads; refuses ``InvalidPayloads``."""
    fits = 0 < count <= MAX_PAYLOADS and length <= MAX_PAYLOADS_LENGTH
    require(fits, "InvalidPayloads", count=count, length=length)


def check_payloads(payloads: Sequence[Payload]) -> None:
    """Check all payloads of a packet."""
    length = sum(check_payload(payload, index) for index, payload in enumerate(payloads))
    check_total(len(payloads), length)


def check_route(packet: Packet, source_client: str, dest_client: str) -> None:
    """Let packets pass that go from the one client to the other."""
    require(0 < packet.sequence < _UINT64, "InvalidSequence")
    require(
        (packet.source_client, packet.dest_client) == (source_client, dest_client),
        "WrongRoute",
        sequence=packet.sequence,
        source_client=packet.source_client,
        dest_client=packet.dest_client,
    )
    require(
        0 <= packet.timeout < _UINT64,
        "NumberOutOfRange",
        name="timeout",
        bits=64,
    )


def check_acknowledgements(acknowledgements: Sequence[bytes], payloads: int) -> None:
    """Let one acknowledgement a payload pass, or one universal error for all."""
    if tuple(acknowledgements) == (UNIVERSAL_ERROR_ACKNOWLEDGEMENT,):
        return
    require(
        len(acknowledgements) == payloads
        and all(item and item != UNIVERSAL_ERROR_ACKNOWLEDGEMENT for item in acknowledgements),
        "InvalidAcknowledgement",
    )


def commitment_of(packet: Packet) -> bytes | None:
    """Give a packet's commitment; None for one that nobody can have sent."""
    if not 0 <= packet.timeout < _UINT64 or None in map(_encoded, packet.payloads):
        return None
    return packet_commitment(packet)


def _encoded(payload: Payload) -> tuple[bytes, ...] | None:
    texts = (payload.source_port, payload.dest_port, payload.version, payload.encoding)
    try:
        return tuple(text.encode() for text in texts)
    except UnicodeEncodeError:
        return None


def _visible(text: bytes) -> bool:
    return any(character > 0x20 for character in text)
