"""How large an installation is, how fast it starts, and what a search costs from cold.

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
import tomllib
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import tomli_w

from bench.network import one_anvil
from bench.result import Result
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.http import HttpProvider
from distributions import installed_bytes, needed

TIMES = 7
_REPORTING = """
import sys
from pathlib import Path
from caimi.cli.app import main
try:
    main()
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    sys.stderr.write(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""
"""What the system tells of an ended child counts the parent, whose copy it was before."""


def measure() -> list[Result]:
    """Import the package, ask for help, and search."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, megabytes = asyncio.run(_search(Path(folder)))
    return [
        Result("import_seconds", _seconds("-c", "import caimi"), "s", ceiling=0.3),
        Result("cli_help_seconds", _seconds("-m", "caimi.cli", "--help"), "s", ceiling=0.25),
        Result("cli_search_seconds", seconds, "s from cold", ceiling=1.5),
        Result("cli_search_megabytes", megabytes, "MB resident at most", ceiling=150),
        Result("install_megabytes", _installed() / 1e6, "MB of files, no extras", ceiling=350),
    ]


def _installed() -> int:
    """Give what a plain installation takes: what pyproject.toml asks for, and the package."""
    root = Path(__file__).parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    own = [file for file in (root / "src").rglob("*") if file.is_file()]
    others: int = sum(map(installed_bytes, needed(project["dependencies"])))
    return sum(file.stat().st_size for file in own) + others


async def _search(folder: Path) -> tuple[float, float]:
    async with one_anvil(folder) as (context, ledger):
        signer = context.identity.signer
        await ledger.submit(ledger.registry.publish("model", "1.0.0", bytes([1]) * 32), signer)
        config = folder / "caimi.toml"
        config.write_text(_configuration(ledger))
        search = ("search", "--config", str(config))
        seconds = await asyncio.to_thread(
            _seconds, "-m", "caimi.cli", *search, home=folder / "home"
        )
        told = await asyncio.to_thread(_ran, ("-c", _REPORTING, *search), folder / "another")
        return seconds, int(told) / 1000


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


def _seconds(*words: str, home: Path | None = None) -> float:
    found = []
    for turn in range(TIMES):
        began = time.perf_counter()
        _ran(words, home and home / str(turn))
        found.append(time.perf_counter() - began)
    return median(found)


def _ran(words: Sequence[str], home: Path | None = None) -> str:
    """Run Python; a home of its own has no index of an earlier turn."""
    environment = dict(os.environ)
    if home is not None:
        home.mkdir(parents=True)
        environment["HOME"] = str(home)
    done = subprocess.run(
        [sys.executable, *words], env=environment, check=True, capture_output=True, text=True
    )
    return done.stderr
