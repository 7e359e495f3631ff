"""One transfer during which every process of the local network is killed once (`kill -9`)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from test_devnet import CAIMI, Devnet

from caimi.composition.ledgers import open_ledger, open_ledgers
from caimi.config import load_config
from caimi.datasets import train
from caimi.devnet import processes
from caimi.devnet.processes import Process
from caimi.uri import ModelUri

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]


class MortalNetwork(Devnet):
    """A network whose processes are killed and started again as they were."""

    @property
    def listed(self) -> Path:
        return self.folder / ".caimi" / "processes.json"

    def named(self, name: str) -> Process:
        return next(each for each in processes.load(self.listed) if each.name == name)

    def start_again(self, dead: Process, command: list[str]) -> None:
        secret = None
        if dead.name.startswith("node-"):
            secret = (self.folder / ".caimi" / "passphrase").read_bytes().strip()
        born = processes.start(
            dead.name, command, self.folder / ".caimi", url=dead.url, secret=secret
        )
        others = [born if each.name == dead.name else each for each in processes.load(self.listed)]
        processes.save(self.listed, others)

    def end(self, name: str) -> tuple[Process, list[str]]:
        living = self.named(name)
        command = Path(f"/proc/{living.pid}/cmdline").read_bytes().split(b"\0")[:-1]
        # npm's anvil is a launcher with the program as its child: both are one session.
        os.killpg(living.pid, signal.SIGKILL)
        while living.alive:
            time.sleep(0.02)
        return living, [part.decode() for part in command]

    def kill_and_start(self, name: str) -> None:
        self.start_again(*self.end(name))


@pytest.fixture
def net(tmp_path: Path) -> Iterator[MortalNetwork]:
    (tmp_path / "model.onnx").write_bytes(train("breast-cancer", seed=0).onnx)
    network = MortalNetwork(tmp_path)
    network.run("devnet", "up")
    network.end("supervisor")  # which would start again what is killed here
    try:
        yield network
    finally:
        network.run("devnet", "down")


def test_a_transfer_survives_killing_every_process_once(net: MortalNetwork) -> None:
    bare = net.publish("mortal").split("@", maxsplit=1)[0]
    transfer = ("transfer", bare, "--to", "bob", "-l", "c", "-k", "alice")
    dead_relayer = net.end("relayer")
    with subprocess.Popen(
        [*CAIMI, *transfer],
        cwd=net.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as client:
        deadline = time.monotonic() + 60
        while not asyncio.run(_in_flight(net.folder, bare)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        client.kill()
    nodes = [f"node-{number}" for number in range(1, 6)]
    for name in (*nodes, "worker", "ledger-a", "ledger-b", "ledger-c"):
        net.kill_and_start(name)
    net.start_again(*dead_relayer)
    net.run(*transfer)
    home, *elsewhere = asyncio.run(_holders(net.folder, bare))
    accounts = {key["name"]: key["account"] for key in net.run("keys", "list")["keys"]}
    assert home == "bridge"
    assert elsewhere == [None, accounts["bob"]]
    net.run("devnet", "up")
    assert net.run("devnet", "status")["ok"] is True


async def _in_flight(folder: Path, bare: str) -> bool:
    section = load_config(folder / "caimi.toml").ledgers[0]
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(stack, section)
        return await ledger.bridge.lock(ModelUri.parse(bare).model_id) is not None


async def _holders(folder: Path, bare: str) -> list[str | None]:
    """Give who holds the model on each ledger; the bridge of its home keeps it while it is away."""
    holders: list[str | None] = []
    async with AsyncExitStack() as stack:
        ledgers = await open_ledgers(stack, load_config(folder / "caimi.toml").ledgers)
        for ledger in ledgers.values():
            record = await ledger.registry.find(ModelUri.parse(bare).model_id)
            if record is None or record.owner is None:
                holders.append(None)
            elif record.owner == ledger.bridge.account:
                holders.append("bridge")
            else:
                holders.append(ledger.accounts.text(record.owner))
    return holders
