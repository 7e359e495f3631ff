"""What every operation of a publisher or consumer works with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from caimi.client.assets import Assets
from caimi.client.keyring import Identity
from caimi.custody.keys import GroupKey
from caimi.custody.unlock import CustodianClient
from caimi.errors.ledgers import LedgerBehind
from caimi.errors.operations import KeyMissing, NoRoute, StillInFlight, UnknownLedger
from caimi.journal import Journal, Operation
from caimi.ledgers.port import (
    Account,
    Asset,
    Call,
    Done,
    Ledger,
    LedgerId,
    Route,
    Wallet,
    name_of,
)
from caimi.storage.port import Store

if TYPE_CHECKING:
    from caimi.messaging.attestations import ValidatorClient

T = TypeVar("T")

Progress = Callable[[str, int, int | None], None]
"""Called with (stage, done, total); total is None where it is not known, and 0 for a remark."""


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Context:
    """The ledgers, stores, custodians and key that an operation uses.

    Without `keys` there is only reading. `carry` moves packets along while an operation waits: it
    runs one relayer step, or just sleeps where a relayer service is at work. In `index_folder` is
    kept what is known of ledgers' models; without one it is read anew each time. `validators` gives
    the committee's, who can be asked what they sign.
    """

    ledgers: Mapping[LedgerId, Ledger]
    store: Store
    journal: Journal
    keys: Identity | None
    group: GroupKey | None
    custodians: Sequence[CustodianClient]
    carry: Callable[[], Awaitable[None]]
    wait_seconds: float = 120.0
    clock: Callable[[], float] = time.time
    index_folder: Path | None = None
    validators: Callable[[], Sequence[ValidatorClient]] = tuple
    assets: Assets = field(default_factory=Assets)

    @property
    def identity(self) -> Identity:
        """Who acts.

        Raises:
            KeyMissing: nobody does: this is for reading.
        """
        if self.keys is None:
            raise KeyMissing("No key was opened: this network is for reading.")
        return self.keys

    def ledger(self, ledger: str) -> Ledger:
        """Find a ledger by CAIP-2 id.

        Raises:
            UnknownLedger: it is not configured.
        """
        found = self.ledgers.get(LedgerId(ledger))
        if found is None:
            known = ", ".join(self.ledgers) or "none"
            raise UnknownLedger(f"No ledger {ledger!r} is configured; there are: {known}.")
        return found

    async def asset(self, ledger: str, symbol: str | None) -> Asset:
        """Give what is paid in on a ledger; its coin for no symbol. Raises as `Assets.used`."""
        return await self.assets.used(self.ledger(ledger), symbol)

    def text(self, account: Account | None) -> str:
        """Write an account as its ledger does."""
        if account is None:
            return "nobody"
        known = self.ledgers.get(account.ledger)
        return str(account) if known is None else known.accounts.text(account)

    def name(self, account: Account) -> str:
        """Give the CAIP-10 id of an account of a configured ledger."""
        return name_of(account, self.ledger(account.ledger).accounts)

    def wallet(self, ledger: LedgerId) -> Wallet:
        """Give the key's account on a configured ledger, to sign statements."""
        return self.ledger(ledger).accounts.wallet(self.identity.signer_on(ledger))

    async def route(self, source: LedgerId, destination: LedgerId) -> Route:
        """Find the route from one ledger to another.

        Raises:
            NoRoute: the gateways do not know each other.
        """
        for route in await self.ledger(source).gateway.routes():
            if route.counterparty == destination and route.counterparty_client_id:
                return route
        raise NoRoute(f"No route leads from {source} to {destination}.")

    async def submit(self, operation: Operation, step: str, call: Call[T]) -> Done[T]:
        """Send one of an operation's transactions; a second run finishes the first one's."""
        return await self.ledger(call.ledger).submit(
            call,
            self.identity.signer_on(call.ledger),
            outbox=self.journal,
            key=operation.outbox_key(step),
        )

    async def wait_for(
        self,
        check: Callable[[], Awaitable[T | None]],
        what: str,
        look: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Carry packets until `check` gives something; before each step `look` may tell of it.

        Raises:
            StillInFlight: it gave nothing within `wait_seconds`.
        """
        deadline = time.monotonic() + self.wait_seconds
        while True:
            found = None
            with suppress(LedgerBehind):  # one node of several; another look may be at another
                found = await check()
            if found is not None:
                return found
            if look is not None:
                await look()
            if time.monotonic() > deadline:
                raise StillInFlight(f"{what} has not ended after {self.wait_seconds:.0f} s.")
            await self.carry()
            await asyncio.sleep(0)
