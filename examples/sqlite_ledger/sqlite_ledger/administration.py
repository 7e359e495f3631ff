"""Founding ledgers in files, and joining them to others."""

from __future__ import annotations

from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.contracts.authority import AuthorityRole
from caimi.contracts.identifiers import Account as Native
from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.machine.administration import MachineAdministration
from caimi.ledgers.port import LedgerPlace, Outbox, Signer
from sqlite_ledger.machine import SqliteMachine
from sqlite_ledger.settings import machine_of


class SqliteAdministration(MachineAdministration):
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
        known = {"id": place.id, "name": place.name, "family": place.family, **place.told}
        try:
            section = LedgerSection.model_validate(known)
        except ValidationError as error:
            raise ConfigInvalid(f"{place.id}: {error.errors()[0]['msg']}.") from error
        machine = machine_of(section)
        try:
            machine.found(signer.account, guardian or signer.account)
        except FileExistsError:
            await _check_own(machine, signer)
        finally:
            await machine.aclose()
        return section


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
