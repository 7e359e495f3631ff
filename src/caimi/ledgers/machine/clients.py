"""Light clients (port `LightClients`): committees only."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.contracts.committee_client import CommitteeClient
from caimi.contracts.committees import KnownCommittee
from caimi.contracts.execution import refuse
from caimi.contracts.state import State
from caimi.errors.ledgers import NotOffered
from caimi.ledgers.machine.calls import MachineCall, nothing, same
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.machine.refusing import named
from caimi.ledgers.port import COMMITTEE, Account, Claim, Committee, LightClient


def client_at(chain: Machine, account: Account, state: State) -> CommitteeClient:
    """Give the client of an account."""
    found = chain.contracts.clients.find(state, chain.native(account))
    if found is None:
        refuse("InvalidLightClient", client=account.native)
    return found


def committee_of(chain: Machine, account: Account, state: State) -> Committee:
    """Give the present committee of a client."""
    client = client_at(chain, account, state)
    found = client.committee(state, client.head(state).epoch)
    return Committee(found.epoch, found.threshold, found.members, found.operators, found.hash)


@answering_freshly
class MachineClients:
    """The light clients of one ledger's routes."""

    def __init__(self, chain: Machine) -> None:
        self._chain = chain

    async def of(self, client_id: str) -> LightClient:
        with named(f"Reading the client of {client_id}"):
            routes = self._chain.contracts.gateway.routes
            client = routes.get(self._chain.state, client_id).client
            return LightClient(self._chain.account(client), COMMITTEE)

    async def frozen(self, accounts: Sequence[Account]) -> list[bool]:
        state = self._chain.state
        with named("Reading which clients are frozen"):
            return [client_at(self._chain, each, state).frozen(state) for each in accounts]

    async def committee(self, account: Account) -> Committee:
        with named("Reading a committee"):
            return committee_of(self._chain, account, self._chain.state)

    def rotate(
        self, account: Account, following: Committee, signers: int, signatures: bytes
    ) -> MachineCall[None]:
        committee = (following.threshold, following.members, following.operators)
        arguments = (self._chain.native(account), committee, signers, signatures)
        return MachineCall(self._chain.id, "Handing over", "rotate", arguments, nothing)

    def report_conflict(self, account: Account, first: bytes, second: bytes) -> MachineCall[None]:
        """Freeze a client by two statements that contradict each other; open to anyone."""
        arguments = (self._chain.native(account), first, second)
        what = "Reporting a conflict"
        return MachineCall(self._chain.id, what, "report conflict", arguments, nothing)

    def add(self, account: bytes, gateway: bytes, committee: Committee) -> MachineCall[bytes]:
        """Make a client that goes by `account`, and give that; administrators only."""
        known = KnownCommittee(
            committee.epoch, committee.threshold, committee.members, committee.operators
        )
        arguments = (account, gateway, known)
        return MachineCall(self._chain.id, "Adding a client", "add client", arguments, same)

    async def claims(self, account: Account, most: int) -> list[Claim]:
        raise self._not_offered()

    async def propose(self, account: Account, claim: Claim) -> MachineCall[None]:
        raise self._not_offered()

    async def recover(
        self, account: Account, ended: Sequence[int], proposer: Account
    ) -> list[MachineCall[None]]:
        raise self._not_offered()

    def _not_offered(self) -> NotOffered:
        return NotOffered(f"{self._chain.id} has no clients to claim at, for there is no bond.")
