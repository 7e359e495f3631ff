"""EVM ledgers that halt, each as its kind does, and one that forks."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ledger_site import EvmSite

from caimi.ledgers.evm.local.embedded import EmbeddedChain


@dataclass
class EmbeddedSite(EvmSite):
    """A ledger in this process: while it is halted whoever asks it waits."""

    chain: EmbeddedChain

    @asynccontextmanager
    async def halted(self) -> AsyncIterator[None]:
        with self.chain.lock:
            yield


@dataclass
class AnvilSite(EvmSite):
    """A node in a process of its own: while it is halted it answers, and makes no blocks."""

    process: subprocess.Popen[bytes]

    @asynccontextmanager
    async def halted(self) -> AsyncIterator[None]:
        rpc = self.reach().rpc
        await rpc.ask("evm_setAutomine", False)
        try:
            yield
        finally:
            await rpc.ask("evm_setAutomine", True)
            await rpc.ask("evm_mine")
            await rpc.aclose()

    async def fork(self, blocks: int) -> None:
        rpc = self.reach().rpc
        await rpc.ask("anvil_reorg", blocks, [])
        await rpc.aclose()


class SilentAnvilSite(AnvilSite):
    """The same, but while it is halted it takes questions and does not answer."""

    @asynccontextmanager
    async def halted(self) -> AsyncIterator[None]:
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)
