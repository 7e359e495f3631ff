"""Record fabric_reads.json: what two organisations of a real Fabric channel signed of commitments.

It runs a network on this machine, with the programs that `make fabric` built:

    export PYTHONPATH=src:tests:tests/ledgers:tests/ledgers/fabric
    .venv/bin/python contracts/vectors/record_fabric_reads.py

Three models were sent from Fabric and one came there. Another run gives another file (keys, times),
equally good.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conformance.crossing import Crossing
from conformance.site import World
from fabric_site import CHAINCODE, FabricSite, fabric_site

from caimi.ibc.path import Path as IbcPath
from caimi.ledgers.client_proofs import EndorsedReads
from memory_ledger import MemorySite

OUT = Path(__file__).with_name("fabric_reads.json")


async def record(site: FabricSite) -> dict[str, object]:
    """Send, receive and have it read."""
    far = MemorySite.named("far")
    world = World(site, site.open(), await site.wallet("alice"), await site.wallet("bob"))
    crossing = await Crossing.made(world, far)
    here, there = crossing.here, crossing.there
    carol = await far.wallet("carol")
    packets = []
    for name in ("first", "second", "third"):
        model = await world.published(name)
        packet, _ = await crossing.send(here, world.alice, model, there.account(carol))
        packets.append(packet)
    await there.ledger.submit(there.ledger.registry.publish("far", "1.0.0", b"\7" * 32), carol)
    model = there.ledger.registry.model_id(there.account(carol), "far")
    came, height = await crossing.send(there, carol, model, world.account(world.bob))
    await crossing.deliver([came], there, height)

    reader = site.reader()
    sent = [IbcPath.commitment(here.client, packet.sequence) for packet in packets]
    missing = [IbcPath.receipt(here.client, came.sequence + place) for place in (1, 2, 3)]
    arrived = [
        IbcPath.receipt(here.client, came.sequence),
        IbcPath.acknowledgement(here.client, came.sequence),
    ]
    read = [await reader.read(paths) for paths in (sent, missing, arrived)]
    await reader.aclose()
    await world.ledger.aclose()
    return {
        "about": "Two organisations' peers, asked for commitments of CAIMI's chaincode",
        "ledger": site.id,
        "channel": site.network.layout.channel,
        "chaincode": CHAINCODE,
        "keys": [hexed(part) for each in read[0].endorsements for part in each.key],
        "sent": written(sent, read[0]),
        "missing": written(missing, read[1]),
        "arrived": written(arrived, read[2]),
    }


def written(paths: Sequence[IbcPath], reads: EndorsedReads) -> dict[str, object]:
    """Write down what was read, with a proof of all of it."""
    return {
        "height": reads.height,
        "time": reads.time,
        "paths": [hexed(path.raw) for path in paths],
        "keys": list(map(hexed, reads.keys)),
        "values": [hexed(value or bytes(32)) for value in reads.values],
        "proof": hexed(reads.prove(reads.keys)),
    }


def hexed(data: Sequence[int]) -> str:
    """Write bytes as Solidity's tools do."""
    return "0x" + bytes(data).hex()


def main() -> None:
    """Run a network and write the file."""
    with (
        tempfile.TemporaryDirectory() as root,
        fabric_site(Path(root), with_asset=False) as site,
    ):
        OUT.write_text(json.dumps(asyncio.run(record(site)), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
