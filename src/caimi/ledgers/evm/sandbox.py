"""EVM ledgers for trying things out (port `Sandbox`): in this process, or anvils beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.extras import extra_named
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import (
    AnvilOptions,
    find_anvil,
    fund,
    running_anvil,
    wait_ready,
)
from caimi.ledgers.evm.local.keeper import keeper_command
from caimi.ledgers.evm.local.kept_chain import KeptChain
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import LedgerId, LedgerPlace, Signer
from caimi.loopback import free_port

FIRST_NUMBER: Final = 31337
_RICHES: Final = 10_000 * 10**18  # wei
_FINALITY: Final = Depth(1)
_Start = Callable[[AsyncExitStack, int, Mapping[bytes, int]], Awaitable[Chain]]


class EvmSandbox(EvmAdministered):
    """A ledger that `admin` administers."""

    def key_of(self, person: Signer) -> Signer:
        """Every key of a person is one here."""
        return person

    async def pass_time(self, seconds: int) -> None:
        """Move the ledger's clock, and make a block by it."""
        await self.ledger.chain.rpc.ask("evm_increaseTime", seconds)
        await self.ledger.chain.rpc.ask("evm_mine")


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


class AnvilSandboxes(EvmSandboxes):
    """Anvils, which may be left running, too."""

    def check(self) -> None:
        """Raises `AnvilMissing` when the program is nowhere."""
        find_anvil()

    def service(self, place: int, name: str, *, port: int, folder: Path) -> AnvilService:
        """See `LastingKind.service`."""
        return AnvilService(name, FIRST_NUMBER + place, port, folder)


class AnvilService:
    """An anvil with a block a second, and sooner for transactions (port `LedgerService`).

    Where nothing happens they come once a minute. Each block is kept in `folder`.
    """

    def __init__(self, name: str, number: int, port: int, folder: Path) -> None:
        self._options = AnvilOptions(number, port)
        self._folder = folder
        self.name = name
        told = {"rpc": self._options.url, "finality": str(_FINALITY)}
        self.place = LedgerPlace(LedgerId(f"eip155:{number}"), name, told)
        self.said = f"anvil, {self.place.id}"
        self.url: str | None = self._options.url

    @property
    def command(self) -> list[str]:
        """The program that makes the anvil's blocks; raises `AnvilMissing` without an anvil."""
        return keeper_command(self._options.number, self._options.port, self._folder)

    async def wait_ready(self) -> None:
        """Raises as `wait_ready`."""
        await wait_ready(self._options)

    async def fund(self, accounts: Sequence[bytes]) -> None:
        """Set what each of them has."""
        chain = http_chain(self.place.id, self._options.url, _FINALITY)
        try:
            await fund(chain.rpc, dict.fromkeys(accounts, _RICHES))
        finally:
            await chain.rpc.aclose()

    def outgrown(self) -> str | None:
        """Look at the size of the chain's file."""
        return KeptChain(self._folder).outgrown()


async def _embedded(_: AsyncExitStack, number: int, rich: Mapping[bytes, int]) -> Chain:
    with extra_named():
        from caimi.ledgers.evm.local.in_process import new_embedded_chain  # noqa: PLC0415 - an extra

    return new_embedded_chain(number, rich)


async def _anvil(stack: AsyncExitStack, number: int, rich: Mapping[bytes, int]) -> Chain:
    options = AnvilOptions(number, free_port())
    await stack.enter_async_context(running_anvil(options, rich))
    chain = http_chain(f"eip155:{number}", options.url, Depth(0))
    stack.push_async_callback(chain.rpc.aclose)
    return chain


EMBEDDED: Final = EvmSandboxes(_embedded)
ANVIL: Final = AnvilSandboxes(_anvil)
