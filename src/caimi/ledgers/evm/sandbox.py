"""EVM ledgers for trying things out (port `Sandbox`): in this process, or anvils beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from caimi.keystore import LocalSigner
from caimi.ledgers.evm.anvil import AnvilOptions, free_port, running_anvil
from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.connect import http_chain, new_embedded_chain
from caimi.ledgers.evm.deployment import Signers, add_client, deploy
from caimi.ledgers.evm.finality import Depth
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Committee, Ledger, Signer

FIRST_NUMBER: Final = 31337
_RICHES: Final = 10_000 * 10**18  # wei
_Start = Callable[[AsyncExitStack, int, Mapping[bytes, int]], Awaitable[Chain]]


@dataclass(frozen=True, slots=True)
class EvmSandbox:
    """A ledger that `admin` administers."""

    ledger: EvmLedger
    admin: Signer

    def key_of(self, person: Signer) -> Signer:
        """Every key of a person is one here."""
        return person

    async def pass_time(self, seconds: int) -> None:
        """Move the ledger's clock, and make a block by it."""
        await self.ledger.chain.rpc.ask("evm_increaseTime", seconds)
        await self.ledger.chain.rpc.ask("evm_mine")

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        """See `Sandbox.add_client`."""
        signers = Signers(
            committee.epoch, committee.threshold, committee.members, tuple(committee.operators)
        )
        return await add_client(self.ledger, of, signers, self.admin)

    async def join(self, client_id: str, counterparty: str) -> None:
        """See `Sandbox.join`."""
        call = self.ledger.gateway.set_counterparty(client_id, counterparty)
        await self.ledger.submit(call, self.admin)


@dataclass(frozen=True, slots=True)
class EvmSandboxes:
    """A kind of them, by how their chains are started: with a number and balances in wei."""

    start_chain: _Start

    async def start(
        self, stack: AsyncExitStack, place: int, people: Sequence[Signer]
    ) -> EvmSandbox:
        """See `SandboxKind.start`.

        Raises:
            AnvilMissing, AnvilFailed: the chain's program cannot be started.
        """
        admin = LocalSigner.generate()
        rich = {each.account: _RICHES for each in (admin, *people)}
        chain = await self.start_chain(stack, FIRST_NUMBER + place, rich)
        return EvmSandbox(EvmLedger(chain, await deploy(chain, admin)), admin)


async def _embedded(_: AsyncExitStack, number: int, rich: Mapping[bytes, int]) -> Chain:
    return new_embedded_chain(number, rich)


async def _anvil(stack: AsyncExitStack, number: int, rich: Mapping[bytes, int]) -> Chain:
    options = AnvilOptions(number, free_port())
    await stack.enter_async_context(running_anvil(options, rich))
    chain = http_chain(f"eip155:{number}", options.url, Depth(0))
    stack.push_async_callback(chain.rpc.aclose)
    return chain


EMBEDDED: Final = EvmSandboxes(_embedded)
ANVIL: Final = EvmSandboxes(_anvil)
