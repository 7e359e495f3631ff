"""Batched publication on a real anvil: throughput, latency from call to proven, gas saved."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import rfc8785

from bench.network import one_anvil
from bench.result import Result, p99
from caimi.client.batch import PublicationBatcher, Release

PUBLICATIONS, AT_ONCE = 40_000, 4_000


def measure() -> list[Result]:
    """Publish manifests of 2 KB, thousands at once, and some one by one for the gas."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


def _manifest(number: int) -> bytes:
    return rfc8785.dumps({"name": f"model-{number}", "padding": os.urandom(950).hex()})


async def publish_many(
    batcher: PublicationBatcher, publications: int = PUBLICATIONS, at_once: int = AT_ONCE
) -> tuple[list[float], float]:
    """Publish all, many at once; give the seconds of each, from call to proven, and of all."""
    releases = [
        Release(f"model-{number}", "1.0.0", _manifest(number)) for number in range(publications)
    ]
    waiting = asyncio.Semaphore(at_once)
    seconds: list[float] = []

    async def publish(release: Release) -> None:
        async with waiting:
            began = time.perf_counter()
            await batcher.publish(release)
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(publish(release) for release in releases))
    return seconds, time.perf_counter() - began


async def _measure(folder: Path) -> list[Result]:
    async with one_anvil(folder) as (context, ledger):
        alone = []
        for number in range(5):
            call = ledger.registry.publish(f"alone-{number}", "1.0.0", bytes([number + 1]) * 32)
            alone.append((await ledger.submit(call, context.identity.signer)).work)
        batcher = PublicationBatcher(context, ledger.id, max_batch=AT_ONCE // 4)
        seconds, whole = await publish_many(batcher)
    per_publication = sum(receipt.work for receipt in batcher.receipts) / PUBLICATIONS
    single = sum(alone) / len(alone)
    return [
        Result("publish_per_second", PUBLICATIONS / whole, "publications/s", floor=2600),
        Result("publish_p99_seconds", p99(seconds), "s", ceiling=1.8),
        Result(
            "publish_gas_saving",
            single / per_publication,
            "times less gas",
            "one transaction each",
            single,
            single / per_publication,
            floor=20,
        ),
    ]
