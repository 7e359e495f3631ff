"""The committee clients of one ledger."""

from __future__ import annotations

from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.committee_client import CommitteeClient
from caimi.contracts.committees import KnownCommittee
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account
from caimi.contracts.state import State


class CommitteeClients:
    """The clients by the accounts that they go by (`LedgerVerifiers`)."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def find(self, state: State, account: Account) -> CommitteeClient | None:
        """Give a client, or None."""
        client = CommitteeClient(account, self._authority)
        return client if client.exists(state) else None

    def add(
        self, call: Execution, account: Account, gateway: bytes, committee: KnownCommittee
    ) -> CommitteeClient:
        """Make a client. Administrators only, since names are given here, not computed."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        client = CommitteeClient(account, self._authority)
        client.install(call, gateway, committee)
        return client
