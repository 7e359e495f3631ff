"""Founding ledgers on channels, and joining them to others."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.config.section import what_is_wrong
from caimi.errors.fabric import (
    FabricChaincodeMissing,
    FabricChaincodeRefused,
    FabricFoundedOtherwise,
    FabricFoundingWaits,
    FabricLifecycleUntold,
    FabricProcessSilent,
    FabricTermsRefused,
)
from caimi.errors.operations import ConfigInvalid
from caimi.extras import extra_named
from caimi.ledgers.fabric.settings import FabricLifecycle, FabricPlace, FabricSettings, path_of
from caimi.ledgers.fabric.terms import NOT_AGREED, FoundingTerms
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
from caimi.logs import logger

if TYPE_CHECKING:
    from caimi.ledgers.fabric.lifecycle.own_part import OwnPart
    from caimi.ledgers.fabric.machine import FabricMachine

_log = logger(__name__)


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
        """Do this organisation's part on the channel, if it is told how, and found the ledger.

        Whoever is not the administrator that the organisation's terms name waits for that one.

        Raises:
            ConfigInvalid: the place is not told in that way.
            FabricApprovalsMissing: other organisations have to approve the chaincode first.
            FabricLifecycleUntold: it is not on the channel, and how is not told.
            FabricProcessSilent: it is, and no process of it answers.
            FabricFoundingWaits: the terms' administrator has not founded it.
            FabricFoundedOtherwise: it was founded on other terms.
            FabricTermsRefused: an organisation did not agree to these terms.
            LedgerUnavailable: no peer answers.
        """
        said = _said(place)
        terms = _terms(place, said, signer.account, guardian)
        package = None
        if said.lifecycle is not None:
            async with _own_part(said, said.lifecycle) as own:
                package = await own.carry_out(_log.info)
        machine = _machine(place.id, said)
        try:
            found = await _answer(machine, said, package)
            if found is None:
                await _found(machine, terms, signer.account)
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
        """Tell what is left of this organisation's part, and of the founding; see the port.

        Raises as `deploy`, but for what waits.
        """
        said = _said(place)
        steps: list[PlannedStep] = []
        if said.lifecycle is not None:
            async with _own_part(said, said.lifecycle) as own:
                steps = [PlannedStep(what, 0, done) for what, done in await own.steps()]
        begun = False
        if all(step.begun for step in steps):
            machine = _machine(place.id, said)
            try:
                begun = await _answer(machine, said, None) is not None
            finally:
                await machine.aclose()
        steps.append(PlannedStep(f"Founding {place.id}", 0, begun))
        return LedgerPlan(place.id, Account(place.id, account), tuple(steps))

    async def audit(self, section: LedgerSection) -> list[str]:
        """Check that the ledger is there, and this organisation's part as its section says."""
        wrong = await super().audit(section)
        settings = _settings(section)
        if settings.lifecycle is not None:
            async with _own_part(settings, settings.lifecycle) as own:
                wrong += [
                    f"this is not done: {what}" for what, done in await own.steps() if not done
                ]
        return wrong

    async def plan_upgrade(self, section: LedgerSection, account: bytes) -> LedgerPlan:
        """Tell what is left of this organisation's part (port `Upgrading`); raises as `upgrade`."""
        settings, steps = _settings(section), []
        if settings.lifecycle is not None:
            async with _own_part(settings, settings.lifecycle) as own:
                steps = [PlannedStep(what, 0, done) for what, done in await own.steps()]
        ledger = LedgerId(section.id)
        return LedgerPlan(ledger, Account(ledger, account), tuple(steps))

    async def upgrade(self, section: LedgerSection) -> None:
        """Do this organisation's part of another version, or of another package of its own.

        Raises:
            FabricApprovalsMissing: other organisations have to approve it first.
            LedgerUnavailable: the peer does not answer.
        """
        settings = _settings(section)
        if settings.lifecycle is not None:
            async with _own_part(settings, settings.lifecycle) as own:
                await own.carry_out(_log.info)


def _terms(
    place: LedgerPlace, said: FabricPlace, account: bytes, guardian: bytes | None
) -> FoundingTerms:
    """Give what this organisation agreed to: its file of terms, or else `account`'s own.

    Raises:
        FabricTermsInvalid: the file says none.
        ConfigInvalid: it says something else than the ledger's section, or another guardian.
    """
    if said.lifecycle is None:
        stops = (guardian or account).decode()
        return FoundingTerms(place.id, account.decode(), stops, said.accounting)
    file = path_of(said.lifecycle.terms)
    terms = FoundingTerms.read_file(file)
    wrong = [
        what
        for what, differs in (
            (f"they are of {terms.ledger}", terms.ledger != place.id),
            ("their accounting asset is another", terms.accounting != said.accounting),
            (
                f"their guardian is {terms.guardian}",
                guardian is not None and guardian.decode() != terms.guardian,
            ),
        )
        if differs
    ]
    if wrong:
        raise ConfigInvalid(
            f"The terms in {file} are not those of {place.id} here: {'; '.join(wrong)}.",
            why="The ledger's section and the terms that organisations compare say the same.",
            next_step="Correct the section, or write the terms again with `caimi fabric terms`.",
        )
    return terms


async def _answer(
    machine: FabricMachine, said: FabricPlace, package: str | None
) -> FoundingTerms | None:
    """Ask the chaincode for its terms.

    Raises:
        FabricLifecycleUntold, FabricProcessSilent: there is none, or none that answers.
    """
    try:
        return await machine.terms()
    except FabricChaincodeMissing as error:
        with extra_named("fabric"):
            from caimi.ledgers.fabric.connecting import is_committed  # noqa: PLC0415 - an extra

        if not await is_committed(said):
            raise FabricLifecycleUntold(
                f"{said.chaincode} is not on the channel {said.channel}."
            ) from error
        named = f" of package {package}" if package else ""
        raise FabricProcessSilent(
            f"{said.chaincode} is on the channel {said.channel}, and its process at {said.msp} "
            f"does not answer: {error.what}",
            next_step=(
                f"Start `caimi service chaincode`{named} where the package says, at every "
                "organisation. Then run the same command again."
            ),
        ) from error


async def _found(machine: FabricMachine, terms: FoundingTerms, account: bytes) -> None:
    if terms.administrator.encode() != account:
        raise FabricFoundingWaits(
            f"{machine.id} is founded by {terms.administrator}, and this is {account.decode()}."
        )
    try:
        await machine.found(terms)
    except FabricChaincodeRefused as refused:
        if await machine.terms() is not None:  # somebody else was quicker, or a retry of ours
            return
        if NOT_AGREED in refused.said:
            raise FabricTermsRefused(
                f"An organisation does not agree to the terms {terms.fingerprint}: {refused.what}"
            ) from refused
        raise


def _own_part(
    said: FabricPlace, lifecycle: FabricLifecycle
) -> AbstractAsyncContextManager[OwnPart]:
    with extra_named("fabric"):
        from caimi.ledgers.fabric.connecting import own_part  # noqa: PLC0415 - an extra

    return own_part(said, lifecycle)


def _said(place: LedgerPlace) -> FabricPlace:
    try:
        return FabricPlace.model_validate(dict(place.told))
    except ValidationError as error:
        raise ConfigInvalid(f"{place.id}: {what_is_wrong(error)}.") from error


def _of_section(section: LedgerSection) -> FabricMachine:
    settings = _settings(section)
    return _machine(LedgerId(section.id), settings, settings.terms)


def _settings(section: LedgerSection) -> FabricSettings:
    settings = section.settings
    assert isinstance(settings, FabricSettings), "the section is of this family"
    return settings


def _machine(ledger: LedgerId, place: FabricPlace, terms: str | None = None) -> FabricMachine:
    with extra_named("fabric"):
        from caimi.ledgers.fabric.connecting import machine_over  # noqa: PLC0415 - an extra

    return machine_over(ledger, place, place.peers, terms=terms)
