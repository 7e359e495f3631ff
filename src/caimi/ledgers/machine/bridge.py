"""Ownership over ledgers (port `Bridge`)."""

from __future__ import annotations

from caimi.contracts.bridge_effects import TransferCompleted, TransferReturned
from caimi.contracts.identifiers import TokenId
from caimi.contracts.passages import Whereabouts
from caimi.ibc.path import Path
from caimi.ledgers.machine.calls import MachineCall, same
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.machine.refusing import named
from caimi.ledgers.port import NEWEST, Account, Allowance, At, Lock


@answering_freshly
class MachineBridge:
    """The bridge of one ledger."""

    def __init__(self, chain: Machine) -> None:
        self._chain = chain
        self._bridge = chain.contracts.bridge
        self.account = chain.account(chain.site.bridge)

    def send(
        self, client_id: str, model_id: bytes, recipient: Account, timeout: int, min_depth: int = 0
    ) -> MachineCall[int]:
        arguments = (client_id, model_id, (recipient.native, min_depth), timeout)
        what = f"Sending the model over {client_id}"
        return MachineCall(self._chain.id, what, "send", arguments, same)

    async def lock(self, model_id: bytes, at: At = NEWEST) -> Lock | None:
        passage = self._bridge.passage(self._chain.at(at), TokenId(model_id))
        if not passage.locked:
            return None
        completed = passage.whereabouts is Whereabouts.AWAY
        return Lock(passage.left_by, passage.sequence, completed)

    async def came_by(self, model_id: bytes, at: At = NEWEST) -> str:
        return self._bridge.passage(self._chain.at(at), TokenId(model_id)).came_by

    async def outcome(self, model_id: bytes, client_id: str, sequence: int) -> str:
        path = Path.commitment(client_id, sequence)
        if self._chain.contracts.gateway.commitments.get(self._chain.state, path) is not None:
            return "pending"
        name = (model_id, client_id, sequence)
        for done, _, _ in self._chain.ever(TransferCompleted):
            if (done.token, done.client_id, done.sequence) == name:
                return "completed"
        for returned, _, _ in self._chain.ever(TransferReturned):
            if (returned.token, returned.client_id, returned.sequence) == name:
                return "refunded"
        return "unknown"

    async def allowance(self, client_id: str) -> Allowance:
        state, time, limits = self._chain.state, self._chain.clock, self._bridge.limits
        with named(f"Reading what {client_id} may carry"):
            sending, _ = limits.available(state, client_id, time, receiving=False)
            receiving, _ = limits.available(state, client_id, time, receiving=True)
            account = self._bridge.accountant.account(state, client_id)
            breaker_open = limits.breaker_open(state, client_id)
        return Allowance(sending, receiving, breaker_open, account.out, account.cap)
