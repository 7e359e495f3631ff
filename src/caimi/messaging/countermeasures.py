"""Pauses and reports that must last: tried until the final state of their ledger shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import TransactionReverted
from caimi.ledgers.past import at_final
from caimi.ledgers.port import Ledger, LedgerId, Signer, offered
from caimi.logs import about, logger
from caimi.messaging.conflicts import Conflict

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Measure:
    """A client on a ledger to pause, or to freeze with `conflict` as evidence."""

    ledger: LedgerId
    client: str
    conflict: Conflict | None = None


class Countermeasures:
    """What is still to be done on `ledgers`, each by the guardian's own of `signers`.

    Each measure goes its own way, so that a ledger that stands still holds up no other; and is
    done again when a reorganisation undid it.
    """

    def __init__(
        self, ledgers: Mapping[LedgerId, Ledger], signers: Mapping[LedgerId, Signer]
    ) -> None:
        self._ledgers = ledgers
        self._signers = signers
        self._included: dict[Measure, int] = {}  # heights; -1 before there is one
        self._running: dict[Measure, asyncio.Task[None]] = {}

    def want(self, measure: Measure) -> None:
        """Have a measure taken, from the next `take` on."""
        self._included.setdefault(measure, -1)

    async def take(self, within_seconds: float) -> list[CaimiError]:
        """Go on with all measures, and give what failed; what takes longer goes on meanwhile.

        What failed is tried again the next time.
        """
        for measure in self._included:
            if measure not in self._running:
                self._running[measure] = asyncio.create_task(self._take(measure))
        if self._running:
            await asyncio.wait(self._running.values(), timeout=within_seconds)
        failures: list[CaimiError] = []
        for measure, task in list(self._running.items()):
            if not task.done():
                continue
            del self._running[measure]
            try:
                task.result()
            except CaimiError as error:
                failures.append(error)
        return failures

    def cancel(self) -> None:
        """Let go of what is under way; it is found again after a restart."""
        for task in self._running.values():
            task.cancel()
        self._running.clear()

    async def _take(self, measure: Measure) -> None:
        ledger = self._ledgers[measure.ledger]
        final = (await ledger.finalized()).height
        if 0 <= final < self._included[measure]:
            return
        work = self._pause if measure.conflict is None else self._report
        with about(ledger=measure.ledger, client=measure.client):
            height = await work(ledger, measure, final)
        if height is None:
            del self._included[measure]
        else:
            self._included[measure] = height

    async def _pause(self, ledger: Ledger, measure: Measure, final: int) -> int | None:
        """Give the height of the pause; None when it is final."""
        client = measure.client
        watching = offered(ledger.watching, ledger.id, "watching")
        if await watching.route_paused(client):
            lasts = await at_final(final, lambda at: watching.route_paused(client, at))
            return None if lasts else -1
        receipt = await ledger.submit(watching.pause_route(client), self._signers[ledger.id])
        _log.critical("Paused %s on %s.", client, ledger.id)
        return receipt.height

    async def _report(self, ledger: Ledger, measure: Measure, final: int) -> int | None:
        """Give the height of the report; None when the client takes no report any more."""
        found = measure.conflict
        assert found is not None
        watching = offered(ledger.watching, ledger.id, "watching")
        call = await watching.report_conflict(measure.client, found.first, found.second)
        try:
            receipt = await ledger.submit(call, self._signers[ledger.id])
        except TransactionReverted as refusal:
            _log.warning("%s", refusal)  # frozen by now, or by a committee that counts no more
            return None
        _log.critical(
            "Froze %s on %s with the conflict as evidence.", measure.client, measure.ledger
        )
        return receipt.height
