"""Record fabric.json: blocks of a real Fabric channel, with the hash that its peer gives the last.

It runs a network on this machine, with the programs that `make fabric` built:

    PYTHONPATH=src:tests/ledgers/fabric .venv/bin/python contracts/vectors/record_fabric.py
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from pathlib import Path

from trial_network import CHANNEL, TRIAL, TrialNetwork, trial_network

from caimi.ledgers.fabric.protos.common.ledger_pb2 import BlockchainInfo

OUT = Path(__file__).with_name("fabric.json")


async def record(network: TrialNetwork) -> dict[str, object]:
    """Make transactions of every kind and read the blocks."""
    async with network.connection() as connection:
        gateway = network.gateway(connection)
        await gateway.invoke(TRIAL, b"put", b"key", b"value")
        await gateway.invoke(TRIAL, b"event", b"told", b"payload")
        await gateway.invoke(TRIAL, b"get", b"absent")
        one, other = [await gateway.endorse(TRIAL, b"count", b"hot") for _ in range(2)]
        for endorsed in (one, other, one):
            await gateway.submit(endorsed)
        lonely = await gateway.endorse(TRIAL, b"put", b"k", b"v", organisations=["Org1MSP"])
        await gateway.submit(lonely)
        await gateway.invoke(TRIAL, b"delete", b"key")
        encoded = await gateway.evaluate("qscc", b"GetChainInfo", CHANNEL.encode())
        info = BlockchainInfo.FromString(encoded)
        reader = network.reader(connection)
        blocks = [block async for block in reader.blocks(0, info.height - 1)]
        return {
            "about": "A channel of two organisations, one etcdraft orderer, TLS, ccaas",
            "ledger": network.ledger,
            "head": info.currentBlockHash.hex(),
            "blocks": [base64.b64encode(block).decode() for block in blocks],
        }


def main() -> None:
    """Run a network and write the file."""
    with tempfile.TemporaryDirectory() as root, trial_network(Path(root)) as network:
        OUT.write_text(json.dumps(asyncio.run(record(network)), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
