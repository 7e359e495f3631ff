"""A local network of anvils and a Fabric channel: what is done every day, both ways, and kills."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from running_devnet import CAIMI, Devnet, earned, eventually

from caimi.datasets import train
from fabric_programs import needs_programs

pytestmark = [pytest.mark.e2e, pytest.mark.anvil, pytest.mark.timeout(400)]
A = "eip155:31337"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    needs_programs()
    folder = tmp_path_factory.mktemp("fabric")
    trained = train("breast-cancer", seed=0)
    (folder / "model.onnx").write_bytes(trained.onnx)
    np.save(folder / "rows.npy", trained.holdout_x[:5])
    network = Devnet(folder)
    network.run("devnet", "up", "--ledgers", "anvil,fabric,anvil")
    try:
        yield network
    finally:
        subprocess.run([*CAIMI, "devnet", "down"], cwd=folder, check=False)


def publish(net: Devnet, name: str, ledger: str) -> str:
    arguments = ("-n", name, "-v", "1.0.0", "-l", ledger, "--price", "5", "-k", "alice")
    return net.run("publish", "model.onnx", *arguments)["uri"]


def test_a_model_of_a_channel_is_licensed_opened_served_and_moved_elsewhere(net: Devnet) -> None:
    uri = publish(net, "of-fabric", "b")
    bare, channel = uri.partition("@")[0], ":".join(uri.split(":")[1:3])
    assert channel.startswith("fabric:")
    assert net.run("buy", uri, "-l", "a", "-k", "bob")["ledger"] == A
    net.run("pull", uri, "opened", "-k", "bob")
    assert net.run("buy", uri, "-l", "b", "-k", "worker")["ledger"] == channel
    has = {each["ledger"]: each for each in net.run("balance", "-k", "worker")["balances"]}
    assert (has[channel]["amount"], has[channel]["symbol"]) == ("999995", "EUR")
    asked = ("-i", "rows.npy", "--worker", "any", "--receipt", "receipt.json", "-k", "bob")
    assert len(net.run("run", uri, *asked)["outputs"]["label"]) == 5
    assert net.run("verify", "receipt.json")["ok"]
    sold = {A: "5", channel: "5"}
    assert eventually(lambda: earned(net, "alice"), sold) == sold
    net.run("transfer", bare, "--to", "bob", "-l", "a", "-k", "alice")
    net.run("transfer", bare, "--to", "alice", "-l", "b", "-k", "bob")
    events = [line["event"] for line in net.run("history", bare)["history"]]
    assert {"version published", "licence granted", "model sent"} <= set(events)


def test_a_model_of_an_evm_ledger_is_paid_on_a_channel_and_visits_it(net: Devnet) -> None:
    uri = publish(net, "of-evm", "a")
    bare = uri.partition("@")[0]
    bought = net.run("buy", uri, "-l", "b", "-k", "bob")
    assert bought["ledger"].startswith("fabric:")
    net.run("pull", uri, "of-evm", "-k", "bob")
    net.run("transfer", bare, "--to", "bob", "-l", "b", "-k", "alice")
    net.run("transfer", bare, "--to", "alice", "-l", "a", "-k", "bob")
    assert net.run("show", uri)["held_on"] == A


def test_killed_processes_come_back_and_nothing_is_lost_by_down_and_up(net: Devnet) -> None:
    uri = publish(net, "kept", "b")
    folder = f"{net.folder}/.caimi/ledger-b"
    for number, of in enumerate(("OrdererMSP", "Org2MSP"), start=1):
        kill_one_of(f"{folder}/{of}")
        assert eventually(lambda: restarts(net), number) == number
        net.run("devnet", "up")
    net.kill("ledger-b")
    net.run("devnet", "down")
    assert processes_of(folder) == []
    net.run("devnet", "up")
    assert net.run("show", uri)["name"] == "kept"
    publish(net, "after", "b")


def restarts(net: Devnet) -> int:
    listed = json.loads((net.folder / ".caimi" / "processes.json").read_text())
    return next(each["restarts"] for each in listed if each["name"] == "ledger-b")


def processes_of(folder: str) -> list[int]:
    """Give the processes that have a folder in their command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if folder.encode() in said:
                    found.append(int(entry.name))
    return found


def kill_one_of(folder: str) -> None:
    os.kill(processes_of(folder)[0], signal.SIGKILL)
