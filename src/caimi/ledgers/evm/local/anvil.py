"""A local ledger in a process of its own: Foundry's anvil, on loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from caimi.errors.ledgers import AnvilFailed, AnvilMissing, LedgerUnavailable
from caimi.ledgers.evm.abi.quantities import hexed
from caimi.ledgers.evm.rpc.client import RetryPolicy, Rpc, RpcRefusal
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth

ANVIL_VARIABLE = "CAIMI_ANVIL"
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
_MAX_OUTPUT = 2_000
_NPM = Path("contracts/evm/node_modules/.bin/anvil")


@dataclass(frozen=True, slots=True)
class AnvilOptions:
    """How an anvil runs. `block_time` in seconds; None mines a block for every transaction.

    `states` is how many past states it keeps; by default hundreds, each of them whole, and older
    ones in `states_folder`, or in the user's home. It begins with the state in the file `load`.
    """

    number: int
    port: int
    block_time: float | None = None
    mining: bool = True
    hardfork: str = "cancun"
    states: int | None = None
    states_folder: Path | None = None
    load: Path | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


def find_anvil() -> Path:
    """Find the program: ``$CAIMI_ANVIL``, npm's in a checkout, or on the path.

    Raises:
        AnvilMissing: it is nowhere.
    """
    named = os.environ.get(ANVIL_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise AnvilMissing(f"{ANVIL_VARIABLE} names {named}, which is not a program.")
        return Path(named)
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        if os.access(folder / _NPM, os.X_OK):
            return folder / _NPM
    found = shutil.which("anvil")
    if found is None:
        raise AnvilMissing(f"There is no {_NPM} here or above, and no anvil on the path.")
    return Path(found)


def anvil_command(options: AnvilOptions) -> list[str]:
    """Give the command line of an anvil without accounts of its own.

    Raises:
        AnvilMissing: the program is nowhere.
    """
    command = [
        str(find_anvil()),
        "--host=127.0.0.1",
        f"--port={options.port}",
        f"--chain-id={options.number}",
        f"--hardfork={options.hardfork}",
        "--accounts=1",
        "--balance=0",
        "--silent",
    ]
    if not options.mining:
        command.append("--no-mining")
    elif options.block_time is not None:
        command.append(f"--block-time={options.block_time:g}")
    if options.states is not None:
        command.append(f"--prune-history={options.states}")
    if options.states_folder is not None:
        command.append(f"--cache-path={options.states_folder}")
    if options.load is not None:
        command.append(f"--load-state={options.load}")
    return command


async def fund(rpc: Rpc, accounts: Mapping[bytes, int]) -> None:
    """Set accounts' balances (wei) on an anvil.

    Raises:
        AnvilFailed: the node is no anvil.
    """
    try:
        await rpc.all(
            [("anvil_setBalance", [hexed(who), hex(amount)]) for who, amount in accounts.items()]
        )
    except RpcRefusal as refusal:
        raise AnvilFailed(f"{rpc.name} sets no balances: {refusal.message}.") from refusal


async def wait_ready(options: AnvilOptions) -> None:
    """Wait until the anvil answers.

    Raises:
        LedgerUnavailable: it does not within 20 s.
        WrongLedger: something else answers on its port.
    """
    chain = http_chain(
        f"eip155:{options.number}", options.url, Depth(0), timeout=2.0, retries=RetryPolicy(1)
    )
    try:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                try:
                    await chain.verify()
                except LedgerUnavailable:
                    await asyncio.sleep(0.05)
                else:
                    return
    except TimeoutError:
        raise LedgerUnavailable(
            f"Anvil on port {options.port} did not answer within {_START_SECONDS:g} s."
        ) from None
    finally:
        await chain.rpc.aclose()


@asynccontextmanager
async def running_anvil(
    options: AnvilOptions, accounts: Mapping[bytes, int]
) -> AsyncIterator[AnvilOptions]:
    """Run an anvil with funded `accounts` (wei) for the length of a block of code.

    Raises:
        AnvilMissing, AnvilFailed: it cannot be started.
    """
    async with anvil_beside(options):
        chain = http_chain(f"eip155:{options.number}", options.url, Depth(0))
        try:
            await fund(chain.rpc, accounts)
        finally:
            await chain.rpc.aclose()
        yield options


@asynccontextmanager
async def anvil_beside(options: AnvilOptions) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an anvil without accounts for the length of a block of code; it answers inside.

    Raises:
        AnvilMissing, AnvilFailed: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *anvil_command(options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await _ready_or_ended(process, options)
        yield process
    finally:
        await _stop(process)


async def _ready_or_ended(process: asyncio.subprocess.Process, options: AnvilOptions) -> None:
    ready = asyncio.create_task(wait_ready(options))
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            assert process.stderr is not None
            said = (await process.stderr.read(_MAX_OUTPUT)).decode(errors="replace").strip()
            raise AnvilFailed(f"Anvil on port {options.port} ended with {ended.result()}: {said}.")
        await ready
    finally:
        ready.cancel()
        ended.cancel()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
