"""One ledger, with all its facets."""

from __future__ import annotations

from typing import Protocol, TypeVar

from caimi.ledgers.port.accounts import Account, AccountCodec, ContractAccounts
from caimi.ledgers.port.blocks import Block, LedgerId
from caimi.ledgers.port.bridge import Bridge
from caimi.ledgers.port.calls import Call, Done, Outbox, SignedCall
from caimi.ledgers.port.clients import LightClients
from caimi.ledgers.port.fees import RelayFees
from caimi.ledgers.port.gateway import Gateway
from caimi.ledgers.port.keys import Signer
from caimi.ledgers.port.market import Market
from caimi.ledgers.port.receipts import ReceiptLog
from caimi.ledgers.port.registry import Registry
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
    def fees(self) -> RelayFees | None:
        """Escrow for relayers; None on ledgers that have no coin to pay them with."""
        ...

    @property
    def contract_accounts(self) -> ContractAccounts | None:
        """Accounts that are contracts; None on ledgers where each has a key."""
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
    async def balance(self, account: Account) -> int:
        """Give an account's coins; raises `NotOffered` on a ledger that has none."""
        ...

    async def work_price(self) -> int:
        """Give what a unit of work costs now, in the smallest coin; raises as `balance`."""
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

    async def transfer_coins(self, recipient: Account, amount: int, signer: Signer) -> Done[None]:
        """Send coins; raises as `balance`."""
        ...

    def describe(self, call: Call[object]) -> dict[str, str]:
        """Say what an account that signs elsewhere would send, by the ledger's own names."""
        ...

    async def wait_final(self, height: int) -> Block:
        """Wait until `height` is final."""
        ...

    async def aclose(self) -> None: ...
