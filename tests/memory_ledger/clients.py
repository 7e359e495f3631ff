"""Light clients (port `LightClients`): committees only."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.contracts.committee_client import CommitteeClient
from caimi.contracts.execution import refuse
from caimi.contracts.identifiers import Account
from caimi.contracts.state import State
from caimi.errors.ledgers import NotOffered
from caimi.ledgers.port import COMMITTEE, Claim, Committee, LightClient
from memory_ledger.calls import MemoryCall, nothing
from memory_ledger.chain import MemoryChain
from memory_ledger.refusing import named


def client_at(chain: MemoryChain, account: bytes, state: State) -> CommitteeClient:
    """Give the client of an account."""
    found = chain.contracts.clients.find(state, Account(account))
    if found is None:
        refuse("InvalidLightClient", client=account)
    return found


def committee_of(chain: MemoryChain, account: bytes, state: State) -> Committee:
    """Give the present committee of a client."""
    client = client_at(chain, account, state)
    found = client.committee(state, client.head(state).epoch)
    return Committee(found.epoch, found.threshold, found.members, found.operators, found.hash)


class MemoryClients:
    """The light clients of one ledger's routes."""

    def __init__(self, chain: MemoryChain) -> None:
        self._chain = chain

    async def of(self, client_id: str) -> LightClient:
        with named(f"Reading the client of {client_id}"):
            routes = self._chain.contracts.gateway.routes
            return LightClient(routes.get(self._chain.state, client_id).client, COMMITTEE)

    async def frozen(self, accounts: Sequence[bytes]) -> list[bool]:
        state = self._chain.state
        with named("Reading which clients are frozen"):
            return [client_at(self._chain, each, state).frozen(state) for each in accounts]

    async def committee(self, account: bytes) -> Committee:
        with named("Reading a committee"):
            return committee_of(self._chain, account, self._chain.state)

    def rotate(
        self, account: bytes, following: Committee, signers: int, signatures: bytes
    ) -> MemoryCall[None]:
        committee = (following.threshold, following.members, following.operators)
        arguments = (account, committee, signers, signatures)
        return MemoryCall(self._chain.id, "Handing over", "rotate", arguments, nothing)

    def add(self, account: bytes, gateway: bytes, committee: Committee) -> MemoryCall[None]:
        """Make a client; administrators only."""
        known = (
            committee.epoch,
            committee.threshold,
            committee.members,
            committee.operators,
        )
        arguments = (account, gateway, known)
        return MemoryCall(self._chain.id, "Adding a client", "add client", arguments, nothing)

    async def claims(self, account: bytes, most: int) -> list[Claim]:
        raise self._not_offered()

    async def propose(self, account: bytes, claim: Claim) -> MemoryCall[None]:
        raise self._not_offered()

    async def recover(
        self, account: bytes, ended: Sequence[int], proposer: bytes
    ) -> list[MemoryCall[None]]:
        raise self._not_offered()

    def _not_offered(self) -> NotOffered:
        return NotOffered(f"{self._chain.id} has no clients to claim at, for there is no bond.")
