"""Fees for relayers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from caimi.ibc.packet import Packet
from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At


@dataclass(frozen=True, slots=True)
class RelayFee:
    """What `payer` escrowed, at `height`, for `relayer` to carry one packet sent from here.

    `timeout` is the packet's, in seconds.
    """

    client_id: str
    sequence: int
    relayer: Account
    payer: Account
    amount: int
    timeout: int
    height: int


class RelayFees(Protocol):
    """Escrow of relayers' fees at the ledger that sends."""

    def escrow(self, packet: Packet, relayer: Account, amount: int) -> Call[None]:
        """Set aside `amount` native coins for the relayer of an open packet."""
        ...

    async def escrowed(self, relayer: Account, from_height: int, to_height: int) -> list[RelayFee]:
        """Fees set aside for `relayer` in blocks (from_height, to_height], in log order."""
        ...

    async def held(self, fees: Sequence[RelayFee], at: At = NEWEST) -> list[int]:
        """Tell what is held under each fee's name; 0 when it has ended."""
        ...

    def claim(
        self,
        client_id: str,
        fees: Sequence[RelayFee],
        acknowledgements: Sequence[bytes],
        proof: bytes,
    ) -> Call[None]:
        """Collect fees, by proof of the commitments to their packets' acknowledgements."""
        ...

    def refund(self, client_id: str, fees: Sequence[RelayFee], proof: bytes) -> Call[None]:
        """Give fees back, by proof that their packets were not received in time."""
        ...

    def reclaim(
        self, client_id: str, sequence: int, relayer: Account, payer: Account
    ) -> Call[None]:
        """Give a fee back that nobody has collected for so long that it is abandoned."""
        ...

    async def owed(self, account: Account) -> int:
        """Tell what `account` can withdraw."""
        ...

    def withdraw(self, to: Account) -> Call[None]:
        """Pay out to `to` what the sender is owed."""
        ...
