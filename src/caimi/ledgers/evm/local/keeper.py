"""An anvil that comes back where it was, however it or this program was ended.

Anvil keeps its blocks in memory. What it writes by itself (`--state`, `--state-interval`) it writes
now and then, over the last file: a kill loses what came after, or leaves half a file, which it then
refuses. So here this program says when a block is made, and writes it down while nobody can hear of
it. A block that anybody was told of is on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import AnvilFailed, LedgerStateDamaged
from caimi.ledgers.evm.abi.quantities import data, fields, quantity
from caimi.ledgers.evm.local.anvil import ANVIL_VARIABLE, AnvilOptions, anvil_beside, find_anvil
from caimi.ledgers.evm.local.gate import Gate
from caimi.ledgers.evm.local.kept_chain import STATE_BYTES, ChainHead, KeptChain, outgrown
from caimi.ledgers.evm.rpc.client import RetryPolicy, Rpc
from caimi.ledgers.evm.rpc.http import HttpProvider, place_of
from caimi.loopback import free_port

BLOCK_SECONDS: Final = 1.0
SOON_SECONDS: Final = 0.25
"""Between blocks while there are transactions; the block after theirs comes as soon."""
IDLE_BLOCK_SECONDS: Final = 60.0
"""Between blocks at most, which is how old a ledger's clock gets: every block stays for ever."""
_LOOK_SECONDS: Final = 0.1
_ACTIVE_SECONDS: Final = 60.0
_IDLE_SHARE: Final = 12
"""Once nothing happens, the next block comes after this part of the time since something did."""
_RPC_SECONDS: Final = 120.0
_MOST_BYTES: Final = 2 * STATE_BYTES + (1 << 20)
"""Of an answer with a state: it is in hexadecimal."""


class Keeper:
    """Makes the blocks of the anvil behind `gate`, and keeps each before anybody hears of it."""

    def __init__(self, rpc: Rpc, gate: Gate, chain: KeptChain) -> None:
        self._rpc = rpc
        self._gate = gate
        self._chain = chain
        self._head: ChainHead | None = None
        self._made = self._took = 0.0
        self._active = time.monotonic()
        self._warned = 0
        self._wanted = asyncio.Event()
        self._kept = asyncio.Event()

    async def begin(self, expected: ChainHead | None) -> None:
        """Go on after the block that was kept last, and make one more.

        The state before the newest block is not kept, and that block is final only under another.

        Raises:
            LedgerStateDamaged: anvil has loaded another chain than was kept.
        """
        block = await self._newest()
        self._head = ChainHead.of(block)
        if expected is not None and self._head != expected:
            raise LedgerStateDamaged(
                f"The newest block of what anvil loaded is {self._head.number} "
                f"({self._head.hash}), and {expected.number} ({expected.hash}) was kept last."
            )
        self._head = await self._keep_state(self._head)  # the blocks may end in half of one
        ahead = self._head.time - int(time.time())
        if ahead > 0:  # somebody had moved the ledger's clock: time never runs backwards
            await self._rpc.ask("evm_increaseTime", ahead)
        await self.make_block()

    async def make_block(self) -> None:
        """Make one, and keep it."""
        made = time.monotonic()
        with self._gate.closed():
            await self._rpc.ask("evm_mine")
            await self._keep_newest(made)
        self._made, self._took = made, time.monotonic() - made

    async def settled(self) -> None:
        """Wait until the newest block is kept, whoever made it (`evm_mine`, say), by `run`."""
        while True:
            kept = self._kept
            if ChainHead.of(await self._newest()) == self._head:
                return
            self._wanted.set()
            await kept.wait()

    async def run(self) -> None:
        """Make blocks for ever, and keep those that others make."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _LOOK_SECONDS)
            if self._wanted.is_set():
                self._wanted.clear()
                with self._gate.closed():
                    await self._keep_newest(time.monotonic())
            passed = time.monotonic() - self._made
            if passed >= between_blocks(time.monotonic() - self._active) or (
                passed >= max(SOON_SECONDS, 3 * self._took)  # a long chain's state takes long
                and (self._active == self._made or await self._pending())
            ):
                await self.make_block()

    async def _pending(self) -> bool:
        (count,) = fields(await self._rpc.ask("txpool_status"), "pending")
        return quantity(count) > 0

    async def _keep_newest(self, made: float) -> None:
        block = await self._newest()
        head, last = ChainHead.of(block), self._head
        if head == last:
            pass
        elif (
            last is not None
            and block["parentHash"] == last.hash
            and head.state_root == last.state_root
            and not block["transactions"]
        ):
            await asyncio.to_thread(self._chain.keep_block, block)
        else:  # transactions, or calls that only an anvil knows
            head = await self._keep_state(head)
            self._active = made
        self._head = head
        self._kept.set()
        self._kept = asyncio.Event()

    async def _keep_state(self, head: ChainHead) -> ChainHead:
        """Keep the state, and give its newest block: `head`, or one that others made since."""
        while True:
            dump = data(await self._rpc.ask("anvil_dumpState"))
            newest = ChainHead.of(await self._newest())
            if newest == head:
                break
            head = newest
        await asyncio.to_thread(self._chain.keep_state, head, dump)
        if len(dump) > 1.25 * self._warned and (grown := outgrown(len(dump))):
            self._warned = len(dump)
            print(grown, file=sys.stderr, flush=True)
        return head

    async def _newest(self) -> dict[str, Any]:
        block: dict[str, Any] = await self._rpc.ask("eth_getBlockByNumber", "latest", False)
        return block


def between_blocks(idle: float) -> float:
    """Tell how long after a block the next one comes, when nothing has happened for `idle` s."""
    if idle <= _ACTIVE_SECONDS:
        return BLOCK_SECONDS
    return min(idle / _IDLE_SHARE, IDLE_BLOCK_SECONDS)


def keeper_command(number: int, port: int, folder: Path) -> list[str]:
    """Give the command line that runs `keep` until SIGTERM.

    Raises:
        AnvilMissing: there is no anvil for it.
    """
    anvil = find_anvil().absolute()  # the program is found from here, whatever its directory is
    told = [f"--number={number}", f"--port={port}", f"--folder={folder}", f"--anvil={anvil}"]
    return [sys.executable, "-m", "caimi.ledgers.evm.local.keeper", *told]


async def keep(number: int, port: int, folder: Path) -> None:
    """Run the chain of that number (EIP-155) on a port, kept in `folder`, until it is cancelled.

    Raises:
        LedgerStateDamaged: what is in the folder is no chain, or another program keeps it.
        AnvilMissing, AnvilFailed: anvil cannot be started, or ended.
        OSError: the port is taken.
    """
    with _alone(folder):
        chain = KeptChain(folder)
        kept = await asyncio.to_thread(chain.read)
        loaded = folder / "loading.json"
        if kept is not None:
            loaded.write_text(json.dumps(kept[1]), "utf-8")
        states = folder / "states"
        shutil.rmtree(states, ignore_errors=True)
        options = AnvilOptions(
            number,
            free_port(),
            mining=False,
            load=loaded if kept else None,
            states_folder=states,
        )
        async with anvil_beside(options) as process, _asking(options) as rpc:
            loaded.unlink(missing_ok=True)
            gate = Gate(options.port)
            keeper = Keeper(rpc, gate, chain)
            await keeper.begin(kept and kept[0])
            async with gate.serving(port, keeper.settled):
                await _until_one_ends(keeper.run(), _end_of(process))


@asynccontextmanager
async def _asking(options: AnvilOptions) -> AsyncIterator[Rpc]:
    provider = HttpProvider(options.url, timeout=_RPC_SECONDS, most=_MOST_BYTES)
    rpc = Rpc(provider, place_of(options.url), RetryPolicy(1, within=_RPC_SECONDS))
    try:
        yield rpc
    finally:
        await rpc.aclose()


async def _end_of(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        sys.stderr.write(line.decode(errors="replace"))
    raise AnvilFailed(f"Anvil ended with {await process.wait()}.")


async def _until_one_ends(*works: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerStateDamaged(
                f"Another program keeps the chain in {folder}.",
                why="Two would write over each other's blocks.",
                next_step="End the other one first: `ps ax` shows it.",
            ) from None
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program: ``--number``, ``--port``, ``--folder``, ``--anvil``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--anvil", required=True)
    told = parser.parse_args(arguments)
    os.environ[ANVIL_VARIABLE] = told.anvil

    async def until_ended() -> None:
        work = asyncio.create_task(keep(told.number, told.port, told.folder))
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_number, work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work

    try:
        asyncio.run(until_ended())
    except (CaimiError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
