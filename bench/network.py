"""Real anvil ledgers for benchmarks, with everything deployed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from caimi.client.context import Context
from caimi.client.keyring import Identity
from caimi.journal import Journal
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions, fund, running_anvil
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import Ledger, LedgerId
from caimi.loopback import free_port
from caimi.models.signing import PackageSigner
from caimi.persistence import journal_in
from caimi.storage.local import LocalStore


async def start_anvil(
    stack: AsyncExitStack,
    number: int,
    deployer: LocalSigner,
    funded: Sequence[bytes],
    block_time: float | None = None,
    hardfork: str = "cancun",
    states: int | None = None,
) -> EvmLedger:
    """Start an anvil with funded accounts and deploy on it."""
    options = AnvilOptions(
        number, free_port(), block_time=block_time, hardfork=hardfork, states=states
    )
    accounts = dict.fromkeys((*funded, deployer.account), 10**24)
    await stack.enter_async_context(running_anvil(options, accounts))
    return await _deployed(stack, number, options.url, deployer)


async def _deployed(
    stack: AsyncExitStack, number: int, url: str, deployer: LocalSigner
) -> EvmLedger:
    chain = http_chain(f"eip155:{number}", url, Depth(0))
    stack.push_async_callback(chain.rpc.aclose)
    return EvmLedger(chain, await deploy(chain, deployer))


@asynccontextmanager
async def anvil_at(url: str, folder: Path) -> AsyncIterator[tuple[Context, EvmLedger]]:
    """An anvil of somewhere else, and a publisher's context on it."""
    identity = Identity("bench", LocalSigner.generate(), PackageSigner.generate())
    deployer = LocalSigner.generate()
    async with AsyncExitStack() as stack:
        chain = http_chain("eip155:31337", url, Depth(0))
        stack.push_async_callback(chain.rpc.aclose)
        await fund(chain.rpc, dict.fromkeys((identity.signer.account, deployer.account), 10**24))
        ledger = await _deployed(stack, 31337, url, deployer)
        journal = journal_in(folder / "journal.sqlite")
        stack.callback(journal.close)
        yield context_of(folder, journal, identity, ledger), ledger


@asynccontextmanager
async def one_anvil(folder: Path) -> AsyncIterator[tuple[Context, EvmLedger]]:
    """One anvil, and a publisher's context on it."""
    identity = Identity("bench", LocalSigner.generate(), PackageSigner.generate())
    async with AsyncExitStack() as stack:
        ledger = await start_anvil(stack, 31337, LocalSigner.generate(), [identity.signer.account])
        journal = journal_in(folder / "journal.sqlite")
        stack.callback(journal.close)
        yield context_of(folder, journal, identity, ledger), ledger


def context_of(folder: Path, journal: Journal, identity: Identity, ledger: Ledger) -> Context:
    """Make a context without custodians."""

    async def rest() -> None:
        return None

    return Context(
        ledgers={LedgerId(ledger.id): ledger},
        store=LocalStore(folder / "store"),
        journal=journal,
        keys=identity,
        group=None,
        custodians=[],
        carry=rest,
        clock=time.time,
    )
