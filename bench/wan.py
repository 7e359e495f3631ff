"""Publishing, and asking a worker, over a wide-area network: 80 to 200 ms between the hosts.

``wan_publish_p99_seconds`` is `bench.publishing`'s latency, from the call until the publication is
proven on the ledger, of a publisher who is 200 ms away from the ledger's node and has 2,000 at
once under way. A batch is six round trips there, so that all who wait share one.
``wan_answer_p99_seconds`` is what somebody waits who asks a worker for an answer: the version is
looked up on the ledger, the rows go to the worker and the outputs come back over TLS, and the
receipt is checked against both. Both are far away, 200 ms the ledger and 150 ms the worker; their
connections are kept, as any client keeps them, and the first answers, which open them, count.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.result import Result, p99
from caimi.ledgers.evm.local.anvil import AnvilOptions, anvil_command
from wide_area.network import WideArea, wide_area

ROOT = Path(__file__).parent.parent
NAMES = {"user": [], "ledger": ["ledger.example"], "worker": ["worker.example"]}
ROUND_TRIPS = {("user", "ledger"): 0.2, ("user", "worker"): 0.15, ("ledger", "worker"): 0.08}
LEDGER_PORT, WORKER_PORT = 8545, 9100
URL = f"http://ledger.example:{LEDGER_PORT}"
SECONDS = 280


def measure() -> list[Result]:
    """Give both figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with wide_area(folder, NAMES, ROUND_TRIPS) as wan, _ledger(wan):
            published = _run(wan, "user", "publish", URL, str(folder))
            worker = program(wan, "worker", "serve", str(folder), str(WORKER_PORT))
            subprocess.Popen(worker)  # it ends with its host
            asked = _run(wan, "user", "ask", URL, str(folder), str(WORKER_PORT))
    return [
        Result("wan_publish_p99_seconds", p99(published), "s", ceiling=1.8),
        Result("wan_answer_p99_seconds", p99(asked), "s", ceiling=1.2),
    ]


@contextmanager
def _ledger(wan: WideArea) -> Iterator[None]:
    options = AnvilOptions(31337, LEDGER_PORT)
    words = [each.replace("127.0.0.1", "0.0.0.0") for each in anvil_command(options)]
    anvil = subprocess.Popen(wan.on("ledger", *words), stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        anvil.kill()
        anvil.wait()


def _run(wan: WideArea, host: str, *words: str) -> list[float]:
    done = subprocess.run(
        program(wan, host, *words), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [float(each) for each in json.loads(done.stdout)]


def program(wan: WideArea, host: str, *words: str) -> list[str]:
    """Give the command line of one of `bench.wan_programs` on a host."""
    path = ":".join(str(ROOT / each) for each in ("", "tests", "src"))
    there = ("env", f"PYTHONPATH={path}", sys.executable, "-m", "bench.wan_programs", *words)
    command: list[str] = wan.on(host, *there)
    return command
