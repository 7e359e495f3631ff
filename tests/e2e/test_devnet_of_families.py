"""A local network of unlike ledgers: anvils, and files of the example's family, which stay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from test_demo_of_families import EXAMPLE
from test_devnet import CAIMI, Devnet

from caimi.datasets import train

pytestmark = [pytest.mark.e2e, pytest.mark.anvil, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """Bring one up with the example installed as anybody would install it."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    quiet = ["--disable-pip-version-check", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *quiet, str(EXAMPLE)], check=True, capture_output=True)
    folder = tmp_path_factory.mktemp("families")
    (folder / "model.onnx").write_bytes(train("breast-cancer", seed=0).onnx)
    network = Devnet(folder)
    with pytest.MonkeyPatch.context() as around:
        paths = f"{target}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        around.setenv("PYTHONPATH", paths)
        network.run("devnet", "up", "--ledgers", "anvil,sqlite")
        try:
            yield network
        finally:
            subprocess.run([*CAIMI, "devnet", "down"], cwd=folder, check=False)


def test_a_model_moves_to_a_file_and_is_there_after_down_and_up(net: Devnet) -> None:
    status = net.run("devnet", "status")
    assert status["ok"]
    uri = net.publish("unlike")
    moved = net.run("transfer", uri, "--to", "bob", "-l", "b", "-k", "alice")
    assert moved["destination"] == "local:sqlite1"
    net.run("devnet", "down")
    net.run("devnet", "up")
    shown = net.run("show", uri)
    assert shown["held_on"] == "local:sqlite1"
    net.run("transfer", uri, "--to", "alice", "-l", "a", "-k", "bob")
    assert net.run("show", uri)["held_on"] == "eip155:31337"


def test_a_killed_clock_is_started_again(net: Devnet) -> None:
    net.kill("ledger-c")
    net.run("devnet", "up")
    status = {each["name"]: each for each in net.run("devnet", "status")["processes"]}
    assert status["ledger-c"]["ok"]
    assert status["ledger-c"]["restarts"] >= 1
