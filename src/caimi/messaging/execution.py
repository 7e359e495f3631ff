"""Carrying out what a relayer decided to do: any action, in batches, proved, priced and sent."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import CallInvalid, FeeAboveCap, LedgerRefused, TransactionReverted
from caimi.errors.messaging import ClaimPending, InvalidProof, RangeTooLarge
from caimi.ledgers.port import Account, Ledger, LedgerId, SentPacket, Signer, offered
from caimi.ledgers.port.clients import LightClient
from caimi.logs import about
from caimi.messaging.actions import AnyAction, Proving, Way
from caimi.messaging.attestations import ValidatorClient
from caimi.messaging.backlog import Backlog, Name
from caimi.messaging.entries import packet_name
from caimi.messaging.open_packets import OpenPackets
from caimi.messaging.policy import Policy, RoutePolicy
from caimi.messaging.progress import Carried, Progress
from caimi.messaging.provers.choice import prover_for
from caimi.messaging.provers.prover import ProofRequest, Proposer, Prover, Signatures
from caimi.messaging.retries import FIRST_WAIT_SECONDS
from caimi.messaging.validator import MAX_ABSENCES
from caimi.messaging.workload import Workload

# While one batch's transaction waits for its block, others' signatures are gathered.
_BATCHES_AT_ONCE: Final = 4

# What one packet of a batch can be the cause of: it does not prove, the contract or the node
# refuses it, or there are too many for one transaction.
_MAY_BE_ONE_PACKET: Final = (TransactionReverted, LedgerRefused, CallInvalid, InvalidProof)


@dataclass(slots=True)
class Look:
    """One look at the ledgers: the actions taken, what came of them, and what they share."""

    progress: Progress
    actions: list[AnyAction] = field(default_factory=list)
    signatures: Signatures = field(default_factory=Signatures)
    turns: defaultdict[Way, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(_BATCHES_AT_ONCE))
    )


class Executor:
    """Carries out actions about what is `known` of the ledgers, submitting as their `signers`.

    `backlog` tells what is due, and learns what was tried. `batch` is the most entries of one
    transaction where the policy does not say.
    """

    def __init__(
        self,
        known: Mapping[LedgerId, OpenPackets],
        signers: Mapping[LedgerId, Signer],
        validators: Sequence[ValidatorClient],
        policy: Policy,
        backlog: Backlog,
        *,
        batch: int,
        observe: Callable[[Carried], None],
    ) -> None:
        self._known = known
        self._signers = signers
        self._validators = validators
        self._policy = policy
        self._backlog = backlog
        self._batch = batch
        self._observe = observe
        self._workload = Workload()
        self._provers: dict[LightClient, Prover] = {}
        self._under_way: set[Name] = set()

    # --- what goes now --------------------------------------------------------------------------

    async def take(self, look: Look, action: AnyAction, policy: RoutePolicy) -> None:
        """Take up an action, in the batches that go now, unless work is too dear there."""
        batches = self._batches(action, policy)
        if not batches or await self._too_dear(look.progress, action.at):
            return
        for batch in batches:
            part = action.of(batch)
            self._under_way.update(part.names)
            look.actions.append(part)

    def _batches(self, action: AnyAction, policy: RoutePolicy) -> list[list[Any]]:
        if not action.batch:
            return []
        most = self._batch if policy.packets is None else min(policy.packets, MAX_ABSENCES)
        if policy.work is not None:
            most = min(most, self._workload.within(action.kind, policy.work))
        named = [
            (name, entry)
            for name, entry in zip(action.names, action.batch, strict=True)
            if name not in self._under_way
        ]
        final = self._known[action.way.other].final
        return self._backlog.batches(named, policy, most, 0 if final is None else final.time)

    async def _too_dear(self, progress: Progress, ledger: LedgerId) -> bool:
        cap = self._policy.price_caps.get(ledger)
        if cap is None:
            return False
        if ledger not in progress.prices:
            progress.prices[ledger] = await self.work_price(ledger)
        if progress.prices[ledger] > cap:
            progress.capped.add(ledger)
        return ledger in progress.capped

    async def work_price(self, name: LedgerId) -> int:
        """Ask what a unit of work costs on a ledger, in its smallest coin."""
        ledger = self._known[name].ledger
        return (await offered(ledger.coins, ledger.id, "coin").work_price()).units

    # --- doing it -------------------------------------------------------------------------------

    async def carry_out(self, look: Look) -> Progress:
        """Carry out all actions of a look at once, and give what came of them."""
        await asyncio.gather(*(self._in_turn(look, each) for each in look.actions))
        return look.progress

    async def _in_turn(self, look: Look, action: AnyAction) -> None:
        try:
            with about(**action.fields):
                async with look.turns[action.way]:
                    await self._in_parts(look, action, action.names)
        finally:
            self._under_way.difference_update(action.names)

    async def _in_parts(self, look: Look, action: AnyAction, names: Sequence[Name]) -> None:
        """Carry out an action, or its halves when too much else is in the blocks it spans.

        `names` are those of the whole batch: all of it waits for a claim.
        """
        try:
            await self._carry_out(look, action)
        except ClaimPending as pending:
            self._backlog.retries.postpone(names, pending.seconds)
        except RangeTooLarge as error:
            if action.batch[0].height == action.batch[-1].height:
                look.progress.fail(error)
                return
            for half in action.halves():
                await self._in_parts(look, half, names)
        except CaimiError as error:
            look.progress.fail(error)

    async def _carry_out(self, look: Look, action: AnyAction) -> None:
        prover = await self._prover(self._known[action.at].ledger, action.client)
        prove = await action.prove(prover, self._case(look, action))
        await self._send(look.progress, action, prove)

    async def _prover(self, verifier: Ledger, client_id: str) -> Prover:
        client = await verifier.clients.of(client_id)
        if client not in self._provers:
            self._provers[client] = prover_for(client)
        return self._provers[client]

    def _case(self, look: Look, action: AnyAction) -> ProofRequest:
        source, ledger = self._known[action.about], self._known[action.at].ledger
        assert source.final is not None
        proposer = None
        if self._policy.route(action.way.source, action.way.route).propose:
            signer = self._signers[ledger.id]
            account = Account(ledger.id, signer.account)
            proposer = Proposer(account, lambda call: ledger.submit(call, signer))
        return ProofRequest(
            source.ledger, ledger, source.final, self._validators, proposer, look.signatures
        )

    async def _send(self, progress: Progress, action: AnyAction, prove: Proving[Any]) -> None:
        """Send one transaction for an action; when it is refused, one for each half, and so on."""
        self._backlog.retries.tried(action.names)
        ledger = self._known[action.at].ledger
        parts = [action]
        while parts:
            part = parts.pop()
            count = len(part.batch)
            try:
                call = part.call(ledger, prove(part.batch))
                limit = self._workload.limit(action.kind, count)
                receipt = await ledger.submit(call.within(limit), self._signers[ledger.id])
            except FeeAboveCap:
                self._backlog.retries.forgive(action.names)
                self._backlog.retries.postpone(action.names, FIRST_WAIT_SECONDS)
                progress.capped.add(ledger.id)
                return
            except _MAY_BE_ONE_PACKET as error:
                if count == 1:
                    with about(**part.fields):
                        progress.fail(error)
                    await self._doubt(part, error)
                else:
                    parts += reversed(part.halves())
                continue
            self._workload.took(action.kind, count, receipt.work)
            carried = Carried(part.what, part.way.route, count, receipt, part.income)
            progress.carried.append(carried)
            with about(**part.fields):
                self._observe(carried)

    async def _doubt(self, action: AnyAction, refusal: CaimiError) -> None:
        """Find out whether a refused entry is what its ledgers keep; if not, it is read again."""
        (entry,) = action.batch
        source, way = packet_name(entry), action.way
        dest = (way.route.counterparty_client_id, source[1])
        untraceable = isinstance(refusal, InvalidProof)
        answered = not isinstance(entry, SentPacket)
        lies = [
            await self._known[way.source].doubt(
                source, of_sent=True, untraceable=untraceable and not answered
            ),
            await self._known[way.other].doubt(
                dest, of_sent=False, untraceable=untraceable and answered
            ),
        ]
        if any(lies):
            self._backlog.retries.forgive(action.names)
