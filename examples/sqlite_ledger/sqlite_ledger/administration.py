"""Founding ledgers in files, and joining them to others."""

from __future__ import annotations

from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.contracts.authority import AuthorityRole
from caimi.contracts.identifiers import Account as Native
from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.machine.administration import MachineAdministered, audit_route, plan_route
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import (
    Account,
    Ledger,
    LedgerPlace,
    LedgerPlan,
    Outbox,
    PlannedStep,
    RouteEnd,
    Signer,
)
from sqlite_ledger.machine import SqliteMachine
from sqlite_ledger.settings import machine_of


class SqliteAdministration:
    """For whoever administers ledgers in files (port `Administration`)."""

    async def deploy(
        self,
        place: LedgerPlace,
        signer: Signer,
        *,
        guardian: bytes | None = None,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerSection:
        """Found a ledger with CAIMI's contracts in the place's file, unless `signer` has.

        Raises:
            ConfigInvalid: the place is not told in that way, or others administer what is there.
            LedgerUnavailable, WrongLedger: there can be no such file, or it holds another ledger.
        """
        section = _section(place)
        machine = machine_of(section)
        try:
            machine.found(signer.account, guardian or signer.account)
        except FileExistsError:
            await _check_own(machine, signer)
        finally:
            await machine.aclose()
        return section

    async def plan(
        self,
        place: LedgerPlace,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerPlan:
        """Tell that the file is founded; that costs nothing."""
        there = machine_of(_section(place)).file.exists()
        step = PlannedStep("Founding the ledger in its file", 0, there)
        return LedgerPlan(place.id, Account(place.id, account), (step,))

    async def audit(self, section: LedgerSection) -> list[str]:
        """Check that the file is there and holds the ledger; who reads it has the rules itself."""
        machine = machine_of(section)
        try:
            await machine.check()
        finally:
            await machine.aclose()
        return []

    async def plan_route(
        self,
        end: RouteEnd,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "route",
    ) -> LedgerPlan:
        """Tell what adding a route's end takes."""
        return await plan_route(end, account, outbox=outbox, key=key)

    async def audit_route(self, end: RouteEnd, client_id: str) -> list[str]:
        """Say what of a route's end is not as it was asked for."""
        return await audit_route(end, client_id)

    def administered(self, ledger: Ledger, signer: Signer) -> MachineAdministered:
        """Take one of this family's ledgers."""
        assert isinstance(ledger, MachineLedger), "the ledger is of this family"
        return MachineAdministered(ledger, signer)


def _section(place: LedgerPlace) -> LedgerSection:
    known = {"id": place.id, "name": place.name, "family": place.family, **place.told}
    try:
        return LedgerSection.model_validate(known)
    except ValidationError as error:
        raise ConfigInvalid(f"{place.id}: {error.errors()[0]['msg']}.") from error


async def _check_own(machine: SqliteMachine, signer: Signer) -> None:
    """Check that it is the ledger that is in its file, and is administered by `signer`."""
    await machine.check()
    authority, administrator = machine.contracts.authority, AuthorityRole.ADMINISTRATOR
    if not authority.has(machine.state, administrator, Native(signer.account)):
        raise ConfigInvalid(
            f"{machine.id} is in its file already, and {signer.account!r} does not administer it.",
            why="A ledger is founded once.",
            next_step="Name another file.",
        )
