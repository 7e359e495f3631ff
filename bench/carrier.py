"""A relayer with its five validators as a process of its own, which tells what it carried.

Standard input has one JSON document: the ledgers, the committee's threshold and the secrets (of
this benchmark's throw-away keys). Standard output has a JSON line a second: packets acknowledged,
resident bytes, and seconds of processor time.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench.messages import relayer_of
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.transactions.sender import Patience
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.progress import Carried

_PAGE = resource.getpagesize()
# Blocks come twice a second; now and then anvil loses a transaction, and all behind it wait.
PATIENCE = Patience(stuck_after=3.0)


def resident() -> int:
    """Give this process's resident bytes now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def main() -> None:
    said = json.loads(sys.stdin.readline())
    secrets = [bytes.fromhex(secret) for secret in said["secrets"]]
    accounts = [LocalSigner(secret).account for secret in secrets[1:]]
    acknowledged = 0

    def observe(carried: Carried) -> None:
        nonlocal acknowledged
        acknowledged += carried.packets * (carried.what == "acknowledge")

    async with AsyncExitStack() as stack:
        ledgers = {}
        for each in said["ledgers"]:
            deployment = Deployment.from_dict(each["deployment"])
            # While anvil makes a block, its newest height shows the next block's state already.
            chain = http_chain(deployment.ledger, each["url"], Depth(1))
            stack.push_async_callback(chain.rpc.aclose)
            ledgers[deployment.ledger] = EvmLedger(chain, deployment, patience=PATIENCE)
        committee = make_committee(0, said["threshold"], accounts)
        relayer = relayer_of(ledgers, committee, secrets, observe)
        running = asyncio.create_task(relayer.run(0.2))
        try:
            while True:
                if running.done():
                    running.result()
                told = {
                    "acknowledged": acknowledged,
                    "resident": resident(),
                    "seconds": time.process_time(),
                }
                sys.stdout.write(json.dumps(told) + "\n")
                sys.stdout.flush()
                await asyncio.sleep(1.0)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
