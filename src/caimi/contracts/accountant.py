"""What left over each route and has not come back, apart from how the application knows its tokens.

Over a route no more comes back than left over it, whatever was signed; so a route whose every key
is stolen yields at most what is out over it, which a cap bounds. This is the account of the route;
that of the token is the application's. The two are kept apart so that one of them can be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.bounds import number
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.records import Table
from caimi.contracts.state import State

UNCAPPED: Final = (1 << 128) - 1


@dataclass(frozen=True, slots=True)
class SupplyCapSet(Effect):
    """Governance bounds how much may be out over a route at once."""

    client_id: str
    cap: int


@dataclass(frozen=True, slots=True)
class RouteAccount:
    """What is out over a route, and how much may be."""

    out: int = 0
    cap: int = UNCAPPED
    capped: bool = False


class Accountant:
    """The accounts of one application's routes."""

    def __init__(self, name: str, authority: Authority) -> None:
        self._authority = authority
        self._accounts: Table[tuple[str], RouteAccount] = Table(f"{name}/accounts", RouteAccount)

    def set_supply_cap(self, call: Execution, client_id: str, cap: int) -> None:
        """Bound how much may be out. What is out already stays out. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        account = self.account(call.state, client_id)
        capped = replace(account, cap=number(cap, 128, "cap"), capped=True)
        self._accounts.put(call.state, (client_id,), capped)
        call.emit(SupplyCapSet(client_id, cap))

    def account(self, state: State, client_id: str) -> RouteAccount:
        """Give a route's account."""
        return self._accounts.get(state, (client_id,)) or RouteAccount()

    def leave(self, call: Execution, client_id: str, amount: int) -> None:
        """Note that something leaves; refuses ``SupplyCapReached``."""
        account = self.account(call.state, client_id)
        account = replace(account, out=account.out + amount)
        within = not account.capped or account.out <= account.cap
        require(within, "SupplyCapReached", client_id=client_id, cap=account.cap)
        self._accounts.put(call.state, (client_id,), account)

    def come_back(self, call: Execution, client_id: str, amount: int) -> None:
        """Note that something came back, delivered or refunded; refuses ``NotConserved``."""
        account = self.account(call.state, client_id)
        conserved = amount <= account.out
        require(conserved, "NotConserved", client_id=client_id, out=account.out, amount=amount)
        self._accounts.put(call.state, (client_id,), replace(account, out=account.out - amount))
