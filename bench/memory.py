"""A relayer's memory over 100,000 messages between two anvils; not among what runs by default.

The relayer and five validators are one process (`bench.carrier`), which sees nothing of how the
messages come to be. Takes some ten minutes; writes a plot.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.messages import Pair, joined_anvils
from bench.plot import Line, Plot
from bench.result import Result
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.http import HttpProvider
from caimi.ledgers.evm.transactions.fees import GWEI

MESSAGES, WARM, OPEN, EACH = 100_000, 10_000, 2_000, 200
BLOCK_SECONDS = 0.5
STATES = 64  # what the anvils keep of their past: they hold each state whole
PICTURE = Path(__file__).parents[1] / "docs" / "relayer-memory.svg"


def measure() -> list[Result]:
    """Keep 2,000 messages open until 100,000 have been acknowledged."""
    samples = asyncio.run(carry(MESSAGES))
    done = [(count, size / 1e6) for count, size, _ in samples]
    warm = next(size for count, size in done if count >= WARM)
    PICTURE.write_text(
        Plot(
            "Resident memory of a relayer and five validators in one process",
            "messages delivered and acknowledged",
            "MB",
            (Line("", tuple(done)),),
        ).svg()
    )
    growth = done[-1][1] / warm
    return [
        Result(
            "relay_memory_growth",
            growth,
            f"of its memory after {WARM:,} messages",
            f"resident MB after {WARM:,} of {MESSAGES:,}",
            warm,
            growth,
            ceiling=1.1,
        ),
        Result("relay_memory", done[-1][1], "MB resident, with five validators"),
        Result(
            "relay_processor_seconds",
            1_000 * samples[-1][2] / MESSAGES,
            "s of processor time per 1,000 messages, with five validators",
        ),
    ]


async def carry(messages: int) -> list[tuple[int, int, float]]:
    """Give (acknowledged, resident bytes, processor seconds) of each second."""
    samples: list[tuple[int, int, float]] = []
    async with joined_anvils(mining=False, states=STATES) as pair, _carrier(pair) as process:
        assert process.stdout is not None
        miners = [asyncio.create_task(_mine(each)) for each in (pair.a, pair.b)]
        sent = 0
        try:
            async for told in process.stdout:
                now = json.loads(told)
                samples.append((now["acknowledged"], now["resident"], now["seconds"]))
                if len(samples) % 10 == 0:
                    size = now["resident"] / 1e6
                    sys.stderr.write(f"{now['acknowledged']:>7,} carried, {size:.0f} MB\n")
                while sent < messages and sent - now["acknowledged"] < OPEN:
                    await pair.send(min(EACH, messages - sent))
                    sent += EACH
                if now["acknowledged"] >= messages:
                    return samples
        finally:
            for miner in miners:
                miner.cancel()
            await asyncio.gather(*miners, return_exceptions=True)
    raise AssertionError(f"The relayer ended after {len(samples)} samples.")


async def _mine(ledger: EvmLedger) -> None:
    """Make blocks; full ones would raise the price of gas without end."""
    while True:
        await ledger.chain.rpc.ask("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        await ledger.chain.rpc.ask("evm_mine")
        await asyncio.sleep(BLOCK_SECONDS)


@asynccontextmanager
async def _carrier(pair: Pair) -> AsyncIterator[asyncio.subprocess.Process]:
    told = {
        "ledgers": [
            {"url": _url(each), "deployment": each.deployment.as_dict()}
            for each in (pair.a, pair.b)
        ],
        "threshold": pair.committee.threshold,
        "secrets": [secret.hex() for secret in pair.secrets],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.carrier",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(told).encode() + b"\n")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _url(ledger: EvmLedger) -> str:
    provider = ledger.chain.rpc.provider
    assert isinstance(provider, HttpProvider)
    return provider.url
