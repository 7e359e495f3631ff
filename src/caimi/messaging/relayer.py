"""The relayer: carries packets, acknowledgements and timeouts between ledgers.

Anyone may run one, any number at once; none is trusted. It needs no state but the ledgers': what it
keeps in memory is read again after a restart, and everything it sends has no effect a second time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from caimi.errors.messaging import RangeTooLarge
from caimi.ledgers.port import Account, Ledger, LedgerId, Signer
from caimi.logs import about, logger
from caimi.messaging.actions import Way
from caimi.messaging.attestations import ValidatorClient
from caimi.messaging.backlog import Backlog, Name
from caimi.messaging.decisions import decide
from caimi.messaging.execution import Executor, Look
from caimi.messaging.open_packets import OpenPackets
from caimi.messaging.policy import Policy
from caimi.messaging.progress import Carried, Progress
from caimi.messaging.retries import Retries
from caimi.messaging.validator import MAX_ABSENCES

_log = logger(__name__)
# What was found by so many looks may be under way at once.
_LOOKS_AT_ONCE: Final = 4
_OF_PACKETS: Final = ("deliver", "acknowledge", "time out")


class Relayer:
    """Carries between `ledgers`, with proofs signed by `validators`.

    It submits by the key that `signers` has for the ledger, and earns what is escrowed for that
    key's account on the ledger that sends.

    Without a `policy` it carries everything at once, and collects the fees that name it.

    Construction raises `RangeTooLarge` when `batch`, the most packets of one transaction, is not
    from 1 to `MAX_ABSENCES`.
    """

    def __init__(
        self,
        ledgers: Mapping[LedgerId, Ledger],
        validators: Sequence[ValidatorClient],
        signers: Mapping[LedgerId, Signer],
        *,
        batch: int = 100,
        policy: Policy | None = None,
        observe: Callable[[Carried], None] = lambda carried: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= batch <= MAX_ABSENCES:
            raise RangeTooLarge(f"A batch of {batch} packets is not 1 to {MAX_ABSENCES}.")
        self._policy = policy or Policy()
        self._open = {
            name: OpenPackets(ledger, ledgers, Account(name, signers[name].account))
            for name, ledger in ledgers.items()
        }
        self._backlog = Backlog(clock, self._policy.turns)
        self._rereadings = Retries(clock)
        self._executor = Executor(
            self._open,
            signers,
            validators,
            self._policy,
            self._backlog,
            batch=batch,
            observe=observe,
        )

    @property
    def open_packets(self) -> list[OpenPackets]:
        """What is known of each ledger's packets that have not ended."""
        return list(self._open.values())

    async def run(
        self, poll_seconds: float, stepped: Callable[[Progress], None] = lambda progress: None
    ) -> None:
        """Carry for ever; failures are logged and tried again, more slowly while nothing works.

        It looks on while transactions wait for their blocks. `stepped` is told what came of each
        look, once everything that it found was carried.
        """
        delay, carrying = poll_seconds, set[asyncio.Task[Progress]]()
        try:
            while True:
                progress = Progress()
                look = await self._look(progress)
                self._read_again_where_events_are_missing(progress)
                work = look.actions
                if work:
                    carrying.add(asyncio.create_task(self._executor.carry_out(look)))
                pause = 0.0 if work or progress.behind or progress.failures else delay
                if carrying and (pause or len(carrying) == _LOOKS_AT_ONCE):
                    most = None if len(carrying) == _LOOKS_AT_ONCE else pause
                    await asyncio.wait(carrying, timeout=most, return_when=asyncio.FIRST_COMPLETED)
                elif pause:
                    await asyncio.sleep(pause)
                ended = [task for task in carrying if task.done()]
                carrying.difference_update(ended)
                reports = [task.result() for task in ended] + ([] if work else [progress])
                for each in reports:
                    stepped(each)
                    for failure, said in zip(each.failures, each.about, strict=True):
                        with about(**said):
                            _log.warning("%s", failure)
                if any(each.did_anything for each in reports):
                    delay = poll_seconds
                elif any(each.failures for each in reports):
                    delay = min(delay * 2, 30 * poll_seconds)
                    await asyncio.sleep(delay)
                elif not carrying:
                    delay = poll_seconds
        finally:
            for task in carrying:
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)

    async def step(self) -> Progress:
        """Carry everything that can be carried now, all routes at once, and report.

        One route's failure does not stop another's, nor one packet's another's.
        """
        progress = Progress()
        await self._executor.carry_out(await self._look(progress))
        self._read_again_where_events_are_missing(progress)
        return progress

    async def _look(self, progress: Progress) -> Look:
        """Read what is new, and choose what to carry; what is being carried is left out."""
        known, look = self._open.values(), Look(progress)
        await asyncio.gather(*(_at(each, progress, each.scan) for each in known))
        await asyncio.gather(
            *(_at(each, progress, partial(each.forget_ended, self._open)) for each in known)
        )
        ways = [Way(name, route) for name, each in self._open.items() for route in each.routes]
        await asyncio.gather(
            *(
                _at(self._open[way.source], progress, partial(self._choose, look, way))
                for way in ways
            )
        )
        names: set[Name] = set()
        for name, each in self._open.items():
            names.update((what, name, *packet) for what in _OF_PACKETS for packet in each.sent)
            names.update(("collect", name, *packet) for packet in each.fees)
        self._backlog.keep(names)
        return look

    async def _choose(self, look: Look, way: Way) -> None:
        policy = self._policy.route(way.source, way.route)
        if not policy.carry:
            return
        source = self._open[way.source]
        found = await source.sort(way.route, self._open[way.other])
        price = await self._executor.work_price(way.source) if found.collect else 0
        wanted = decide(way, found, policy, source.paid, price)
        await asyncio.gather(*(self._executor.take(look, each, policy) for each in wanted))

    def _read_again_where_events_are_missing(self, progress: Progress) -> None:
        for name, each in self._open.items():
            if each.missing is not None and self._rereadings.due(name):
                with about(ledger=name):
                    progress.fail(each.missing)
                self._rereadings.tried([name])
                each.read_again()
        progress.behind = any(each.behind for each in self._open.values())


async def _at(known: OpenPackets, progress: Progress, work: Callable[[], Awaitable[None]]) -> None:
    with about(ledger=known.ledger.id):
        await progress.attempt(work)
