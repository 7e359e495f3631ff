"""Where a ledger keeps what it says of packets: the paths of IBC v2 (ICS-24).

Byte for byte as ibc-go's ``modules/core/24-host/v2`` has them. (The prose specification differs:
receipts lie under 0x02, acknowledgements under 0x03.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from caimi.hashing import keccak256


class PathKind(IntEnum):
    """What lies at a path; the value is the byte between client and sequence."""

    COMMITMENT = 1
    RECEIPT = 2
    ACKNOWLEDGEMENT = 3


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a ledger's IBC store; `client` is that ledger's own.

    Which names clients may have is the ledger's affair: two different paths differ in `raw`, for
    what follows the client always has nine bytes.

    Construction raises `ValueError` when the client is no Unicode, or the sequence no unsigned
    number of 64 bits.
    """

    client: str
    kind: PathKind
    sequence: int

    def __post_init__(self) -> None:
        if not 0 <= self.sequence < 1 << 64:
            raise ValueError(f"sequence {self.sequence} has not 64 bits")
        self.client.encode()

    @classmethod
    def commitment(cls, source_client: str, sequence: int) -> Path:
        """Give where the source keeps a packet's commitment until the packet has ended."""
        return cls(source_client, PathKind.COMMITMENT, sequence)

    @classmethod
    def receipt(cls, dest_client: str, sequence: int) -> Path:
        """Give where the destination keeps that it received a packet."""
        return cls(dest_client, PathKind.RECEIPT, sequence)

    @classmethod
    def acknowledgement(cls, dest_client: str, sequence: int) -> Path:
        """Give where the destination keeps what it answered to a packet."""
        return cls(dest_client, PathKind.ACKNOWLEDGEMENT, sequence)

    @property
    def raw(self) -> bytes:
        """The path itself: the client, the kind's byte and the sequence in eight, big-endian."""
        return self.client.encode() + bytes([self.kind]) + self.sequence.to_bytes(8)

    @property
    def key(self) -> bytes:
        """keccak256 of it: its key in attested trees, and in an EVM gateway's mapping."""
        return keccak256(self.raw)
