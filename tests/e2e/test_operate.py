"""docs/operate.md, typed as it stands: on five hosts with 80 to 200 ms between them.

CAIMI comes from a wheel, into an empty environment with an empty home. The five machines are made
from one image, so that it is installed once. The two ledgers are anvils beside their
organisations' nodes; whoever makes a key gets coins. `tc netem` is not in every kernel: see
`wide_area.network` for what makes the delays.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest
from installed import build_wheel, link_what_is_locked, write_python
from played_machines import Heading, Machines

from caimi.ledgers.evm.local.anvil import AnvilOptions, anvil_command
from played_page import blocks_of
from wide_area.network import WideArea, wide_area

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "operate.md"
NAMES = {
    **{name: [f"{name}.alder.example"] for name in ("a1", "a2", "a3")},
    **{name: [f"{name}.birch.example"] for name in ("b1", "b2")},
}
ROUND_TRIPS = (0.08, 0.09, 0.15, 0.2, 0.1, 0.16, 0.18, 0.14, 0.17, 0.11)
LEDGERS = {"a1": 7701, "b1": 7702}
PORT = 8545
COINS = 10**21
FUND = """
import json, sys, urllib.request
url, number, coins, *accounts = sys.argv[1:]
calls = [("anvil_setBalance", [each, hex(int(coins))]) for each in accounts]
for method, words in calls or [("eth_chainId", [])]:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": words}).encode()
    asked = urllib.request.Request(url, body, {"content-type": "application/json"})
    assert "error" not in json.load(urllib.request.urlopen(asked, timeout=5))
"""


class Faucet:
    """Whoever makes a key gets coins on both ledgers."""

    def __init__(self, wan: WideArea, machines: Machines) -> None:
        self._wan = wan
        self._machines = machines
        self._known: set[str] = set()

    def pay(self) -> None:
        """Pay those who had nothing so far."""
        new = set()
        for machine in NAMES:
            for file in (self._machines.home(machine) / "keys").glob("*.json"):
                account = json.loads(file.read_text()).get("address", "")
                if re.fullmatch(r"(0x)?[0-9a-fA-F]{40}", account):
                    new.add(f"0x{account.removeprefix('0x')}")
        if new - self._known:
            for machine in LEDGERS:
                self.ask(machine, *(new - self._known))
        self._known |= new

    def ask(self, machine: str, *accounts: str) -> None:
        """Pay accounts on the ledger of a machine; without any, see whether it answers."""
        words = (f"http://127.0.0.1:{PORT}", str(LEDGERS[machine]), str(COINS), *accounts)
        subprocess.run(
            self._wan.on(machine, sys.executable, "-c", FUND, *words),
            check=True,
            capture_output=True,
            timeout=20,
        )


@pytest.fixture
def wan(tmp_path: Path) -> Iterator[WideArea]:
    round_trips = dict(zip(combinations(NAMES, 2), ROUND_TRIPS, strict=True))
    with wide_area(tmp_path, NAMES, round_trips) as found:
        yield found


@pytest.fixture
def machines(wan: WideArea, tmp_path: Path) -> Machines:
    build_wheel(tmp_path / "wheels")
    link_what_is_locked(tmp_path / "locked")
    environment = {
        "PATH": "/srv/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(tmp_path / "locked"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "COLUMNS": "200",
    }
    for name in NAMES:
        (tmp_path / name / "bin").mkdir()
        write_python(tmp_path / name / "bin" / "python3")
    return Machines(wan, tmp_path, environment)


@pytest.fixture
def faucet(wan: WideArea, machines: Machines) -> Iterator[Faucet]:
    """Run both ledgers, reachable from everywhere."""
    running = []
    for machine, number in LEDGERS.items():
        options = AnvilOptions(number, PORT, block_time=0.25)
        words = [each.replace("127.0.0.1", "0.0.0.0") for each in anvil_command(options)]
        running.append(
            subprocess.Popen(
                wan.on(machine, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )
    made = Faucet(wan, machines)
    for machine in LEDGERS:
        _until(lambda m=machine: made.ask(m), subprocess.CalledProcessError)
    yield made
    for each in running:
        each.kill()
        each.wait()


def _until(work, error, seconds=20.0):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def install(machines: Machines, commands: list[str]) -> None:
    """Make the image of the machines on the first one, and give it to the others."""
    first, *others = NAMES
    done = machines.type(first, commands)
    assert done.status == 0, done.said
    assert re.search(r"^caimi \d", done.said, re.MULTILINE)
    for other in others:
        shutil.copytree(
            machines.home(first) / "caimi", machines.home(other) / "caimi", symlinks=True
        )


@contextmanager
def killed_in_the_middle(machines: Machines, machine: str) -> Iterator[None]:
    """Kill a machine's node once it takes part in a key generation."""
    file = machines.home(machine) / machine / "key-generation" / "order"
    process = machines.variable(machine, "NODE")

    def order() -> str:
        return file.read_text() if file.exists() else ""

    def wait() -> None:
        seen, deadline = {order()}, time.monotonic() + 100
        while len(seen) < 4 and time.monotonic() < deadline:  # its status, twice, and to enrol
            seen.add(order())
            time.sleep(0.005)
        machines.kill(machine, process)

    killing = threading.Thread(target=wait)
    killing.start()
    yield
    killing.join()


@pytest.mark.timeout(1200)
def test_every_command_of_the_page_does_what_it_says(machines: Machines, faucet: Faucet) -> None:
    (_, installing), *blocks = blocks_of(PAGE)
    began = time.monotonic()
    install(machines, installing)
    for title, commands in blocks:
        heading = Heading.of(title, tuple(NAMES))
        started = time.monotonic()
        if heading.killed is not None:
            with killed_in_the_middle(machines, heading.killed):
                found = machines.type_everywhere(heading.machines, commands)
        else:
            found = machines.type_everywhere(heading.machines, commands)
        sys.stderr.write(
            f"{time.monotonic() - began:6.1f} {time.monotonic() - started:5.1f} {title}: "
            f"{commands[0].splitlines()[0][:60]}\n"
        )
        for machine, played in found.items():
            if heading.code is None:
                assert played.status == 0, f"{machine}: {played.said}"
            else:
                assert played.status != 0, played.said
                assert heading.code in played.said, played.said
        faucet.pay()
