"""How long the command line and the package take to start, and what a search costs from cold.

Each is the median of several fresh processes; the search is of an anvil on this machine with a
model on it, whose index was not read before.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import tomli_w

from bench.network import one_anvil
from bench.result import Result
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.http import HttpProvider

TIMES = 7


def measure() -> list[Result]:
    """Import the package, ask for help, and search."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(_search(Path(folder)))
    return [
        Result("import_seconds", _ran("-c", "import caimi").seconds, "s", ceiling=0.3),
        Result("cli_help_seconds", _ran("-m", "caimi.cli", "--help").seconds, "s", ceiling=0.25),
        Result("cli_search_seconds", found.seconds, "s from cold", ceiling=1.5),
        Result("cli_search_megabytes", found.megabytes, "MB resident at most", ceiling=150),
    ]


@dataclass(frozen=True, slots=True)
class _Cost:
    seconds: float
    megabytes: float


async def _search(folder: Path) -> _Cost:
    async with one_anvil(folder) as (context, ledger):
        signer = context.identity.signer
        await ledger.submit(ledger.registry.publish("model", "1.0.0", bytes([1]) * 32), signer)
        config = folder / "caimi.toml"
        config.write_text(_configuration(ledger))
        words = ("-m", "caimi.cli", "search", "--config", str(config))
        return await asyncio.to_thread(_ran, *words, home=folder / "home")


def _configuration(ledger: EvmLedger) -> str:
    node = ledger.chain.rpc.provider
    assert isinstance(node, HttpProvider)
    section = {
        "id": ledger.id,
        "name": "a",
        "rpc": node.url,
        "finality": "depth:0",
        **ledger.deployment.as_dict(),
    }
    return tomli_w.dumps({"ledgers": [section]})


def _ran(*words: str, home: Path | None = None) -> _Cost:
    costs = [_once(words, home and home / str(turn)) for turn in range(TIMES)]
    return _Cost(median(each.seconds for each in costs), max(each.megabytes for each in costs))


def _once(words: Sequence[str], home: Path | None) -> _Cost:
    environment: Mapping[str, str] = dict(os.environ)
    if home is not None:  # a home of its own has no index of an earlier turn
        home.mkdir(parents=True)
        environment = {**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, words
    return _Cost(seconds, usage.ru_maxrss / 1000)
