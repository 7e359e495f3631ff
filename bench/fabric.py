"""A real Fabric network on this machine: how fast acts and publications get on it, and its start.

An orderer and two organisations with a peer and a chaincode process each. The same clients call a
chaincode without CAIMI's contracts on a network of its own in the same run.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median

from bench.fabric_network import (
    CHAINCODE,
    PLAIN,
    FabricPlace,
    fabric_place,
    plain_network,
)
from bench.network import context_of
from bench.publishing import AT_ONCE, publish_many
from bench.result import Result, p99
from caimi.client.batch import PublicationBatcher
from caimi.client.keyring import Identity
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.port import LedgerId
from caimi.models.signing import PackageSigner
from caimi.persistence import journal_in

ONE_BY_ONE, CLIENTS, EACH = 100, 20, 40
PUBLICATIONS = 20_000
Submit = Callable[[PeerChannel, int, int], Awaitable[object]]


def measure() -> list[Result]:
    """Start networks, from nothing and again; submit one by one and by many; publish batches."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    with tempfile.TemporaryDirectory() as counting:
        async with plain_network(Path(counting)) as place:
            plain_seconds = await _one_by_one(place, PLAIN, _count)
            plain_rate = await _many(place, PLAIN, _count)
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        started = await _started(folder)
        restarted = await _started(folder)
        async with fabric_place(folder) as place:
            anchors = await _anchors(place)
            seconds = await _one_by_one(place, CHAINCODE, anchors)
            rate = await _many(place, CHAINCODE, anchors)
            published, whole = await _publish(place)
            memory = _memory(place)
    commits = median(seconds)
    return [
        Result(
            "fabric_commit_seconds",
            commits,
            "s to endorse, order and commit an act",
            "a chaincode that counts, s",
            median(plain_seconds),
            commits / median(plain_seconds),
            ceiling=0.5,
        ),
        Result("fabric_commit_p99_seconds", p99(seconds), "s"),
        Result(
            "fabric_tx_per_second",
            rate,
            f"transactions/s of {CLIENTS} clients",
            "a chaincode that counts, transactions/s",
            plain_rate,
            rate / plain_rate,
            floor=100,
        ),
        Result("fabric_publications_per_second", whole, "publications/s by batches", floor=520),
        Result("fabric_publication_p99_seconds", p99(published), "s", ceiling=1.8),
        Result(
            "fabric_start_seconds",
            started,
            "s to a network with its chaincode, from nothing",
            ceiling=10,
        ),
        Result("fabric_restart_seconds", restarted, "s, from its folder", ceiling=10),
        *memory,
    ]


async def _started(folder: Path) -> float:
    began = time.perf_counter()
    async with fabric_place(folder):
        return time.perf_counter() - began


async def _count(channel: PeerChannel, client: int, turn: int) -> None:
    await channel.submit("count", (f"client-{client}".encode(),))


async def _anchors(place: FabricPlace) -> Submit:
    """Sign acts that touch no key together: each client's roots over receipts."""
    ledger = place.open()
    keys = [Ed25519Key() for _ in range(CLIENTS + 1)]
    raws = {
        (client, turn): (
            await ledger.sign(ledger.receipts.anchor(turn.to_bytes(31) + b"\1", 1), keys[client])
        ).raw
        for client in range(CLIENTS + 1)
        for turn in range(EACH if client < CLIENTS else ONE_BY_ONE)
    }
    await ledger.aclose()

    async def anchor(channel: PeerChannel, client: int, turn: int) -> None:
        await channel.submit("acts", (raws[client, turn],))

    return anchor


async def _one_by_one(place: FabricPlace, chaincode: str, submit: Submit) -> list[float]:
    channel = PeerChannel(place.id, place.gateway(), chaincode)
    seconds = []
    for turn in range(ONE_BY_ONE):
        began = time.perf_counter()
        await submit(channel, CLIENTS, turn)
        seconds.append(time.perf_counter() - began)
    await channel.aclose()
    return seconds


async def _many(place: FabricPlace, chaincode: str, submit: Submit) -> float:
    """Have clients submit one after another each, half of them at either organisation's peer."""
    channels = [
        PeerChannel(place.id, place.gateway(client % 2), chaincode) for client in range(CLIENTS)
    ]

    async def work(client: int, channel: PeerChannel) -> None:
        for turn in range(EACH):
            await submit(channel, client, turn)

    began = time.perf_counter()
    await asyncio.gather(*(work(*each) for each in enumerate(channels)))
    rate = CLIENTS * EACH / (time.perf_counter() - began)
    await asyncio.gather(*(channel.aclose() for channel in channels))
    return rate


async def _publish(place: FabricPlace) -> tuple[list[float], float]:
    ledger = place.open()
    identity = Identity("bench", Ed25519Key(), PackageSigner.generate())
    journal = journal_in(place.folder / "journal.sqlite")
    context = context_of(place.folder, journal, identity, ledger)
    batcher = PublicationBatcher(context, ledger.id, max_batch=AT_ONCE // 4)
    seconds, whole = await publish_many(batcher, PUBLICATIONS)
    journal.close()
    await ledger.aclose()
    return seconds, PUBLICATIONS / whole


def _memory(place: FabricPlace) -> list[Result]:
    """Tell what each program has resident after all of this, and a client that reads it all."""
    nodes = place.network.nodes
    organisations = [each.msp for each in place.network.layout.organisations]
    programs: dict[str, Sequence[str]] = {
        "orderer": ["orderer"],
        "peer": organisations,
        "chaincode": [f"{each}-chaincode" for each in organisations],
    }
    held = {
        name: max(_resident(nodes[each].pid) for each in which) for name, which in programs.items()
    }
    held["client"] = _client(place.id, place.folder)
    return [
        Result(f"fabric_{name}_megabytes", megabytes, "MB resident")
        for name, megabytes in held.items()
    ]


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1000


def _client(ledger: LedgerId, folder: Path) -> float:
    """Have a fresh process read the ledger from its first block; give the most that it held."""
    told = [ledger, str(folder / "network"), str(folder / "client.sqlite")]
    words = [sys.executable, "-m", "bench.fabric_client", *told]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1000
