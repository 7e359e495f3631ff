"""Packets: sent, received, acknowledged, timed out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import EndorsedReads, StateProof
from caimi.ledgers.port.blocks import LedgerId
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At


@dataclass(frozen=True, slots=True)
class SentPacket:
    """A packet this ledger's gateway committed to, and where.

    It must be proved at the height `ready` or a later one, because its sender asked for that.
    """

    packet: Packet
    tx: str
    height: int
    ready: int = 0


@dataclass(frozen=True, slots=True)
class WrittenAcknowledgement:
    """The acknowledgements this ledger's gateway wrote for a packet it received."""

    dest_client: str
    sequence: int
    acknowledgements: tuple[bytes, ...]
    tx: str
    height: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A packet that a ledger received: (destination client, sequence).

    `packet` is as it was delivered and `proof` what proved it; None and empty when the transaction
    does not show them. `deferred` when its acknowledgement is written later.
    """

    dest_client: str
    sequence: int
    height: int
    tx: str
    deferred: bool
    packet: Packet | None
    proof: bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """A packet that ended on the ledger that sent it: acknowledged, or else timed out.

    `acknowledgements` are those it was acknowledged with and `proof` what proved them; None and
    empty when it timed out, or when the transaction does not show them.
    """

    source_client: str
    sequence: int
    height: int
    tx: str
    acknowledged: bool
    acknowledgements: tuple[bytes, ...] | None
    proof: bytes


@dataclass(frozen=True, slots=True)
class Route:
    """A client registered at a gateway: this ledger's view of one other ledger."""

    client_id: str
    counterparty_client_id: str
    counterparty: LedgerId


@dataclass(frozen=True, slots=True)
class Committee:
    """The signers one epoch of a committee client accepts; 20-byte addresses, ascending.

    `operators` has a byte for each member that says who runs it: equal bytes, one operator.
    """

    epoch: int
    threshold: int
    members: tuple[bytes, ...]
    operators: bytes
    hash: bytes


class Gateway(Protocol):
    """The IBC v2 router of one ledger."""

    @property
    def address(self) -> bytes:
        """ERC-7930 interoperable address of the gateway; its keccak256 is a checkpoint's origin."""
        ...

    async def routes(self) -> list[Route]: ...
    async def committee(self, client_id: str, at: At = NEWEST) -> Committee:
        """Give the present committee of the route's client."""
        ...

    async def sent(self, from_height: int, to_height: int) -> list[SentPacket]:
        """Packets committed in blocks (from_height, to_height], in log order."""
        ...

    async def find_sent(self, client_id: str, sequence: int) -> SentPacket | None:
        """Find one packet that was sent from here, ever; None when there is none of that name."""
        ...

    async def traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        """Packets committed and acknowledgements written in those blocks, each in log order.

        As far as the node shows: it can leave some out without a word.
        """
        ...

    async def whole_traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        """Give what `traffic` gives, and nothing less: checked against what the blocks commit to.

        Raises:
            EventsMissing: the node left something out.
        """
        ...

    async def commitments(self, paths: Sequence[Path], at: At = NEWEST) -> list[bytes]:
        """Give the 32-byte commitments at `paths`; zero when absent.

        Of receipts `receipts` tells: a ledger need not keep them apart from acknowledgements.
        """
        ...

    async def newest_sent(self, clients: Sequence[str], at: At = NEWEST) -> list[int]:
        """Give the sequence of the packet sent last over each route; 0 when there is none."""
        ...

    async def receipts(self, packets: Sequence[tuple[str, int]], at: At = NEWEST) -> list[bool]:
        """Whether each (destination client, sequence) has been received here."""
        ...

    def set_counterparty(self, client_id: str, counterparty: str) -> Call[None]:
        """Tell a route which client the other ledger has of this one, once; administrators only."""
        ...

    async def state_proof(self, paths: Sequence[Path], height: int) -> StateProof:
        """Prove what the gateway's state of block `height` says of the commitments at `paths`.

        Raises:
            LedgerRefused: the ledger gives no such proofs, or none of that height any more.
        """
        ...

    async def endorsed_reads(self, paths: Sequence[Path]) -> EndorsedReads:
        """Have organisations that run the ledger each sign what is at `paths` now.

        Raises:
            LedgerRefused: nobody does on such a ledger.
            LedgerUnavailable: too few answer.
            LedgerError: too few say the same, or what they say is malformed.
        """
        ...

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call[None]: ...
    def acknowledge(
        self,
        client_id: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> Call[None]: ...
    def time_out(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call[None]: ...
