"""What is open about packets: what a relayer can do something about, one entry for each packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from caimi.ibc.packet import Packet
from caimi.ledgers.port import RelayFee, SentPacket


@dataclass(frozen=True, slots=True)
class AnsweredPacket:
    """A packet with the acknowledgements that the other ledger wrote for it at `height`."""

    packet: Packet
    acknowledgements: tuple[bytes, ...]
    height: int


@dataclass(frozen=True, slots=True)
class EarnedFee:
    """A fee that can be collected: the other ledger acknowledged its packet at `height`."""

    fee: RelayFee
    acknowledgements: tuple[bytes, ...]
    dest_client: str
    height: int


@dataclass(frozen=True, slots=True)
class Sorted:
    """A route's open packets by what can be done with them now."""

    deliver: tuple[SentPacket, ...] = ()
    acknowledge: tuple[AnsweredPacket, ...] = ()
    time_out: tuple[SentPacket, ...] = ()
    collect: tuple[EarnedFee, ...] = ()


Entry: TypeAlias = SentPacket | AnsweredPacket | EarnedFee
E = TypeVar("E", SentPacket, AnsweredPacket, EarnedFee)


def packet_name(entry: Entry) -> tuple[str, int]:
    """Give what the sending ledger calls the entry's packet: (source client, sequence)."""
    if isinstance(entry, EarnedFee):
        return entry.fee.client_id, entry.fee.sequence
    return entry.packet.source_client, entry.packet.sequence


def last_block(entry: Entry) -> int:
    """Give the height that a statement about the entry must reach: deeper where that is asked."""
    return max(entry.height, entry.ready) if isinstance(entry, SentPacket) else entry.height
