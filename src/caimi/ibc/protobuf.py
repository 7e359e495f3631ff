"""Packets and acknowledgements in ibc-go's protobuf encoding (``ibc.core.channel.v2``).

Only the canonical form is taken: fields in order, shortest varints, nothing of what is empty or
zero. So the bytes in a log have one reading, and one packet has one spelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from caimi.errors.ledgers import EventInvalid
from caimi.ibc.packet import Packet, Payload

MAX_BYTES: Final = 1 << 20
_MAX_PAYLOADS: Final = 16
_UINT64: Final = 1 << 64


def encode_packet(packet: Packet) -> bytes:
    """Encode a packet."""
    return (
        _number(0x08, packet.sequence)
        + _field(0x12, packet.source_client.encode())
        + _field(0x1A, packet.dest_client.encode())
        + _number(0x20, packet.timeout)
        + b"".join(_listed(0x2A, _encode_payload(each)) for each in packet.payloads)
    )


def decode_packet(data: bytes) -> Packet:
    """Decode a packet.

    Raises:
        EventInvalid: `data` is not the canonical encoding of a packet.
    """
    reader = _Reader(data)
    sequence = reader.number(0x08)
    source, dest = reader.text(0x12), reader.text(0x1A)
    timeout = reader.number(0x20)
    payloads: list[Payload] = []
    while not reader.done and len(payloads) < _MAX_PAYLOADS:
        inner = _Reader(reader.listed(0x2A))
        payloads.append(
            Payload(
                inner.text(0x0A),
                inner.text(0x12),
                inner.text(0x1A),
                inner.text(0x22),
                inner.field(0x2A),
            )
        )
        inner.finish()
    reader.finish()
    return Packet(sequence, source, dest, timeout, tuple(payloads))


def encode_acknowledgements(acknowledgements: Sequence[bytes]) -> bytes:
    """Encode a packet's acknowledgements, none of which is empty."""
    return b"".join(_field(0x0A, each) for each in acknowledgements)


def decode_acknowledgements(data: bytes) -> tuple[bytes, ...]:
    """Decode a packet's acknowledgements.

    Raises:
        EventInvalid: `data` is not the canonical encoding of at least one.
    """
    reader = _Reader(data)
    acknowledgements: list[bytes] = []
    while not reader.done and len(acknowledgements) < _MAX_PAYLOADS:
        acknowledgements.append(reader.listed(0x0A))
    reader.finish()
    if b"" in acknowledgements or not acknowledgements:
        raise EventInvalid("An acknowledgement in a log is empty.")
    return tuple(acknowledgements)


def _encode_payload(payload: Payload) -> bytes:
    return (
        _field(0x0A, payload.source_port.encode())
        + _field(0x12, payload.dest_port.encode())
        + _field(0x1A, payload.version.encode())
        + _field(0x22, payload.encoding.encode())
        + _field(0x2A, payload.value)
    )


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(0x80 | value & 0x7F)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _number(tag: int, value: int) -> bytes:
    return bytes([tag]) + _varint(value) if value else b""


def _field(tag: int, content: bytes) -> bytes:
    return _listed(tag, content) if content else b""


def _listed(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _varint(len(content)) + content


class _Reader:
    """Reads fields in their order; one that is not there is empty or zero."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise EventInvalid(f"{len(data)} bytes are more than a packet has.")
        self._data = data
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._data)

    def finish(self) -> None:
        if not self.done:
            raise EventInvalid(f"A packet in a log has unknown content at byte {self._at}.")

    def number(self, tag: int) -> int:
        if not self._tagged(tag):
            return 0
        value = self._read_varint()
        if value == 0:
            raise EventInvalid("A packet in a log spells out a zero.")
        return value

    def field(self, tag: int) -> bytes:
        if not self._tagged(tag):
            return b""
        content = self._read_content()
        if not content:
            raise EventInvalid("A packet in a log spells out an empty field.")
        return content

    def listed(self, tag: int) -> bytes:
        """Read one of a list, which must be there and may be empty."""
        if not self._tagged(tag):
            raise EventInvalid(f"A packet in a log has unknown content at byte {self._at}.")
        return self._read_content()

    def _read_content(self) -> bytes:
        size = self._read_varint()
        content = self._data[self._at : self._at + size]
        if len(content) != size:
            raise EventInvalid("A packet in a log ends within a field.")
        self._at += size
        return content

    def text(self, tag: int) -> str:
        content = self.field(tag)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise EventInvalid("A packet in a log has a name that is no text.") from error

    def _tagged(self, tag: int) -> bool:
        if self._at == len(self._data) or self._data[self._at] != tag:
            return False
        self._at += 1
        return True

    def _read_varint(self) -> int:
        if self._at < len(self._data) and self._data[self._at] < 0x80:  # nearly all of them
            self._at += 1
            return self._data[self._at - 1]
        value = shift = 0
        while self._at < len(self._data) and shift < 64:
            group = self._data[self._at]
            self._at += 1
            value |= (group & 0x7F) << shift
            if group < 0x80:
                if (group == 0 and shift) or value >= _UINT64:
                    break
                return value
            shift += 7
        raise EventInvalid("A packet in a log has a malformed number.")
