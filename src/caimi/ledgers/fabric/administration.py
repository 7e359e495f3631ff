"""Founding ledgers on channels, and joining them to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.config.section import what_is_wrong
from caimi.errors.fabric import FabricChaincodeRefused, FabricFoundedOtherwise
from caimi.errors.operations import ConfigInvalid
from caimi.extras import extra_named
from caimi.ledgers.fabric.settings import FabricPlace, FabricSettings
from caimi.ledgers.fabric.terms import FoundingTerms
from caimi.ledgers.machine.administration import MachineAdministration
from caimi.ledgers.port import (
    Account,
    LedgerId,
    LedgerPlace,
    LedgerPlan,
    Outbox,
    PlannedStep,
    Signer,
)

if TYPE_CHECKING:
    from caimi.ledgers.fabric.machine import FabricMachine


class FabricAdministration(MachineAdministration):
    """For whoever administers ledgers on channels (port `Administration`)."""

    def __init__(self) -> None:
        super().__init__(_of_section)

    async def deploy(
        self,
        place: LedgerPlace,
        signer: Signer,
        *,
        guardian: bytes | None = None,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerSection:
        """Found the ledger where the channel has CAIMI's chaincode, unless `signer` has.

        Raises:
            ConfigInvalid: the place is not told in that way.
            FabricFoundedOtherwise: it was founded on other terms.
            FabricChaincodeMissing: the chaincode is not on the channel.
            FabricChaincodeRefused: an organisation did not agree to these terms.
            LedgerUnavailable: no peer answers.
        """
        said = _said(place)
        terms = FoundingTerms(
            place.id,
            signer.account.decode(),
            (guardian or signer.account).decode(),
            said.accounting,
        )
        machine = _machine(place.id, said)
        try:
            if await machine.terms() is None:
                await _found(machine, terms)
            found = await machine.terms()
        finally:
            await machine.aclose()
        if found != terms:
            on = "none" if found is None else f"{found.fingerprint} of {found.administrator}"
            raise FabricFoundedOtherwise(
                f"The terms of {place.id} are {on}, not {terms.fingerprint} of "
                f"{terms.administrator}."
            )
        known = {"id": place.id, "name": place.name, "family": place.family, **place.told}
        return LedgerSection.model_validate({**known, "terms": terms.fingerprint})

    async def plan(
        self,
        place: LedgerPlace,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerPlan:
        """Tell that the ledger is founded, where it is not; see `Administration.plan`."""
        machine = _machine(place.id, _said(place))
        try:
            begun = await machine.terms() is not None
        finally:
            await machine.aclose()
        step = PlannedStep(f"Founding {place.id}", 0, begun)
        return LedgerPlan(place.id, Account(place.id, account), (step,))


async def _found(machine: FabricMachine, terms: FoundingTerms) -> None:
    try:
        await machine.found(terms)
    except FabricChaincodeRefused:
        if await machine.terms() is None:  # else somebody else was quicker, or a retry of ours
            raise


def _said(place: LedgerPlace) -> FabricPlace:
    try:
        return FabricPlace.model_validate(dict(place.told))
    except ValidationError as error:
        raise ConfigInvalid(f"{place.id}: {what_is_wrong(error)}.") from error


def _of_section(section: LedgerSection) -> FabricMachine:
    settings = section.settings
    assert isinstance(settings, FabricSettings), "the section is of this family"
    return _machine(LedgerId(section.id), settings, settings.terms)


def _machine(ledger: LedgerId, place: FabricPlace, terms: str | None = None) -> FabricMachine:
    with extra_named("fabric"):
        from caimi.ledgers.fabric.connecting import machine_over  # noqa: PLC0415 - an extra

    return machine_over(ledger, place, place.peers, terms=terms)
