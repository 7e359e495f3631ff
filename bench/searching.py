"""Searching a ledger of a thousand models: the first time, again, and as it is without an index.

What a node is asked for is counted, and the time is that of an anvil on this machine, which answers
at once: over a network every round trip costs more.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.network import one_anvil
from bench.result import Result
from caimi.client import catalogue, pricing
from caimi.client.context import Context
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.provider import RpcProvider
from caimi.ledgers.home import is_home
from caimi.ledgers.port import Price

MODELS, AT_ONCE = 1_000, 50
COIN = 10**18


class Counted:
    """A node of which is counted what it is asked for, and in how many round trips."""

    def __init__(self, inner: RpcProvider) -> None:
        super().__init__()
        self.inner = inner
        self.requests = self.trips = 0

    async def make_request(self, method: Any, params: Any) -> Any:
        self.requests += 1
        self.trips += 1
        return await self.inner.make_request(method, params)

    async def make_batch_request(self, requests: Any) -> Any:
        self.requests += len(requests)
        self.trips += 1
        return await self.inner.make_batch_request(requests)

    async def disconnect(self) -> None:
        await self.inner.disconnect()


@dataclass(frozen=True, slots=True)
class Cost:
    """What one search took."""

    seconds: float
    requests: int
    trips: int


def measure() -> list[Result]:
    """Publish and price a thousand models, and look for all of them."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def asked_each(context: Context) -> int:
    """Find all models as one does without an index: each is asked for, its versions and prices."""
    (ledger,) = context.ledgers.values()
    head = await ledger.head()
    found = 0
    for model in await ledger.registry.models(ledger.deployed_at - 1, head.height):
        found += is_home(ledger, model)
        await ledger.registry.versions(model.model_id)
        await pricing.offers(context, ledger.id, model.model_id)
    return found


async def searched(context: Context) -> int:
    """Find all models."""
    return len(await catalogue.search(context))


async def _publish(context: Context, ledger: EvmLedger) -> None:
    signer, at_once = context.identity.signer, asyncio.Semaphore(AT_ONCE)

    async def publish(number: int) -> None:
        async with at_once:
            name = f"model-{number}"
            await ledger.submit(ledger.registry.publish(name, "1.0.0", bytes([1]) * 32), signer)
            model_id = ledger.registry.model_id(context.identity.account(ledger.id), name)
            payee = context.identity.account(ledger.id)
            prices = [Price(ledger.coins.asset.of(COIN), payee)]
            await ledger.submit(ledger.market.set_prices(model_id, prices), signer)

    await asyncio.gather(*(publish(number) for number in range(MODELS)))


async def _measure(folder: Path) -> list[Result]:
    async with one_anvil(folder) as (context, ledger):
        await _publish(context, ledger)
        node = Counted(ledger.chain.rpc.provider)
        ledger.chain.rpc.provider = node
        keeping = replace(context, index_folder=folder / "models")

        async def cost(search: Callable[[Context], Awaitable[int]]) -> Cost:
            node.requests = node.trips = 0
            began = time.perf_counter()
            assert await search(keeping) == MODELS
            return Cost(time.perf_counter() - began, node.requests, node.trips)

        each, first, again = [await cost(search) for search in (asked_each, searched, searched)]
    return [
        _compared("search_first_speedup", "times faster", each.seconds, first.seconds, 1.5),
        _compared("search_again_speedup", "times faster", each.seconds, again.seconds, 3),
        _compared("search_first_trips_saved", "times fewer", each.trips, first.trips, 20),
        Result("search_again_requests", again.requests, "requests", ceiling=100),
        Result("search_again_trips", again.trips, "round trips", ceiling=10),
    ]


def _compared(name: str, unit: str, each: float, with_index: float, floor: float) -> Result:
    ratio = each / with_index
    return Result(name, ratio, unit, "each model asked for", each, ratio, floor=floor)
