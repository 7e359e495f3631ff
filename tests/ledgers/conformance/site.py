"""A place to test a ledger at: how to reach it, who has an account, and what can go wrong there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from caimi.ledgers.port import Account, Asset, Committee, Ledger, SignedCall, Signer, offered


class Site(Protocol):
    """One deployed ledger of some family, and what it is able to do."""

    @property
    def has_coin(self) -> bool:
        """Whether there is anything to pay with."""

    @property
    def keeps_past(self) -> bool:
        """Whether the state of any past block can be read."""

    @property
    def guardian(self) -> Signer:
        """Who may pause routes."""

    def open(self, patience: float = 20.0) -> Ledger:
        """Make a fresh connection, which waits so many seconds for what does not come."""

    def failing(self, failure: Exception) -> Ledger:
        """Make one whose next call takes effect, but raises `failure` in place of the answer."""

    def deep(self, blocks: int) -> Ledger:
        """Make one to which a block is final once so many more lie on it."""

    def halted(self) -> AbstractAsyncContextManager[None]:
        """Have the ledger take nothing in for a while; whether it answers then is its kind's."""

    @property
    def fork(self) -> Callable[[int], Awaitable[None]] | None:
        """What undoes so many of the newest blocks and has empty ones in their place.

        None where no block is ever undone.
        """

    async def wallet(self, name: str) -> Signer:
        """Make somebody an account, with coins where there are any."""

    async def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        """Let time pass, and make empty blocks."""

    async def outdate(self, who: Signer) -> None:
        """See to it that what an account has signed so far and not sent takes no effect any more.

        That may itself take one call of the account.
        """

    async def sent(self, who: Signer) -> int:
        """Tell how many calls of an account the ledger has included."""

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        """Add a route to another ledger, by a committee client; gives the client's id."""

    async def join(self, client_id: str, other: str, by: Signer | None = None) -> None:
        """Name the other side's client of a route; the administrator does, unless `by` tries."""

    async def report(self, client_id: str, first: bytes, second: bytes, by: Signer) -> None:
        """Show a route's client two statements that contradict each other."""

    async def recover(self, client_id: str, substitute: Account, by: Signer | None = None) -> None:
        """Give a route another client in place of a frozen one; `by` as above."""


@dataclass
class World:
    """What one test has: the ledger, and accounts of its own."""

    site: Site
    ledger: Ledger
    alice: Signer
    bob: Signer
    others: dict[str, Signer] = field(default_factory=dict)

    async def person(self, name: str) -> Signer:
        """Give somebody else, the same for one name."""
        if name not in self.others:
            self.others[name] = await self.site.wallet(name)
        return self.others[name]

    @property
    def coin(self) -> Asset:
        """The ledger's coin; raises `NotOffered` where there is none."""
        return offered(self.ledger.coins, self.ledger.id, "coin").asset

    def account(self, who: Signer) -> Account:
        """Give somebody's account on the ledger."""
        return Account(self.ledger.id, who.account)

    async def published(self, name: str = "tumour-mlp") -> bytes:
        """Have alice publish a model; gives its id."""
        await self.ledger.submit(
            self.ledger.registry.publish(name, "1.0.0", b"\x11" * 32), self.alice
        )
        return self.ledger.registry.model_id(self.account(self.alice), name)


class Killed(Exception):
    """The process dies here."""


@dataclass
class MemoryOutbox:
    """An outbox in memory that lets others go first, and can die right after it has written."""

    entries: dict[str, SignedCall] = field(default_factory=dict)
    die_after_record: bool = False

    async def sent(self, key: str) -> SignedCall | None:
        await asyncio.sleep(0)
        return self.entries.get(key)

    async def record(self, key: str, call: SignedCall) -> None:
        await asyncio.sleep(0)
        self.entries[key] = call
        if self.die_after_record:
            self.die_after_record = False
            raise Killed
