"""Administering such ledgers: what is the same for every family of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex

from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.contracts.authority import AuthorityRole
from caimi.contracts.identifiers import Account as Native
from caimi.errors.deploying import RouteUnfit
from caimi.errors.ledgers import LedgerUnavailable
from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.port import (
    BY_COMMITTEE,
    COMMITTEE,
    Account,
    Call,
    ClientTerms,
    Committee,
    Drafts,
    Ledger,
    LedgerPlace,
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

    async def administer(
        self, call: Call[None], *, outbox: Outbox | None = None, key: str = "administer"
    ) -> None:
        """Make a change at once; see `Administered.administer`."""
        await self.ledger.submit(call, self.admin, outbox=outbox, key=key)


class MachineAdministration:
    """All of a family's `Administration` but founding ledgers, which each does in its own way.

    `machine_of` makes ready to open the machine of a section.
    """

    def __init__(self, machine_of: Callable[[LedgerSection], Machine]) -> None:
        self._machine_of = machine_of

    async def plan(
        self,
        place: LedgerPlace,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerPlan:
        """Tell that the ledger is founded, where it is not; see `Administration.plan`."""
        known = {"id": place.id, "name": place.name, "family": place.family, **place.told}
        try:
            section = LedgerSection.model_validate(known)
        except ValidationError as error:
            raise ConfigInvalid(f"{place.id}: {error.errors()[0]['msg']}.") from error
        try:
            await self.audit(section)
            begun = True
        except LedgerUnavailable:
            begun = False
        step = PlannedStep(f"Founding {place.id}", 0, begun)
        return LedgerPlan(place.id, Account(place.id, account), (step,))

    async def audit(self, section: LedgerSection) -> list[str]:
        """Check that the ledger is there; whoever reads it has the rules itself."""
        machine = self._machine_of(section)
        try:
            await machine.check()
        finally:
            await machine.aclose()
        return []

    async def gone(self, section: LedgerSection) -> bool:
        """Never: a ledger that is there was founded; see `Administration.gone`."""
        return False

    async def plan_route(
        self,
        end: RouteEnd,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "route",
        drafts: Drafts | None = None,
    ) -> LedgerPlan:
        """Tell what `add_client` does; see `Administration.plan_route`."""
        here = _ours(end.here)
        _check_terms(here, end.terms)
        machine = here.machine
        await machine.refresh()
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

    async def audit_route(self, end: RouteEnd, client_id: str) -> list[str]:
        """Say what is not as `add_client` leaves it; see `Administration.audit_route`."""
        client = await end.here.clients.of(client_id)
        if client.kind != COMMITTEE:
            return [f"the client is {client.kind}"]
        committee = await end.here.clients.committee(client.account)
        wrong = [] if committee.hash == end.committee.hash else ["its committee is another"]
        if any(await end.here.clients.frozen([client.account])):
            wrong.append("its client is frozen")
        return wrong

    def administered(
        self, ledger: Ledger, signer: Signer, drafts: Drafts | None = None
    ) -> MachineAdministered:
        """Take one of these ledgers, whose changes never wait."""
        return MachineAdministered(_ours(ledger), signer)


def _check_terms(here: MachineLedger, terms: ClientTerms) -> None:
    if terms.kinds != (COMMITTEE,):
        raise RouteUnfit(
            f"{here.id} has clients of committees alone, and {', '.join(terms.kinds)} is asked for."
        )


def _ours(ledger: Ledger) -> MachineLedger:
    assert isinstance(ledger, MachineLedger), "the ledger is of this kind"
    return ledger
