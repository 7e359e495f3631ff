"""Putting CAIMI on a configured ledger: planned, written down, done once, checked, configured.

One deployment of a ledger is under way in a journal at a time. Its transactions are in the
journal's outbox, so that a run which was killed is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caimi.composition.config_file import add_to_ledger
from caimi.composition.joining import administration_of
from caimi.composition.ledgers import family_of
from caimi.config import Config, ConfigSource, LedgerSection, PlaceSection
from caimi.errors.deploying import DeploymentBegun, DeploymentDiffers
from caimi.errors.operations import BegunOtherwise, UnknownLedger
from caimi.journal import Journal, Operation, operation_key
from caimi.ledgers.port import (
    Account,
    LedgerId,
    LedgerPlace,
    LedgerPlan,
    Outbox,
    SignedCall,
    Signer,
)

KIND = "deploy"


def native_on(place: LedgerPlace, account: str) -> bytes:
    """Read an account of a ledger that CAIMI may not be on yet; raises `InvalidAccountId`."""
    return family_of(place).accounts(place).parse(account).native


@dataclass(frozen=True, slots=True)
class TellingOutbox:
    """An outbox that says what is written down in it."""

    outbox: Outbox
    tell: Callable[[str], None]

    async def sent(self, key: str) -> SignedCall | None:
        """See `Outbox.sent`."""
        return await self.outbox.sent(key)

    async def record(self, key: str, call: SignedCall) -> None:
        """See `Outbox.record`."""
        await self.outbox.record(key, call)
        self.tell(call.what)


def find_place(config: Config, name: str) -> LedgerPlace | LedgerSection:
    """Give what the configuration says of a ledger: where CAIMI is, or where it can be put.

    Raises:
        UnknownLedger: it says nothing.
    """
    for place in config.places:
        if name in (place.id, place.name):
            return _place_of(place)
    try:
        section = config.ledger(name)
    except UnknownLedger as error:
        error.next_step = "Use one of the listed ledgers, or add a [[ledgers]] section for it."
        raise
    family = family_of(section)
    if family.places is None or family.places.model_fields.keys() != (
        family.settings.model_fields.keys()
    ):
        return section
    return _place_of(section)  # a section of such a family is the same before and after


def _place_of(section: PlaceSection | LedgerSection) -> LedgerPlace:
    told = dict(section.model_extra or {})
    return LedgerPlace(LedgerId(section.id), section.name, told, section.family)


async def check_deployed(section: LedgerSection) -> None:
    """Check that CAIMI is on a ledger as this version puts it there.

    Raises:
        DeploymentDiffers: it is not; says what is wrong.
        LedgerUnavailable, WrongLedger…: the ledger is not there.
    """
    wrong = await administration_of(section).audit(section)
    if wrong:
        raise DeploymentDiffers(f"On {section.id} {'; '.join(wrong)}.")


async def end_deployment(journal: Journal, section: LedgerSection) -> None:
    """End a deployment that was killed after it was configured, or was configured by hand."""
    known = await journal.find(operation_key(KIND, section.id))
    if known is None or known.finished:
        return
    async with journal.operation(KIND, section.id) as operation:
        await operation.finish()


class Deploying:
    """One deployment, while its operation is held: planned, carried out, and written down."""

    def __init__(
        self,
        operation: Operation,
        journal: Journal,
        place: LedgerPlace,
        source: ConfigSource,
    ) -> None:
        self._operation = operation
        self._journal = journal
        self._place = place
        self._source = source
        self._office = administration_of(place)
        self.gone = False
        """Whether `known` found that nothing is left of what an earlier run put there."""

    async def known(self) -> LedgerSection | None:
        """Give the section of a deployment that an earlier run ended, when it is still there.

        None where there was none, or where the ledger has nothing of it any more: then it is
        `gone`, and stays written down until it is begun anew.

        Raises:
            DeploymentDiffers: something else is at its addresses, or at some of them nothing.
            LedgerBehind: the node may not know of it yet.
        """
        said = self._operation.facts.get("section")
        if not isinstance(said, dict):
            return None
        place = self._place  # which may be told otherwise by now
        known = {**said, "name": place.name, "family": place.family, **place.told}
        section = LedgerSection.model_validate(known)
        wrong = await self._office.audit(section)
        if not wrong:
            return section
        self.gone = await self._office.gone(section)
        if self.gone:
            return None
        raise DeploymentDiffers(f"On {section.id} {'; '.join(wrong)}.")

    async def plan(
        self, account: Account, guardian: bytes | None, *, anew: bool = False
    ) -> LedgerPlan:
        """Tell what is left to be done by an account; `anew`, all of it, whatever was begun.

        Raises:
            DeploymentBegun: another account began.
            BegunOtherwise: it was begun with another guardian.
            LedgerUnavailable, WrongLedger…: the ledger is not there.
        """
        if anew:
            return await self._office.plan(self._place, account.native)
        plan = await self._office.plan(
            self._place, account.native, outbox=self._journal, key=self._operation.key
        )
        facts = self._operation.facts
        begun = [facts.get("account"), facts.get("guardian")]
        terms = _terms(account, guardian)
        if begun[0] is not None and begun != terms:
            if begun[0] != terms[0]:
                done = sum(step.begun for step in plan.steps)
                raise DeploymentBegun(
                    f"A deployment on {self._place.id} was begun by the account {begun[0]}, which "
                    f"has sent {done} of {len(plan.steps)} transactions; this is {terms[0]}."
                )
            raise BegunOtherwise(
                f"The deployment on {self._place.id} was begun with {begun[1]} as its guardian."
            )
        return plan

    async def begin_anew(self) -> None:
        """Forget what was begun or ended before: for who has agreed to a plan `anew`."""
        await self._operation.reopen()

    async def carry_out(
        self, signer: Signer, guardian: bytes | None, tell: Callable[[str], None]
    ) -> LedgerSection:
        """Do what is left, check all of it, and write it into the configuration.

        Raises:
            DeploymentDiffers: the ledger does not show what was put there.
            ConfigNotWritten: see `add_to_ledger`; running again goes on from there.
        """
        account = Account(self._place.id, signer.account)
        begun, chosen = _terms(account, guardian)
        await self._operation.note(account=begun, guardian=chosen)
        section = await self._office.deploy(
            self._place,
            signer,
            guardian=guardian,
            outbox=TellingOutbox(self._journal, tell),
            key=self._operation.key,
        )
        tell("Checking what is on the ledger")
        wrong = await self._office.audit(section)
        if wrong:
            raise DeploymentDiffers(f"On {section.id} {'; '.join(wrong)}.")
        await self._operation.note(section=section.model_dump(mode="json", exclude_none=True))
        await self.configure(section)
        return section

    async def configure(self, section: LedgerSection) -> None:
        """Write where CAIMI is into the configuration, and end the operation."""
        said = section.model_dump(mode="json", exclude_none=True)
        known = {"id", "name", "family", *self._place.told}
        added = {name: value for name, value in said.items() if name not in known}
        if added:
            add_to_ledger(self._source.file, section.id, added, self._source.table)
        await self._operation.finish()


def _terms(account: Account, guardian: bytes | None) -> list[str]:
    return [str(account), f"0x{(guardian or account.native).hex()}"]
