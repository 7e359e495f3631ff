"""Ownership over ledgers: the port's `Bridge` over ModelBridge."""

from __future__ import annotations

from caimi.hashing import keccak256
from caimi.ibc.path import Path
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.rpc.contract import Contract, word
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.port import NEWEST, Account, Allowance, At, Exactly, Gateway, Lock

_ENDS = {"TransferCompleted": "completed", "TransferRefunded": "refunded"}


class EvmBridge:
    """The bridge of one EVM ledger."""

    def __init__(
        self, contract: Contract, gateway: Gateway, events: EventReader, deployed_at: int
    ) -> None:
        self.account = contract.account(contract.address)
        self._contract = contract
        self._gateway = gateway
        self._events = events
        self._deployed_at = deployed_at

    def send(
        self, client_id: str, model_id: bytes, recipient: Account, timeout: int, min_depth: int = 0
    ) -> EvmCall[int]:
        """Send the sender's model to an account behind `client_id`."""
        call = self._contract.call(
            f"Sending the model over {client_id}",
            "send",
            client_id,
            word(model_id),
            recipient.native,
            timeout,
            min_depth,
        )
        return call.giving(lambda included: included.value("ModelSent", "sequence", int))

    async def lock(self, model_id: bytes, at: At = NEWEST) -> Lock | None:
        """Tell where a model that left this ledger went; None when this ledger does not lock it."""
        client_id, sequence, completed = await self._contract.read("locked", word(model_id), at=at)
        return Lock(client_id, sequence, completed) if client_id else None

    async def came_by(self, model_id: bytes, at: At = NEWEST) -> str:
        """Give the client by which a foreign model came; empty for home models."""
        (client_id,) = await self._contract.read("cameBy", word(model_id), at=at)
        return str(client_id)

    async def outcome(self, model_id: bytes, client_id: str, sequence: int) -> str:
        """Give how a transfer sent from here stands; see `caimi.ledgers.port.Bridge.outcome`.

        That a packet's commitment is gone, and that there is no log of its end, may be seen by two
        nodes that are not equally far: only what a log says ends it.
        """
        head = await self._contract.chain.head_height()
        path = Path.commitment(client_id, sequence)
        (commitment,) = await self._gateway.commitments([path], Exactly(head))
        if any(commitment):
            return "pending"
        ends = await self._events.events(
            [self._contract.address],
            [
                [self._contract.interface.events[name].topic for name in _ENDS],
                model_id,
                keccak256(client_id.encode()),
                sequence.to_bytes(32, "big"),
            ],
            self._deployed_at,
            head,
        )
        return _ENDS[ends[-1].name] if ends else "unknown"

    async def allowance(self, client_id: str) -> Allowance:
        """Give what a route may carry now (`RouteLimits`, `Accountant`)."""
        contract = self._contract
        (sending, _), (receiving, _), (breaker_open,), (out, cap) = await contract.chain.reads(
            [
                contract.reading("available", client_id, False),
                contract.reading("available", client_id, True),
                contract.reading("breakerOpen", client_id),
                contract.reading("outstanding", client_id),
            ]
        )
        return Allowance(sending, receiving, bool(breaker_open), out, cap)
