"""An anvil for a whole test module: outside any event loop, so that each test may have its own."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from caimi.ledgers.evm.local.anvil import AnvilOptions, anvil_command, fund, wait_ready
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth


@contextmanager
def anvil_process(
    options: AnvilOptions, accounts: Mapping[bytes, int], group: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one; with 0 as its `group` it and what it starts are a group of processes apart."""

    async def ready() -> None:
        await wait_ready(options)
        chain = http_chain(f"eip155:{options.number}", options.url, Depth(0))
        await fund(chain.rpc, accounts)
        await chain.rpc.aclose()

    process = subprocess.Popen(
        anvil_command(options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=group,
    )
    try:
        asyncio.run(ready())
        yield process
    finally:
        process.terminate()
        process.wait(5)
