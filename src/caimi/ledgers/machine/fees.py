"""Fees for relayers (port `RelayFees`), on a ledger that has a price for its work."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.errors.ledgers import CallInvalid
from caimi.ibc.packet import Packet
from caimi.ibc.protobuf import encode_packet
from caimi.ledgers.machine.calls import MemoryCall, nothing
from caimi.ledgers.machine.escrow import FeeEscrowed, FeeName
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.port import NEWEST, Account, Asset, At, Money, RelayFee


class MemoryFees:
    """The escrow of one ledger in memory."""

    def __init__(self, chain: Machine, points: Asset) -> None:
        self._chain = chain
        self._points = points

    def escrow(self, packet: Packet, relayer: Account, amount: Money) -> MemoryCall[None]:
        if amount.asset != self._points:
            raise CallInvalid(f"The {amount.asset} is not what is paid in on {self._chain.id}.")
        what = f"Paying for packet {packet.sequence} of {packet.source_client}"
        return self._call(
            what, "escrow", encode_packet(packet), self._chain.native(relayer), amount.units
        )

    async def escrowed(self, relayer: Account, from_height: int, to_height: int) -> list[RelayFee]:
        return [
            self._fee(told, height)
            for told, _, height in self._chain.told.of(FeeEscrowed, from_height, to_height)
            if told.name[2] == self._chain.native(relayer)
        ]

    async def held(self, fees: Sequence[RelayFee], at: At = NEWEST) -> list[Money]:
        state = self._chain.at(at)
        return [self._points.of(self._chain.escrow.held(state, _name(fee))) for fee in fees]

    def claim(
        self,
        client_id: str,
        fees: Sequence[RelayFee],
        acknowledgements: Sequence[bytes],
        proof: bytes,
    ) -> MemoryCall[None]:
        names = tuple(map(_name, fees))
        return self._call("Collecting", "claim", client_id, names, tuple(acknowledgements), proof)

    def refund(self, client_id: str, fees: Sequence[RelayFee], proof: bytes) -> MemoryCall[None]:
        return self._call("Giving back", "refund", client_id, tuple(map(_name, fees)), proof)

    def reclaim(
        self, client_id: str, sequence: int, relayer: Account, payer: Account
    ) -> MemoryCall[None]:
        return self._call(
            "Giving back", "reclaim", (client_id, sequence, relayer.native, payer.native)
        )

    async def owed(self, account: Account) -> Money:
        owed = self._chain.escrow.owed(self._chain.state, self._chain.native(account))
        return self._points.of(owed)

    def withdraw(self, to: Account) -> MemoryCall[None]:
        """Points go to nobody: who is owed them has had them."""
        return self._call(f"Withdrawing for {to}", "withdraw points")

    def _fee(self, told: FeeEscrowed, height: int) -> RelayFee:
        client_id, sequence, relayer, payer = told.name
        accounts = self._chain.account(relayer), self._chain.account(payer)
        amount = self._points.of(told.amount)
        return RelayFee(client_id, sequence, *accounts, amount, told.timeout, height)

    def _call(self, what: str, act: str, *arguments: object) -> MemoryCall[None]:
        return MemoryCall(self._chain.id, what, act, arguments, nothing)


def _name(fee: RelayFee) -> FeeName:
    return fee.client_id, fee.sequence, fee.relayer.native, fee.payer.native
