"""One ledger, with all its facets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Protocol, TypeVar

from caimi.ledgers.port.accounts import AccountCodec, ContractAccounts
from caimi.ledgers.port.blocks import Block, LedgerId
from caimi.ledgers.port.bridge import Bridge
from caimi.ledgers.port.calls import Call, Done, Outbox, SignedCall
from caimi.ledgers.port.clients import LightClients
from caimi.ledgers.port.clocks import StandingClock
from caimi.ledgers.port.coins import Coins
from caimi.ledgers.port.facts import EVERY_KIND, FactKind
from caimi.ledgers.port.feed import BlockFacts
from caimi.ledgers.port.fees import RelayFees
from caimi.ledgers.port.gateway import Gateway
from caimi.ledgers.port.keys import Signer
from caimi.ledgers.port.market import Market
from caimi.ledgers.port.receipts import ReceiptLog
from caimi.ledgers.port.registry import Registry
from caimi.ledgers.port.tokens import Tokens
from caimi.ledgers.port.watching import Watching

R = TypeVar("R")


class Ledger(Protocol):
    """One ledger with CAIMI deployed on it."""

    @property
    def id(self) -> LedgerId: ...
    @property
    def accounts(self) -> AccountCodec: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def market(self) -> Market: ...
    @property
    def bridge(self) -> Bridge: ...
    @property
    def gateway(self) -> Gateway: ...
    @property
    def clients(self) -> LightClients: ...
    @property
    def coins(self) -> Coins | None:
        """The ledger's own coin; None on ledgers that have none."""
        ...

    @property
    def tokens(self) -> Tokens | None:
        """What else is paid in; None on ledgers where nothing else is."""
        ...

    @property
    def fees(self) -> RelayFees | None:
        """Escrow for relayers; None on ledgers that have no coin to pay them with."""
        ...

    @property
    def contract_accounts(self) -> ContractAccounts | None:
        """Accounts that are contracts; None on ledgers where each has a key."""
        ...

    @property
    def standing_clock(self) -> StandingClock | None:
        """What moves the ledger's time; None on ledgers where it passes by itself."""
        ...

    @property
    def watching(self) -> Watching | None: ...
    @property
    def receipts(self) -> ReceiptLog: ...
    @property
    def deployed_at(self) -> int:
        """Height of the deployment: no event of ours is older."""
        ...

    async def check(self) -> None:
        """Check that the ledger answers, is the one it is taken for, and has the contracts."""
        ...

    async def head(self) -> Block: ...
    async def finalized(self) -> Block:
        """Give the newest block that the ledger's finality policy trusts never to change."""
        ...

    async def block(self, height: int) -> Block: ...
    def feed(
        self, after: int, until: int | None = None, kinds: Collection[FactKind] = EVERY_KIND
    ) -> AsyncIterator[BlockFacts]:
        """Tell of the final blocks (after, until], in order; up to the newest final one by default.

        Every fact of the `kinds` comes exactly once, and the last item is of the last block. It
        ends where finality was when it began: to follow on, call it again with the height of the
        last item. There is nothing above the newest final block, whatever `until` is.
        """
        ...

    async def recent(
        self, after: int, kinds: Collection[FactKind] = EVERY_KIND
    ) -> list[BlockFacts]:
        """Tell of all blocks after a height as they are now, the newest last; final or not.

        Those that are not final may be replaced by others: read them anew each time.
        """
        ...

    async def height_of(self, tx: str) -> int | None:
        """Tell which block a transaction is in; None for what is in none, or names none."""
        ...

    async def sign(self, call: Call[object], signer: Signer) -> SignedCall:
        """Check that `call` would succeed, and sign it.

        What is signed need not stay good: broadcast it before the account signs again.
        """
        ...

    async def broadcast(self, call: SignedCall) -> Done[None]:
        """Send (again, harmlessly) and wait until it is included; raises when it failed."""
        ...

    async def submit(
        self, call: Call[R], signer: Signer, *, outbox: Outbox | None = None, key: str = ""
    ) -> Done[R]:
        """Sign, record under `key` in `outbox` (when given), broadcast, replace when stuck, wait.

        When the outbox already holds `key`, that transaction is finished instead of a new one made;
        a new one is made only after the recorded one is proved dead at a final height.
        """
        ...

    def describe(self, call: Call[object]) -> dict[str, str]:
        """Say what an account that signs elsewhere would send, by the ledger's own names."""
        ...

    async def wait_final(self, height: int) -> Block:
        """Wait until `height` is final."""
        ...

    async def aclose(self) -> None: ...
