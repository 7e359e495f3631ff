"""A local network that is ended in every way, and comes back where it was."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_devnet import CAIMI, Devnet

from caimi.config import load_config
from caimi.datasets import train
from caimi.devnet import network, processes
from caimi.devnet.health import Health
from caimi.devnet.processes import Process
from caimi.errors.base import CaimiError
from caimi.errors.node import DevnetMissing, DevnetRunning
from caimi.errors.operations import UsageError
from caimi.ledgers.evm.local.kept_chain import KeptChain
from caimi.loopback import free_ports

pytestmark = [pytest.mark.e2e, pytest.mark.anvil, pytest.mark.timeout(300)]
PORTS = 9
"""Three ledgers, five nodes and a worker."""


class LastingNetwork(Devnet):
    """A network of which a test asks ledgers, and kills processes."""

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command as a terminal does, which hears Ctrl-C whatever these tests ignore."""
        return subprocess.Popen(
            [*CAIMI, "devnet", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def named(self, name: str) -> Process:
        listed = processes.load(self.folder / ".caimi" / "processes.json")
        return next(each for each in listed if each.name == name)

    @property
    def api(self) -> network.Devnet:
        return network.Devnet(self.folder)

    def health(self) -> dict[str, Health]:
        return {each.name: each for each in asyncio.run(self.api.status())}

    def until_well(self, restarted: set[str]) -> None:
        deadline = time.monotonic() + 60
        while True:
            health = self.health()
            again = {name for name, each in health.items() if each.restarts}
            if again == restarted and all(each.ok for each in health.values()):
                return
            assert time.monotonic() < deadline, health
            time.sleep(0.2)

    def refuses(self, kind: type[CaimiError], **chosen: Any) -> CaimiError:
        with pytest.raises(kind) as caught:
            asyncio.run(self.api.up(lambda text: None, **chosen))
        return caught.value

    def block(self, ledger: str, number: str = "latest") -> dict[str, Any]:
        url = self.named(ledger).url
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}
        asked = {**request, "params": [number, False]}
        return httpx.post(url or "", json=asked, timeout=20).json()["result"]

    def left(self) -> list[int]:
        return [pid for pid, _ in processes._marked(self.folder / ".caimi")]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LastingNetwork]:
    net = LastingNetwork(tmp_path_factory.mktemp("lasting"))
    (net.folder / "model.onnx").write_bytes(train("breast-cancer", seed=0).onnx)
    base = str(free_ports(PORTS)[0])
    both = [net.started("up", "--ports", base, "--json") for _ in range(2)]
    told = [json.loads(each.communicate(timeout=240)[0]) for each in both]
    try:
        assert sorted(each["ok"] for each in told) == [False, True], told
        refused = next(each for each in told if not each["ok"])
        assert refused["error"]["code"] == "CAIMI-N035"
        status = net.run("devnet", "status")["processes"]
        assert [each["height"] > 0 for each in status if each["name"].startswith("ledger")] == 3 * [
            True
        ]
        ports = [int(each["url"].rpartition(":")[2]) for each in status if each["url"]]
        assert ports == list(range(int(base), int(base) + PORTS))
        yield net
    finally:
        subprocess.run([*CAIMI, "devnet", "down"], cwd=net.folder, check=False)
        assert net.left() == []


def test_after_down_and_up_everything_is_there_on_other_ports_too(net: LastingNetwork) -> None:
    uri = net.publish("lasting")
    net.run("buy", uri, "-l", "b", "-k", "bob")
    told = {ledger: net.block(ledger) for ledger in ("ledger-a", "ledger-b")}
    shares = key_shares(net.folder)
    assert "devnet down" in net.refuses(DevnetRunning, base=9_000).next_step
    assert "--fresh" in net.refuses(UsageError, ledgers=["anvil"] * 4).next_step
    taken = int((net.named("node-3").url or "").rpartition(":")[2])
    net.run("devnet", "down")
    assert net.left() == []
    with socket.create_server(("127.0.0.1", taken)):
        error = net.run("devnet", "up", status=1)["error"]
        assert error["code"] == "CAIMI-N034"
        assert f"{taken} (node-3)" in error["what"]
        assert net.left() == []
        base = free_ports(PORTS)[0]
        net.run("devnet", "up", "--ports", str(base))
    assert load_config(net.folder / "caimi.toml").workers[0].url.endswith(f":{base + PORTS - 1}")
    for ledger, block in told.items():
        assert net.block(ledger, block["number"]) == block
    assert key_shares(net.folder) == shares
    net.run("pull", uri, "opened", "-k", "bob")  # the licence counts, and the nodes have the key
    net.run("buy", uri, "-l", "c", "-k", "worker")


def key_shares(folder: Path) -> list[bytes]:
    shares = [file.read_bytes() for file in sorted(folder.glob(".caimi/*/key-share.bin"))]
    assert len(shares) == 5
    return shares


def test_killed_ledgers_and_nodes_come_back_with_all_that_anybody_was_told(
    net: LastingNetwork,
) -> None:
    uri = net.publish("survivor")
    told = net.block("ledger-a")
    os.killpg(net.named("ledger-a").pid, signal.SIGKILL)  # the ledger with its anvil
    os.kill(net.named("ledger-b").pid, signal.SIGKILL)  # its anvil runs on
    for pid, session in processes._marked(net.folder / ".caimi"):
        if session == net.named("ledger-c").pid != pid:
            os.kill(pid, signal.SIGKILL)  # an anvil alone
    os.kill(net.named("node-2").pid, signal.SIGKILL)
    net.until_well({"ledger-a", "ledger-b", "ledger-c", "node-2"})
    assert net.block("ledger-a", told["number"]) == told
    net.run("buy", uri, "-l", "b", "-k", "bob")
    assert "node-2 was killed by signal 9" in net.api.log_file("supervisor").read_text()


def test_without_its_supervisor_a_network_says_so_and_up_mends_it(net: LastingNetwork) -> None:
    before = {name: each.pid for name, each in net.health().items()}
    os.kill(before["supervisor"], signal.SIGKILL)
    os.kill(before["relayer"], signal.SIGKILL)
    bad = {name for name, each in net.health().items() if not each.ok}
    assert bad == {"supervisor", "relayer"}
    net.run("devnet", "up")
    after = {name: each.pid for name, each in net.health().items()}
    assert {name for name in before if before[name] != after[name]} == bad
    net.run("devnet", "restart", "node-4")
    again = {name: each.pid for name, each in net.health().items()}
    assert {name for name in after if after[name] != again[name]} == {"node-4"}
    with pytest.raises(UsageError, match="no process 'supervisor'"):
        asyncio.run(net.api.restart(lambda text: None, ["supervisor"]))


def test_a_fresh_network_keeps_keys_alone_and_ends_with_what_it_started_on_ctrl_c(
    net: LastingNetwork,
) -> None:
    assert "devnet down" in net.refuses(DevnetRunning, fresh=True).next_step
    keys = {file.name: file.read_bytes() for file in (net.folder / "keys").iterdir()}
    net.run("devnet", "down")
    assert (net.folder / "state").exists()
    coming = net.started("up", "--fresh")
    assert coming.stderr is not None
    while "deploying contracts" not in (line := coming.stderr.readline()):
        assert line, "it ended"
    coming.send_signal(signal.SIGINT)
    said = coming.communicate(timeout=60)[1]
    assert coming.returncode == 130
    assert "Nothing of the network runs" in said
    assert "caimi devnet up" in said
    assert net.left() == []
    assert {file.name: file.read_bytes() for file in (net.folder / "keys").iterdir()} == keys
    assert not (net.folder / "state").exists()
    assert not list(net.folder.glob(".caimi/node-?"))
    kept = KeptChain(net.folder / ".caimi" / "ledger-a").read()
    assert kept is not None
    assert kept[0].number < 20
    with pytest.raises(DevnetMissing):
        net.health()
