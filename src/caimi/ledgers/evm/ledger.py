"""One EVM ledger with CAIMI deployed on it: the port's `Ledger`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from typing import TypeVar

from caimi.errors.ledgers import CallInvalid, ContractMissing, NotYetFinal
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.abi.calls import EvmCall, done, nothing
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.facets.bridge import EvmBridge
from caimi.ledgers.evm.facets.coins import EvmCoins
from caimi.ledgers.evm.facets.contract_accounts import EvmContractAccounts
from caimi.ledgers.evm.facets.fact_decoder import FactDecoder
from caimi.ledgers.evm.facets.feed import EvmFeed
from caimi.ledgers.evm.facets.gateway import EvmGateway
from caimi.ledgers.evm.facets.history import ModelHistory
from caimi.ledgers.evm.facets.light_clients import EvmLightClients
from caimi.ledgers.evm.facets.market import EvmMarket
from caimi.ledgers.evm.facets.publishers import VersionPublishers
from caimi.ledgers.evm.facets.receipts import EvmReceiptLog
from caimi.ledgers.evm.facets.registry import EvmRegistry
from caimi.ledgers.evm.facets.relay_fees import EvmRelayFees
from caimi.ledgers.evm.facets.tokens import EvmTokens
from caimi.ledgers.evm.facets.watching import EvmWatching
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.evm.transactions.fees import FeePolicy
from caimi.ledgers.evm.transactions.outgoing import sender_of
from caimi.ledgers.evm.transactions.sender import Patience, Sender
from caimi.ledgers.port import (
    EVERY_KIND,
    Block,
    BlockFacts,
    Call,
    Done,
    FactKind,
    LedgerId,
    Outbox,
    SignedCall,
    Signer,
)

R = TypeVar("R")

_FIRST_LOOK = 0.05
_LONGEST_LOOK = 2.0
CONTRACTS = {
    "registry": "ModelRegistry",
    "market": "LicenceMarket",
    "bridge": "ModelBridge",
    "gateway": "Gateway",
    "receipts": "ReceiptLog",
    "fees": "RelayFees",
}
"""What a deployment's contracts are."""


class EvmLedger:
    """One EVM ledger. `clock` gives seconds that only grow."""

    standing_clock = None

    def __init__(
        self,
        chain: Chain,
        deployment: Deployment,
        *,
        policy: FeePolicy | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.chain = chain
        self.deployment = deployment
        self.id: LedgerId = chain.ledger
        self.deployed_at = deployment.deployed_at
        self._patience = patience or Patience()
        self._clock = clock
        self.accounts = EvmAccounts(self.id)
        self.coins = EvmCoins(chain)
        self.tokens = EvmTokens(chain, deployment.contracts["market"])
        self.contract_accounts = EvmContractAccounts(chain)
        contracts = {
            name: Contract(chain, deployment.contracts[name], artifact(kind).interface)
            for name, kind in CONTRACTS.items()
        }
        events = EventReader(
            chain, {contract.address: contract.interface for contract in contracts.values()}
        )
        self._sender = Sender(chain, events, policy=policy, patience=self._patience, clock=clock)
        gateway = (
            contracts["gateway"],
            _interoperable(contracts["gateway"]),
            events,
            artifact("CommitteeClient").interface,
            self.deployed_at,
        )
        self.gateway = EvmGateway(*gateway)
        self.watching = EvmWatching(*gateway)
        decoder = FactDecoder(contracts, self.gateway)
        self._feed = EvmFeed(chain, events, decoder)
        self.registry = EvmRegistry(
            contracts["registry"],
            _interoperable(contracts["registry"]),
            events,
            ModelHistory(chain, events, decoder, self.deployed_at),
            VersionPublishers(contracts["registry"], events, self.deployed_at),
        )
        self.market = EvmMarket(contracts["market"])
        self.clients = EvmLightClients(contracts["gateway"])
        self.bridge = EvmBridge(contracts["bridge"], self.gateway, events, self.deployed_at)
        self.receipts = EvmReceiptLog(contracts["receipts"], events)
        self.fees = EvmRelayFees(contracts["fees"], self.gateway, events)

    async def check(self) -> None:
        """Check that the node answers, serves this ledger, and has the contracts.

        Raises:
            LedgerUnavailable, WrongLedger: the node is down, or lies about its chain id.
            ContractMissing: an address holds no code.
        """
        await self.chain.verify()
        names = list(CONTRACTS)
        addresses = [self.deployment.contracts[name] for name in names]
        present = await self.chain.has_code(addresses)
        for name, address, there in zip(names, addresses, present, strict=True):
            if not there:
                raise ContractMissing(
                    f"There is no {name} contract at 0x{address.hex()} on {self.id}."
                )

    async def head(self) -> Block:
        """Give the newest block."""
        return await self.chain.block()

    async def finalized(self) -> Block:
        """Give the newest block that the ledger's finality policy trusts never to change."""
        return await self.chain.finalized()

    async def block(self, height: int) -> Block:
        """Give the block at a height."""
        return await self.chain.block(height)

    def feed(
        self, after: int, until: int | None = None, kinds: Collection[FactKind] = EVERY_KIND
    ) -> AsyncIterator[BlockFacts]:
        """Tell of the final blocks (after, until], in order, each fact once."""
        return self._feed.final(after, until, kinds)

    async def recent(
        self, after: int, kinds: Collection[FactKind] = EVERY_KIND
    ) -> list[BlockFacts]:
        """Tell of all blocks after a height as they are now, final or not."""
        return await self._feed.recent(after, kinds)

    async def height_of(self, tx: str) -> int | None:
        """Tell which block a transaction is in; None for what is in none, or names none."""
        return await self.chain.height_of(tx)

    async def sign(self, call: Call[object], signer: Signer) -> SignedCall:
        """Check that `call` would succeed, price it, and sign it with the account's next nonce."""
        return await self._sender.sign(self._ours(call), signer)

    async def broadcast(self, call: SignedCall) -> Done[None]:
        """Send (again, harmlessly) and wait until it is included; raises when it failed."""
        return done(await self._sender.broadcast(call, sender_of(call)), nothing)

    async def submit(
        self, call: Call[R], signer: Signer, *, outbox: Outbox | None = None, key: str = ""
    ) -> Done[R]:
        """Carry a call out once under `key`: sign, record, broadcast, replace when stuck, wait.

        Raises:
            TransactionReverted: the contract refuses, before or after inclusion.
            InsufficientFunds, FeeAboveCap: the account cannot, or may not, pay.
            TransactionStuck: it was not included in time; submitting again goes on.
        """
        ours = self._ours(call)
        return done(await self._sender.submit(ours, signer, outbox, key), ours.effect)

    def describe(self, call: Call[object]) -> dict[str, str]:
        """Say what a multi-signature account would send: `to`, `value` in wei, and `data`."""
        ours = self._ours(call)
        return {
            "to": f"0x{ours.target.hex()}",
            "value": str(ours.value),
            "data": f"0x{ours.data.hex()}",
        }

    async def wait_final(self, height: int) -> Block:
        """Wait until `height` is final, and give the final block seen then.

        Raises:
            NotYetFinal: it was not within the patience's giving-up time.
        """
        began, look = self._clock(), _FIRST_LOOK
        while True:
            final = await self.finalized()
            if final.height >= height:
                return final
            if self._clock() - began >= self._patience.give_up_after:
                raise NotYetFinal(
                    f"Block {height} of {self.id} was not final within "
                    f"{self._patience.give_up_after:g} s; {final.height} is."
                )
            await asyncio.sleep(look)
            look = min(look * 2, _LONGEST_LOOK)

    async def aclose(self) -> None:
        """Close the connection."""
        await self.chain.rpc.aclose()

    def _ours(self, call: Call[R]) -> EvmCall[R]:
        if call.ledger != self.id or not isinstance(call, EvmCall):
            raise CallInvalid(f"{call.what}: the call is for {call.ledger}, not for {self.id}.")
        return call


def _interoperable(contract: Contract) -> bytes:
    return contract.account(contract.address).interoperable
