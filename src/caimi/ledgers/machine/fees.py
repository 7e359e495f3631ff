"""Fees for relayers (port `RelayFees`), on a ledger where work is paid for."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.errors.ledgers import CallInvalid
from caimi.ibc.packet import Packet
from caimi.ledgers.machine.calls import MachineCall, nothing
from caimi.ledgers.machine.escrow import FeeEscrowed, FeeName, RelayEscrow
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.port import NEWEST, Account, Asset, At, Money, RelayFee


@answering_freshly
class MachineFees:
    """The escrow of one ledger."""

    def __init__(self, chain: Machine, escrow: RelayEscrow, coin: Asset) -> None:
        self._chain = chain
        self._escrow = escrow
        self._coin = coin

    def escrow(self, packet: Packet, relayer: Account, amount: Money) -> MachineCall[None]:
        if amount.asset != self._coin:
            raise CallInvalid(f"The {amount.asset} is not what is paid in on {self._chain.id}.")
        what = f"Paying for packet {packet.sequence} of {packet.source_client}"
        return self._call(what, "escrow", packet, self._chain.native(relayer), amount.units)

    async def escrowed(self, relayer: Account, from_height: int, to_height: int) -> list[RelayFee]:
        return [
            self._fee(told, height)
            for told, _, height in self._chain.told_of(FeeEscrowed, from_height, to_height)
            if told.name[2] == self._chain.native(relayer)
        ]

    async def held(self, fees: Sequence[RelayFee], at: At = NEWEST) -> list[Money]:
        state = self._chain.at(at)
        return [self._coin.of(self._escrow.held(state, _name(fee))) for fee in fees]

    def claim(
        self,
        client_id: str,
        fees: Sequence[RelayFee],
        acknowledgements: Sequence[bytes],
        proof: bytes,
    ) -> MachineCall[None]:
        names = tuple(map(_name, fees))
        return self._call("Collecting", "claim", client_id, names, tuple(acknowledgements), proof)

    def refund(self, client_id: str, fees: Sequence[RelayFee], proof: bytes) -> MachineCall[None]:
        return self._call("Giving back", "refund", client_id, tuple(map(_name, fees)), proof)

    def reclaim(
        self, client_id: str, sequence: int, relayer: Account, payer: Account
    ) -> MachineCall[None]:
        return self._call(
            "Giving back", "reclaim", (client_id, sequence, relayer.native, payer.native)
        )

    async def owed(self, account: Account) -> Money:
        owed = self._escrow.owed(self._chain.state, self._chain.native(account))
        return self._coin.of(owed)

    def withdraw(self, to: Account) -> MachineCall[None]:
        return self._call(f"Withdrawing for {to}", "withdraw fees", self._chain.native(to))

    def _fee(self, told: FeeEscrowed, height: int) -> RelayFee:
        client_id, sequence, relayer, payer = told.name
        accounts = self._chain.account(relayer), self._chain.account(payer)
        amount = self._coin.of(told.amount)
        return RelayFee(client_id, sequence, *accounts, amount, told.timeout, height)

    def _call(self, what: str, act: str, *arguments: object) -> MachineCall[None]:
        return MachineCall(self._chain.id, what, act, arguments, nothing)


def _name(fee: RelayFee) -> FeeName:
    return fee.client_id, fee.sequence, fee.relayer.native, fee.payer.native
