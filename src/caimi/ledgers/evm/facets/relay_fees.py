"""Fees for relayers: the port's `RelayFees` over the escrow contract."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.errors.ledgers import CallInvalid
from caimi.ibc.packet import Packet
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.facets.gateway import EvmGateway
from caimi.ledgers.evm.facets.packets import to_tuple
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.port import NEWEST, Account, At, Money, RelayFee


class EvmRelayFees:
    """The escrow of one EVM ledger, in its native coin."""

    def __init__(self, contract: Contract, gateway: EvmGateway, events: EventReader) -> None:
        self._contract = contract
        self._gateway = gateway
        self._events = events
        self._coin = coin_of(contract.chain.ledger)

    def escrow(self, packet: Packet, relayer: Account, amount: Money) -> EvmCall[None]:
        """Set aside `amount` for the relayer of an open packet."""
        return self._contract.call(
            f"Paying for packet {packet.sequence} of {packet.source_client}",
            "escrow",
            to_tuple(packet),
            self._contract.address_of(relayer),
            value=self._wei(amount),
        )

    async def escrowed(self, relayer: Account, from_height: int, to_height: int) -> list[RelayFee]:
        """List fees set aside for `relayer` in blocks (from_height, to_height], in log order.

        Those over clients that the gateway does not have are left out.
        """
        event = self._contract.interface.events["FeeEscrowed"]
        logs = await self._events.raw(
            [self._contract.address],
            [event.topic, bytes(12) + self._contract.address_of(relayer)],
            from_height + 1,
            to_height,
        )
        found = []
        for log in logs:
            values = event.decode(log.topics, log.data)
            client_id = await self._gateway.client_named(values["clientHash"])
            if client_id is not None:
                found.append(
                    RelayFee(
                        client_id,
                        values["sequence"],
                        self._contract.account(values["relayer"]),
                        self._contract.account(values["payer"]),
                        self._coin.of(values["amount"]),
                        values["timeout"],
                        log.height,
                    )
                )
        return found

    async def held(self, fees: Sequence[RelayFee], at: At = NEWEST) -> list[Money]:
        """Tell what is held under each fee's name."""
        reads = [self._contract.reading("feeOf", fee.client_id, _id(fee)) for fee in fees]
        return [self._coin.of(amount) for (amount,) in await self._contract.chain.reads(reads, at)]

    def claim(
        self,
        client_id: str,
        fees: Sequence[RelayFee],
        acknowledgements: Sequence[bytes],
        proof: bytes,
    ) -> EvmCall[None]:
        """Collect fees by proof of the acknowledgements."""
        return self._contract.call(
            f"Collecting {len(fees)} fees over {client_id}",
            "claim",
            client_id,
            [_id(fee) for fee in fees],
            list(acknowledgements),
            proof,
        )

    def refund(self, client_id: str, fees: Sequence[RelayFee], proof: bytes) -> EvmCall[None]:
        """Give fees back by proof that nothing was received in time."""
        return self._contract.call(
            f"Giving {len(fees)} fees over {client_id} back",
            "refund",
            client_id,
            [_id(fee) for fee in fees],
            proof,
        )

    def reclaim(
        self, client_id: str, sequence: int, relayer: Account, payer: Account
    ) -> EvmCall[None]:
        """Give a fee back about whose packet nobody proved anything for long after its timeout."""
        return self._contract.call(
            f"Giving the fee of packet {sequence} of {client_id} back",
            "reclaim",
            client_id,
            (sequence, self._contract.address_of(relayer), self._contract.address_of(payer)),
        )

    async def owed(self, who: Account) -> Money:
        """Tell what an account can withdraw."""
        (amount,) = await self._contract.read("owed", self._contract.address_of(who))
        return self._coin.of(amount)

    def withdraw(self, to: Account) -> EvmCall[None]:
        """Withdraw to `to` what the sender is owed."""
        return self._contract.call("Withdrawing fees", "withdraw", self._contract.address_of(to))

    def _wei(self, amount: Money) -> int:
        if amount.asset != self._coin:
            raise CallInvalid(f"Fees are paid in the {self._coin}, not in the {amount.asset}.")
        return amount.units


def _id(fee: RelayFee) -> tuple[int, bytes, bytes]:
    return fee.sequence, fee.relayer.native, fee.payer.native
