"""A treasury: it keeps the configured ledgers' service accounts in coins, under a cap a day."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from typing import Final

from caimi.client.amounts import said
from caimi.client.keyring import Keyring
from caimi.client.refilling.opening import open_treasury, treasury_sections, treasury_terms
from caimi.client.refilling.rounds import LedgerTreasury, Refilled
from caimi.config import Config, load_config
from caimi.errors.base import CaimiError
from caimi.errors.operations import JournalBusy
from caimi.journal import Journal
from caimi.ledgers.port import LedgerId, Signer
from caimi.logs import about, logger
from caimi.node.http import service
from caimi.node.roles.processes import METRICS_HOST, told_by_signals
from caimi.node.treasury_metrics import TreasuryMetrics
from caimi.persistence import open_journal

POLL_SECONDS: Final = 30.0

_log = logger(__name__)


async def run_treasury(
    config: Config, metrics_port: int | None = None, poll_seconds: float = POLL_SECONDS
) -> None:
    """Refill the accounts that the configuration's treasuries keep, until told to stop.

    Raises:
        TreasuryMissing, TreasuryInvalid: nothing is said of treasuries, or nothing to be followed.
        NotOffered: a ledger has no coin.
        KeyMissing, KeyLocked: a treasury's key cannot be opened, or there is none on its ledger.
    """
    sections = treasury_sections(config)
    terms = [await treasury_terms(config, each) for each in sections]
    signers = await _signers(config, {each.account.ledger: each.key for each in terms})
    async with (
        told_by_signals(lambda: load_config(config.file).logging) as told,
        AsyncExitStack() as stack,
    ):
        journal = stack.enter_context(closing(open_journal(config)))
        metrics = TreasuryMetrics()
        works = []
        for section in sections:
            treasury = await open_treasury(stack, config, section)
            refiller = Refiller(treasury, journal, signers[treasury.ledger.id], metrics)
            works.append(refiller.run(poll_seconds))
        if metrics_port is not None:
            app = service("CAIMI treasury", metrics.registry)
            works.append(told.serve(app, METRICS_HOST, metrics_port))
        await told.run_all(*works)


async def _signers(config: Config, keys: Mapping[LedgerId, str]) -> dict[LedgerId, Signer]:
    keyring = Keyring(config)
    opened = {name: await asyncio.to_thread(keyring.open, name) for name in {*keys.values()}}
    return {ledger: opened[name].signer_on(ledger) for ledger, name in keys.items()}


class Refiller:
    """One ledger's treasury at work."""

    def __init__(
        self, treasury: LedgerTreasury, journal: Journal, signer: Signer, metrics: TreasuryMetrics
    ) -> None:
        self._treasury = treasury
        self._journal = journal
        self._signer = signer
        self._metrics = metrics
        self._accounts = treasury.ledger.accounts

    async def run(self, poll_seconds: float) -> None:
        """Go round for ever; what fails is tried again in the next round."""
        ledger = self._treasury.ledger.id
        with about(ledger=ledger):
            while True:
                try:
                    await self.go_round()
                except JournalBusy as error:
                    _log.info("%s", error)
                except CaimiError as error:
                    self._metrics.failed(ledger, error)
                    _log.warning("%s", error)
                await asyncio.sleep(poll_seconds)

    async def go_round(self) -> None:
        """Look, and refill whom that shows to lack coins. Raises as a round does."""
        async with self._treasury.round(self._journal) as found:
            self._metrics.saw(found.sight, self._accounts)
            if found.sight.draining:
                _log.warning("The treasury has only %s.", said(found.sight.seen.treasury))
            outcome = await found.carry_out(self._signer, self._tell)
            self._metrics.ended(found.sight, outcome, self._accounts)
            for error in outcome.failures(self._accounts):
                _log.warning("%s", error)

    def _tell(self, done: Refilled) -> None:
        self._metrics.paid(done, self._accounts)
        account = self._accounts.text(done.account)
        _log.info("Sent %s to %s, %s", said(done.amount), account, done.tx)
