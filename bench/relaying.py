"""Relaying between two real anvils in batches: packets a second, gas per packet, latency added.

Everything runs on this machine at once: both anvils, the relayer, and five validators in its
process. What the anvils alone need for the very same transactions is measured in the same run.
"""

from __future__ import annotations

import asyncio
import time
from statistics import mean, quantiles

from bench.messages import Pair, joined_anvils
from bench.result import Result
from caimi.hashing import keccak256
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.http import HttpProvider
from caimi.ledgers.evm.rpc.provider import Json, RpcAnswer
from caimi.messaging.progress import Carried

PACKETS, BLOCK = 4_000, 100
BLOCK_SECONDS, PER_SECOND, SECONDS = 1.0, 100, 30


def measure() -> list[Result]:
    """Relay 4,000 messages of 32 bytes at once; then 100 a second for half a minute."""
    return asyncio.run(_throughput()) + asyncio.run(_latency())


class Broadcasts:
    """The raw transactions that went to one ledger, with when its node had taken each."""

    def __init__(self, ledger: EvmLedger) -> None:
        self.raws: list[str] = []
        self.taken: dict[str, float] = {}
        provider = ledger.chain.rpc.provider
        assert isinstance(provider, HttpProvider)
        ask = provider.make_request

        async def noting(method: str, params: Json) -> RpcAnswer:
            answer = await ask(method, params)
            if method == "eth_sendRawTransaction":
                self.raws.append(params[0])
                tx = keccak256(bytes.fromhex(params[0][2:]))
                self.taken["0x" + tx.hex()] = time.perf_counter()
            return answer

        provider.make_request = noting  # type: ignore[method-assign]


async def _throughput() -> list[Result]:
    async with joined_anvils() as pair:
        sent = await pair.send_in_blocks(PACKETS, BLOCK)
        before = [await each.chain.rpc.ask("evm_snapshot") for each in (pair.a, pair.b)]
        noted = [Broadcasts(each) for each in (pair.a, pair.b)]
        carried: list[Carried] = []
        began = time.perf_counter()
        await _relay(pair, PACKETS, 0.01, carried)
        whole = time.perf_counter() - began
        alone = await _alone(pair, before, [list(each.raws) for each in noted])
    gas = {
        what: mean(c.receipt.work / c.packets for c in carried if c.what == what)
        for what in ("deliver", "acknowledge")
    }
    relayed, bound = PACKETS / whole, PACKETS / alone
    return [
        Result(
            "relay_packets_per_second",
            relayed,
            "packets/s, delivered and acknowledged",
            "the same transactions given to the anvils alone, packets/s",
            bound,
            relayed / bound,
            floor=500,
        ),
        Result("gas_deliver_message_batch100", gas["deliver"], "gas a packet"),
        Result("gas_acknowledge_message_batch100", gas["acknowledge"], "gas a packet"),
        Result("gas_send_message", sent, "gas a message"),
    ]


async def _relay(pair: Pair, packets: int, poll_seconds: float, carried: list[Carried]) -> None:
    """Run a relayer until so many packets have been acknowledged."""
    done, ended = asyncio.Event(), 0

    def observe(each: Carried) -> None:
        nonlocal ended
        carried.append(each)
        ended += each.packets * (each.what == "acknowledge")
        if ended >= packets:
            done.set()

    running = asyncio.create_task(pair.relayer(observe).run(poll_seconds))
    waiting = asyncio.create_task(done.wait())
    try:
        async with asyncio.timeout(600):
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)


async def _alone(pair: Pair, before: list[str], raws: list[list[str]]) -> float:
    """Have the anvils execute the relayer's transactions again; give the seconds it took."""
    ledgers = (pair.a, pair.b)
    for ledger, snapshot in zip(ledgers, before, strict=True):
        assert await ledger.chain.rpc.ask("evm_revert", snapshot)

    async def replay(ledger: EvmLedger, mine: list[str]) -> None:
        rpc = ledger.chain.rpc
        for raw in mine:
            tx, receipt = await rpc.ask("eth_sendRawTransaction", raw), None
            while receipt is None:
                receipt = await rpc.ask("eth_getTransactionReceipt", tx)
                await asyncio.sleep(0.001)
            assert receipt["status"] == "0x1"

    began = time.perf_counter()
    await asyncio.gather(*(replay(*each) for each in zip(ledgers, raws, strict=True)))
    return time.perf_counter() - began


async def _latency() -> list[Result]:
    """Time from a message's block to the moment the other ledger's node has its delivery.

    Both ledgers have a block a second, half a second apart. What comes after is the wait for the
    destination's next block, which no relayer shortens.
    """
    async with joined_anvils(mining=False) as pair:
        noted = Broadcasts(pair.b)
        mined: dict[int, float] = {}

        async def mine(ledger: EvmLedger, delay: float) -> None:
            at = time.perf_counter() + delay
            while True:
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                await ledger.chain.rpc.ask("evm_mine")
                if ledger is pair.a:
                    mined[(await ledger.head()).height] = time.perf_counter()
                at += BLOCK_SECONDS

        async def send() -> None:
            at = time.perf_counter()
            for _ in range(SECONDS * 10):
                await pair.send(PER_SECOND // 10)
                at += 0.1
                await asyncio.sleep(max(0.0, at - time.perf_counter()))

        first = (await pair.a.head()).height
        beside = [
            asyncio.create_task(mine(pair.a, 0.0)),
            asyncio.create_task(mine(pair.b, BLOCK_SECONDS / 2)),
            asyncio.create_task(send()),
        ]
        try:
            await _relay(pair, SECONDS * PER_SECOND, 0.05, [])
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        sent, _ = await pair.a.gateway.traffic(first, (await pair.a.head()).height)
        _, written = await pair.b.gateway.traffic(0, (await pair.b.head()).height)
    taken = {entry.sequence: noted.taken[entry.tx] for entry in written}
    added = [taken[entry.packet.sequence] - mined[entry.height] for entry in sent]
    centiles = quantiles(added, n=100)
    return [
        Result(
            "relay_p99_seconds",
            centiles[98],
            "s from a packet's block to its delivery's broadcast",
            "the ledgers' blocks, s",
            BLOCK_SECONDS,
            centiles[98] / BLOCK_SECONDS,
            ceiling=BLOCK_SECONDS,
        ),
        Result("relay_median_seconds", centiles[49], "s"),
    ]
