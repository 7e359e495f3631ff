"""One round of a ledger's treasury: look, plan, pay; killed anywhere, nothing is paid twice.

A payment is written down when it is decided, before anything is signed, and counts from then on.
Its transaction goes through the journal's outbox under the payment's number, and stays there until
it is final. Before a round decides anything it sees to what earlier ones began: what was signed and
is not included, or no more, is sent again as it is; what never was signed is forgotten. An account
is given nothing while a payment to it is open. One process at a time is at a treasury.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from caimi.client.refilling.looking import TRANSFER_WORK, Viewpoints
from caimi.client.refilling.planning import PlannedRefill
from caimi.client.refilling.recipients import TreasuryTerms
from caimi.client.refilling.sight import TreasurySight
from caimi.client.refilling.spending import Clocks, Spending
from caimi.errors.base import CaimiError
from caimi.errors.ledgers import (
    InsufficientFunds,
    TransactionDisplaced,
    TransactionReverted,
    WorkAboveBound,
)
from caimi.errors.treasury import RefillCapped, RefillRefused, TreasuryShort
from caimi.journal import Journal, Operation, operation_key
from caimi.ledgers.port import Account, AccountCodec, Money, Signer, offered

KIND: Final = "treasury"


@dataclass(frozen=True, slots=True)
class Refilled:
    """Coins that an account was sent, and the transaction that did it."""

    account: Account
    amount: Money
    tx: str


@dataclass(frozen=True, slots=True)
class RefillOutcome:
    """What a round did, and who went without: by the cap, for want of coins, or by refusing."""

    refilled: tuple[Refilled, ...] = ()
    capped: tuple[Account, ...] = ()
    short: tuple[Account, ...] = ()
    refused: tuple[Account, ...] = ()

    @property
    def without(self) -> dict[type[CaimiError], tuple[Account, ...]]:
        """Who went without coins, by the error that says why."""
        return {
            RefillRefused: self.refused,
            RefillCapped: self.capped,
            TreasuryShort: self.short,
        }

    def failures(self, accounts: AccountCodec) -> list[CaimiError]:
        """Give an error for each reason that kept coins from an account."""
        said = {
            RefillRefused: "was refused",
            RefillCapped: "would go beyond the daily cap",
            TreasuryShort: "is more than the treasury can spare",
        }
        return [
            kind(f"Refilling {', '.join(map(accounts.text, who))} on {who[0].ledger} {said[kind]}.")
            for kind, who in self.without.items()
            if who
        ]


class LedgerTreasury:
    """The treasury of one ledger. `clock` gives Unix seconds."""

    def __init__(
        self,
        viewpoints: Viewpoints,
        terms: TreasuryTerms,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._viewpoints = viewpoints
        self._clock = clock
        self._intent = (viewpoints.first.id, terms.account.native.hex())
        self.terms = terms
        self.ledger = viewpoints.first

    async def look(self, journal: Journal | None) -> TreasurySight:
        """Tell how all stands, without a key, and while another process may be at it.

        Without a journal nothing was ever paid.

        Raises:
            LedgerUnavailable…: too few of its nodes answer.
            ClockBehind: this machine's clock is far behind the ledger's.
            JournalDamaged…: what was paid cannot be told.
        """
        key = operation_key(KIND, *self._intent)
        record = None if journal is None else await journal.find(key)
        return await self._sight(Spending.of_facts(record.facts if record else {}))

    @asynccontextmanager
    async def round(self, journal: Journal) -> AsyncIterator[RefillRound]:
        """Hold the treasury and look; nobody else pays out of it meanwhile.

        Raises as `look`, and `JournalBusy` while another process is at it.
        """
        async with journal.operation(KIND, *self._intent) as operation:
            payments = _Payments(self, journal, operation)
            await payments.forget_unsigned()
            yield RefillRound(payments, await self._sight(payments.spending))

    async def _sight(self, spending: Spending) -> TreasurySight:
        accounts, machine = [each.account for each in self.terms.recipients], self.now()
        floor = self.terms.limits.floor
        seen = await self._viewpoints.look(self.terms.account, accounts, floor, machine)
        return TreasurySight(self.terms, seen, spending, Clocks(machine, seen.time))

    def now(self) -> int:
        """Give this machine's time."""
        return int(self._clock())


class RefillRound:
    """A treasury that is held, as it was seen."""

    def __init__(self, payments: _Payments, sight: TreasurySight) -> None:
        self._payments = payments
        self.sight = sight

    async def carry_out(
        self, signer: Signer, told: Callable[[Refilled], None] = lambda done: None
    ) -> RefillOutcome:
        """Finish what is pending, then carry the plan out; `told` is called after each payment.

        What payments cost counts as they are made: later ones may be smaller than planned.

        Raises:
            InsufficientFunds: the treasury cannot even pay for a transaction that it signed.
            TransactionStuck, LedgerUnavailable…: one has not ended; the next round finishes it.
        """
        payments, sight = self._payments, self.sight
        refilled, refused = list[Refilled](), list[Account]()

        async def settle(number: int) -> Money:
            done = await payments.settle(number, signer)
            if done.tx is None:
                refused.append(done.account)
            elif done.newly:
                refilled.append(Refilled(done.account, done.amount, done.tx))
                told(refilled[-1])
            return done.taken

        for each in sight.spending.open:
            await settle(each.number)
        sight = sight.with_open(payments.spending)
        while sight.plan.refills:
            due = sight.plan.refills[0]
            number = await payments.decide(due)
            try:
                taken = await settle(number)
            except InsufficientFunds:
                if payments.is_open(number):
                    raise
                short = (*(each.account for each in sight.plan.refills), *sight.plan.short)
                return RefillOutcome(tuple(refilled), sight.plan.capped, short, tuple(refused))
            sight = sight.after(due.account, payments.spending, taken)
        plan = sight.plan
        return RefillOutcome(tuple(refilled), plan.capped, plan.short, tuple(refused))


@dataclass(frozen=True, slots=True)
class _Settled:
    """What became of a payment: `taken` left the treasury for it, or may have.

    `tx` is None where the account refused it; `newly` tells that it was not included before.
    """

    account: Account
    amount: Money
    tx: str | None
    newly: bool
    taken: Money


class _Payments:
    """The payments of a treasury that is held: written down, sent, dated."""

    def __init__(self, treasury: LedgerTreasury, journal: Journal, operation: Operation) -> None:
        self._treasury = treasury
        self._journal = journal
        self._operation = operation
        self.spending = Spending.of_facts(operation.facts)

    async def forget_unsigned(self) -> None:
        """Forget decisions of which nothing was signed: the next look may find otherwise."""
        for each in self.spending.open:
            if not await self._operation.sent(_step(each.number)):
                await self._keep(self.spending.dropped(each.number))

    async def decide(self, refill: PlannedRefill) -> int:
        """Write a decision down; gives its number."""
        await self._keep(self.spending.decided(refill.account, refill.amount))
        return self.spending.number

    def is_open(self, number: int) -> bool:
        """Tell whether a payment is open still."""
        return any(each.number == number for each in self.spending.open)

    async def settle(self, number: int, signer: Signer) -> _Settled:
        """Carry an open payment out, and end it if that is final.

        What an account refuses after it was signed counts as paid all the same, and so does what
        will never be included, as the ledger's node says.
        """
        ledger = self._treasury.ledger
        coins = offered(ledger.coins, ledger.id, "coin")
        (payment,) = (each for each in self.spending.open if each.number == number)
        account = Account(ledger.id, bytes.fromhex(payment.account))
        amount, nothing = coins.asset.of(payment.units), coins.asset.of(0)
        try:
            done = await ledger.submit(
                coins.transfer(account, amount).at_most(TRANSFER_WORK).signed_once(),
                signer,
                outbox=self._journal,
                key=self._operation.outbox_key(_step(number)),
            )
        except CaimiError as error:
            signed = await self._operation.sent(_step(number))
            if not signed:
                await self._keep(self.spending.dropped(number))
            vain = isinstance(error, (TransactionReverted, TransactionDisplaced, WorkAboveBound))
            if not vain:
                raise
            if not signed:
                return _Settled(account, amount, None, newly=False, taken=nothing)
            await self._end(number, (await ledger.head()).time, 0)
            if isinstance(error, TransactionDisplaced):
                raise
            return _Settled(account, amount, None, newly=False, taken=amount)
        cost = coins.asset.of(0 if done.fee is None else done.fee.units)
        if done.height <= (await ledger.finalized()).height:
            await self._end(number, done.time, cost.units)
        elif payment.height != done.height:
            await self._keep(self.spending.included(number, done.height, cost.units))
        newly = payment.height is None
        return _Settled(account, amount, done.tx, newly, amount + cost)

    async def _end(self, number: int, ledger_time: int, cost: int) -> None:
        clocks = Clocks(self._treasury.now(), ledger_time)
        await self._keep(self.spending.ended(number, clocks, cost))
        await self._operation.forget(_step(number))

    async def _keep(self, spending: Spending) -> None:
        self._operation.finished = True  # what is left over is found by the next round
        await self._operation.note(**spending.facts())
        self.spending = spending


def _step(number: int) -> str:
    return f"refill-{number}"
