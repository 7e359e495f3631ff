"""What a treasury counts, for Prometheus; docs/runbook.md says what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from caimi.client.refilling.rounds import Refilled, RefillOutcome
from caimi.client.refilling.sight import TreasurySight
from caimi.errors.base import CaimiError
from caimi.ledgers.port import Account, AccountCodec, LedgerId

_COINS: Final = "in the ledger's smallest coin"


class TreasuryMetrics:
    """What the treasuries of one process count."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        account, ledger = ("ledger", "account"), ("ledger",)
        self.balance = self._gauge("caimi_account_balance", f"What it has, {_COINS}", account)
        self.floor = self._gauge(
            "caimi_account_floor", f"Below it it is refilled, {_COINS}", account
        )
        self.stopped = self._gauge(
            "caimi_refill_stopped",
            "1 while an account lacks coins and gets none, by the error's code",
            (*account, "code"),
        )
        self.treasury = self._gauge(
            "caimi_treasury_balance", f"What the treasury has, {_COINS}", ledger
        )
        self.low = self._gauge(
            "caimi_treasury_low", f"What the treasury should have at least, {_COINS}", ledger
        )
        self.spent = self._gauge(
            "caimi_treasury_spent", f"What left it within 24 hours, {_COINS}", ledger
        )
        self.cap_left = self._gauge(
            "caimi_treasury_cap_left", f"What may leave it besides, {_COINS}", ledger
        )
        self.seen = self._gauge(
            "caimi_treasury_seen_seconds",
            "When a round last came to its end, Unix seconds",
            ledger,
        )
        self.refilled = Counter(
            "caimi_refilled", f"Coins that accounts got, {_COINS}", account, registry=self.registry
        )
        self.failures = Counter(
            "caimi_treasury_failures",
            "Rounds that did not come to their end, by the error's code",
            ("ledger", "code"),
            registry=self.registry,
        )

    def _gauge(self, name: str, what: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry)

    def saw(self, sight: TreasurySight, accounts: AccountCodec) -> None:
        """Take what a round found."""
        ledger, limits = sight.terms.account.ledger, sight.terms.limits
        for who, held in sight.seen.accounts.items():
            place = (ledger, accounts.text(who))
            self.balance.labels(*place).set(held.units)
            self.floor.labels(*place).set(limits.floor.units)
        self.treasury.labels(ledger).set(sight.seen.treasury.units)
        self.low.labels(ledger).set(limits.low.units)
        self.spent.labels(ledger).set(sight.spent.units)
        self.cap_left.labels(ledger).set(sight.left.units)

    def paid(self, done: Refilled, accounts: AccountCodec) -> None:
        """Count one payment."""
        place = (done.account.ledger, accounts.text(done.account))
        self.refilled.labels(*place).inc(done.amount.units)

    def ended(self, sight: TreasurySight, outcome: RefillOutcome, accounts: AccountCodec) -> None:
        """Take what a round did, and whom it left without."""
        ledger = sight.terms.account.ledger
        without = {(who, kind.code) for kind, several in outcome.without.items() for who in several}
        for who in sight.seen.accounts:
            for kind in outcome.without:
                stopped = (who, kind.code) in without
                self._stop(who, kind.code, accounts, stopped=stopped)
        self.seen.labels(ledger).set(self._clock())

    def failed(self, ledger: LedgerId, error: CaimiError) -> None:
        """Count a round that did not come to its end."""
        self.failures.labels(ledger, error.code).inc()

    def _stop(self, who: Account, code: str, accounts: AccountCodec, *, stopped: bool) -> None:
        self.stopped.labels(who.ledger, accounts.text(who), code).set(stopped)
