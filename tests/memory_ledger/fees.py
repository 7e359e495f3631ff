"""Fees for relayers (port `RelayFees`), on a ledger that has a price for its work."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.ibc.packet import Packet
from caimi.ibc.protobuf import encode_packet
from caimi.ledgers.port import NEWEST, Account, At, RelayFee
from memory_ledger.calls import MemoryCall, nothing
from memory_ledger.chain import MemoryChain
from memory_ledger.escrow import FeeEscrowed, FeeName


class MemoryFees:
    """The escrow of one ledger in memory."""

    def __init__(self, chain: MemoryChain) -> None:
        self._chain = chain

    def escrow(self, packet: Packet, relayer: Account, amount: int) -> MemoryCall[None]:
        what = f"Paying for packet {packet.sequence} of {packet.source_client}"
        return self._call(
            what, "escrow", encode_packet(packet), self._chain.native(relayer), amount
        )

    async def escrowed(self, relayer: Account, from_height: int, to_height: int) -> list[RelayFee]:
        return [
            RelayFee(
                *told.name[:2],
                *map(self._chain.account, told.name[2:]),
                told.amount,
                told.timeout,
                height,
            )
            for told, _, height in self._chain.told.of(FeeEscrowed, from_height, to_height)
            if told.name[2] == self._chain.native(relayer)
        ]

    async def held(self, fees: Sequence[RelayFee], at: At = NEWEST) -> list[int]:
        state = self._chain.at(at)
        return [self._chain.escrow.held(state, self._name(fee)) for fee in fees]

    def claim(
        self,
        client_id: str,
        fees: Sequence[RelayFee],
        acknowledgements: Sequence[bytes],
        proof: bytes,
    ) -> MemoryCall[None]:
        names = tuple(map(self._name, fees))
        return self._call("Collecting", "claim", client_id, names, tuple(acknowledgements), proof)

    def refund(self, client_id: str, fees: Sequence[RelayFee], proof: bytes) -> MemoryCall[None]:
        return self._call("Giving back", "refund", client_id, tuple(map(self._name, fees)), proof)

    def reclaim(
        self, client_id: str, sequence: int, relayer: Account, payer: Account
    ) -> MemoryCall[None]:
        return self._call(
            "Giving back",
            "reclaim",
            (client_id, sequence, *map(self._chain.native, (relayer, payer))),
        )

    async def owed(self, account: Account) -> int:
        return self._chain.escrow.owed(self._chain.state, self._chain.native(account))

    def withdraw(self, to: Account) -> MemoryCall[None]:
        """Points go to nobody: who is owed them has had them."""
        return self._call(f"Withdrawing for {to}", "withdraw points")

    def _call(self, what: str, act: str, *arguments: object) -> MemoryCall[None]:
        return MemoryCall(self._chain.id, what, act, arguments, nothing)

    def _name(self, fee: RelayFee) -> FeeName:
        relayer, payer = map(self._chain.native, (fee.relayer, fee.payer))
        return fee.client_id, fee.sequence, relayer, payer
