"""Administering by a timelock: changes are proposed, wait, and are carried out when they may be.

Nothing here waits itself. A change that is not carried out yet is told by `ChangeWaits`; the same
work done again later, under the same outbox keys, goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caimi.errors.deploying import ChangeWaits, RouteUnfit, WaitingChange
from caimi.errors.ledgers import NoTimelock, ProposalRefused, TransactionReverted
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.administration.governance import timelock_of
from caimi.ledgers.evm.administration.roles import ADMIN_ROLE, authority_of
from caimi.ledgers.evm.administration.timelock import (
    CANCELLED_OR_NEW,
    DONE,
    EXECUTOR,
    PROPOSER,
    Timelock,
    TimelockOperation,
)
from caimi.ledgers.evm.rpc.contract import NO_ADDRESS
from caimi.ledgers.port import Drafts, Outbox, Signer

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger


@dataclass(frozen=True, slots=True)
class ByTimelock:
    """Changes a ledger through its timelock, with a proposer's key or by `drafts` for one."""

    ledger: EvmLedger
    timelock: Timelock
    signer: Signer
    drafts: Drafts | None

    async def carry_out(
        self, what: str, changes: Sequence[EvmCall[object]], *, outbox: Outbox | None, key: str
    ) -> None:
        """See to it that changes are made, together and once; its outbox keys begin with `key`.

        Raises:
            ChangeWaits: they are proposed, or drafted, and may not be carried out yet.
            ProposalRefused: they were proposed under these keys, and cancelled.
            RouteUnfit: this key may not propose.
        """
        operation = await self.timelock.together(changes)
        if operation.ready_at == CANCELLED_OR_NEW:
            operation = await self._propose(what, operation, outbox, f"{key}-proposed")
        if operation.ready_at == DONE:
            return
        if (await self.ledger.head()).time < operation.ready_at:
            raise self._waits(what, operation)
        execution = self.timelock.execute(operation)
        if not await holds(self.timelock, EXECUTOR, self.signer.account):
            self._draft(execution)
            raise self._waits(what, operation)
        try:
            await self.ledger.submit(execution, self.signer, outbox=outbox, key=f"{key}-executed")
        except TransactionReverted:
            if (await self.timelock.together(changes)).ready_at != DONE:  # else somebody else did
                raise

    async def _propose(
        self, what: str, operation: TimelockOperation, outbox: Outbox | None, key: str
    ) -> TimelockOperation:
        call = await self.timelock.schedule(what, operation)
        if self.drafts is not None:
            self._draft(call)
            raise self._waits(what, operation)
        await check_proposer(self.ledger, self.timelock, self.signer.account, None)
        await self.ledger.submit(call, self.signer, outbox=outbox, key=key)
        proposed = await self.timelock.again(operation)
        if proposed.ready_at == CANCELLED_OR_NEW:
            raise ProposalRefused(
                f"{what}: it was proposed on {self.ledger.id} as 0x{operation.id.hex()}, and "
                "cancelled.",
                why="Somebody with the right to cancel did not want it.",
                next_step="Ask them; then add the route with --anew.",
            )
        return proposed

    def _draft(self, call: EvmCall[None]) -> None:
        if self.drafts is None:
            raise RouteUnfit(
                f"0x{self.signer.account.hex()} carries out no proposals on {self.ledger.id}.",
                why="Its timelock names who does; `caimi governance show` tells them.",
                next_step="Run it with an executor's key, or with --batch.",
            )
        self.drafts.draft(call)

    def _waits(self, what: str, operation: TimelockOperation) -> ChangeWaits:
        ready_at = operation.ready_at
        return ChangeWaits([WaitingChange(self.ledger.id, what, operation.id, ready_at)])


async def through_timelock(
    ledger: EvmLedger, signer: Signer, drafts: Drafts | None
) -> ByTimelock | None:
    """Give the way to a ledger's changes by its timelock; None where `signer` makes them itself."""
    if await administers(ledger, signer.account):
        return None
    timelock = await timelock_if_any(ledger)
    return None if timelock is None else ByTimelock(ledger, timelock, signer, drafts)


async def administers(ledger: EvmLedger, account: bytes) -> bool:
    """Tell whether an account administers a ledger itself, at once."""
    holds_it, delay = await authority_of(ledger).read("hasRole", ADMIN_ROLE, account)
    return bool(holds_it) and not delay


async def timelock_if_any(ledger: EvmLedger) -> Timelock | None:
    """Give the timelock that administers a ledger; None where accounts do."""
    try:
        return await timelock_of(ledger)
    except NoTimelock:
        return None


async def check_proposer(
    ledger: EvmLedger, timelock: Timelock, account: bytes, drafts: Drafts | None
) -> None:
    """Check that an account may propose, unless another one is to.

    Raises:
        RouteUnfit: it may not.
    """
    if drafts is None and not await holds(timelock, PROPOSER, account):
        raise RouteUnfit(
            f"0x{account.hex()} proposes nothing on {ledger.id}.",
            why="Its timelock administers it; `caimi governance show` tells who proposes.",
            next_step="Choose a proposer's key with --key, or write files for a multi-signature "
            "account with --batch.",
        )


async def sole_proposer(timelock: Timelock) -> bytes:
    """Give the one account that proposes to a timelock; empty where several do."""
    proposers = (await timelock.holders()).get(PROPOSER, ())
    return proposers[0] if len(proposers) == 1 else b""


async def holds(timelock: Timelock, role: bytes, account: bytes) -> bool:
    """Tell whether an account, or everybody, has a role of a timelock."""
    holders = (await timelock.holders()).get(role, ())
    return account in holders or NO_ADDRESS in holders
