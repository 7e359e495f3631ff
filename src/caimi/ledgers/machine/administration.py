"""Joining such a ledger to others (port `Administered`), for any family's `Administration`."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

from caimi.contracts.authority import AuthorityRole
from caimi.contracts.identifiers import Account as Native
from caimi.errors.deploying import RouteUnfit
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import (
    BY_COMMITTEE,
    COMMITTEE,
    Account,
    ClientTerms,
    Committee,
    Ledger,
    LedgerPlan,
    Outbox,
    PlannedStep,
    RouteEnd,
    Signer,
)


@dataclass(frozen=True)
class MachineAdministered:
    """A ledger that `admin` administers."""

    ledger: MachineLedger
    admin: Signer

    async def add_client(
        self,
        of: Ledger,
        committee: Committee,
        *,
        terms: ClientTerms = BY_COMMITTEE,
        outbox: Outbox | None = None,
        key: str = "route",
    ) -> str:
        """Add a route by a new committee client, under a name that is nobody's account.

        Raises:
            RouteUnfit: another client is asked for.
            TransactionReverted: a contract refuses: `admin` may not, or the committee is invalid.
        """
        here, prefix = self.ledger, f"{key}/{self.ledger.id}/{of.id}"
        _check_terms(here, terms)
        made = await here.submit(
            here.clients.add(f"client-{token_hex(8)}".encode(), of.gateway.address, committee),
            self.admin,
            outbox=outbox,
            key=f"{prefix}/client",
        )
        added = await here.submit(
            here.gateway.add_route(made.effect, of.id),
            self.admin,
            outbox=outbox,
            key=f"{prefix}/route",
        )
        return added.effect


async def plan_route(
    end: RouteEnd, account: bytes, *, outbox: Outbox | None = None, key: str = "route"
) -> LedgerPlan:
    """Tell what `add_client` does; see `Administration.plan_route`."""
    here = _ours(end.here)
    _check_terms(here, end.terms)
    machine = here.machine
    authority = machine.contracts.authority
    if not authority.has(machine.state, AuthorityRole.ADMINISTRATOR, Native(account)):
        raise RouteUnfit(
            f"{here.accounts.text(Account(here.id, account))} does not administer {here.id}.",
            why="Routes are added by whoever administers a ledger.",
            next_step="Choose the administrator's key with --key.",
        )
    prefix, steps = f"{key}/{here.id}/{end.of.id}", []
    for step, what in (
        ("client", f"Adding a client of {end.of.id}"),
        ("route", f"Adding the route to {end.of.id}"),
        ("counterparty", "Naming the counterparty"),
    ):
        begun = outbox is not None and await outbox.sent(f"{prefix}/{step}") is not None
        steps.append(PlannedStep(what, 0, begun))
    return LedgerPlan(here.id, Account(here.id, account), tuple(steps))


async def audit_route(end: RouteEnd, client_id: str) -> list[str]:
    """Say what is not as `add_client` leaves it; see `Administration.audit_route`."""
    client = await end.here.clients.of(client_id)
    if client.kind != COMMITTEE:
        return [f"the client is {client.kind}"]
    committee = await end.here.clients.committee(client.account)
    wrong = [] if committee.hash == end.committee.hash else ["its committee is another"]
    if any(await end.here.clients.frozen([client.account])):
        wrong.append("its client is frozen")
    return wrong


def _check_terms(here: MachineLedger, terms: ClientTerms) -> None:
    if terms.kinds != (COMMITTEE,):
        raise RouteUnfit(
            f"{here.id} has clients of committees alone, and {', '.join(terms.kinds)} is asked for."
        )


def _ours(ledger: Ledger) -> MachineLedger:
    assert isinstance(ledger, MachineLedger), "the ledger is of this kind"
    return ledger
