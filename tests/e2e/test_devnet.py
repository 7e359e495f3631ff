"""A real local network of processes: what commands, the SDK and the README's example do there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as tritonclient
from running_devnet import CAIMI, Devnet, earned, eventually

import caimi
from caimi.client.batch import Release
from caimi.config import load_config
from caimi.datasets import train

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]
README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    folder = tmp_path_factory.mktemp("devnet")
    trained = train("breast-cancer", seed=0)
    (folder / "model.onnx").write_bytes(trained.onnx)
    np.save(folder / "rows.npy", trained.holdout_x[:5])
    network = Devnet(folder)
    network.run("devnet", "up")
    try:
        yield network
    finally:
        network.run("devnet", "down")


def stock_client(server: str, uri: str, rows: Path) -> dict[str, list]:
    """Ask the worker's process as a program that knows nothing of CAIMI."""
    _, chain, number, rest = uri.split(":")
    name, _, version = f"{chain}.{number}.{rest}".partition("@")
    client = tritonclient.InferenceServerClient(server.removeprefix("http://"))
    said = client.get_model_metadata(name, version)
    values = np.load(rows)
    entry = tritonclient.InferInput(said["inputs"][0]["name"], list(values.shape), "FP32")
    entry.set_data_from_numpy(values)
    answer = client.infer(name, [entry], model_version=version)
    client.close()
    return {each["name"]: answer.as_numpy(each["name"]).tolist() for each in said["outputs"]}


@pytest.mark.timeout(900)
def test_the_tour(net: Devnet) -> None:
    assert net.run("devnet", "status")["ok"] is True
    uri = net.publish("tumour-mlp")
    found = net.run("search", "tumour")["models"]
    assert [model["name"] for model in found] == ["tumour-mlp"]
    bare = found[0]["uri"]
    assert net.run("buy", uri, "-l", "b", "-k", "bob")["ledger"] == "eip155:31338"
    again = net.run("buy", uri, "-l", "b", "-k", "bob", status=1)
    assert again["error"]["code"] == "CAIMI-C011"
    net.run("pull", uri, "opened", "--bundle", "opened", "-k", "bob")
    official = [sys.executable, "-m", "model_signing", "verify", "key", "opened"]
    signed = ["--signature", "opened.sig", "--public_key", "opened.pem"]
    subprocess.run([*official, *signed], cwd=net.folder, check=True, timeout=60)
    assert (net.folder / "opened/model.onnx").read_bytes() == (
        net.folder / "model.onnx"
    ).read_bytes()
    assert net.run("verify", uri, "--files", "opened")["ok"] is True
    here = net.run("run", uri, "-i", "rows.npy", "-k", "bob")["outputs"]
    net.run("buy", uri, "-l", "a", "-k", "worker")
    asked = ("-i", "rows.npy", "--worker", "any", "--receipt", "receipt.json")
    assert net.run("run", uri, *asked, "-k", "bob")["outputs"] == here
    assert net.run("verify", "receipt.json")["ok"] is True
    server = load_config(net.folder / "caimi.toml").workers[0].url
    remote = ("-i", "rows.npy", "--engine", "remote", "--server", server)
    assert net.run("run", uri, *remote, "-k", "alice")["outputs"] == here
    assert stock_client(server, net.run("show", uri)["uri"], net.folder / "rows.npy") == here
    text = (net.folder / "receipt.json").read_text()
    place = text.index('"outputHash":"0x') + len('"outputHash":"0x')
    other = "0" if text[place] != "0" else "1"
    (net.folder / "forged.json").write_text(text[:place] + other + text[place + 1 :])
    assert net.run("verify", "forged.json", status=1)["ok"] is False
    assert [each["live"] for each in net.run("licences", "-k", "bob")["licences"]] == [True]
    sold = {"eip155:31337": "5", "eip155:31338": "5"}
    assert eventually(lambda: earned(net, "alice"), sold) == sold
    paid = net.run("withdraw", "-k", "alice")["withdrawn"]
    assert {each["ledger"]: each["amount"] for each in paid} == sold
    assert earned(net, "alice") == {}
    net.run("alias", uri, "production", "-k", "alice")
    for key, recipient, ledger in (("alice", "bob", "c"), ("bob", "alice", "a")):
        net.run("transfer", bare, "--to", recipient, "-l", ledger, "-k", key)
    events = [line["event"] for line in net.run("history", bare)["history"]]
    assert {"version published", "licence granted", "model sent", "alias set"} <= set(events)


def test_a_compiled_version_runs_to_the_same_bits_streamed_or_not(net: Devnet) -> None:
    package = net.folder / "package"
    package.mkdir()
    (package / "model.onnx").write_bytes((net.folder / "model.onnx").read_bytes())
    assert net.run("compile", "package/model.onnx")["engine"] == "caimi-wasm/2/simd"
    named = ("-n", "compiled", "-v", "1.0.0", "-l", "a")
    uri = net.run("publish", "package", *named, "-k", "alice")["uri"]
    net.run("pull", uri, "compiled", "-k", "alice")
    verified = net.run("verify", uri, "--files", "compiled")
    (rebuilt,) = (check for check in verified["checks"] if "compiles to" in check["name"])
    assert rebuilt["state"] == "passed"
    rows = ("-i", "rows.npy", "-k", "alice")
    compiled = net.run("run", uri, *rows, "--engine", "wasm")["outputs"]
    assert net.run("run", uri, *rows, "--engine", "wasm", "--stream")["outputs"] == compiled
    fast = net.run("run", uri, *rows)["outputs"]
    assert fast["label"] == compiled["label"]
    np.testing.assert_allclose(fast["probabilities"], compiled["probabilities"], atol=1e-6)


def test_the_sdk_does_the_same_in_a_few_lines(net: Devnet) -> None:
    config = net.folder / "caimi.toml"
    with caimi.connect(config, key="alice") as alice:
        model = alice.publish(
            net.folder / "model.onnx",
            ledger="eip155:31337",
            name="in-python",
            version="1.0.0",
            price="5",
        )
        anchored = alice.publish_many(
            [Release(f"m-{number}", "1.0.0", b"{}") for number in range(20)], ledger="a"
        )
        assert len({entry.batch_id for entry in anchored}) == 1
    with caimi.connect(config, key="bob") as bob:
        bob.buy(model.uri, ledger="eip155:31338")
        session = bob.load(model.uri)
        outputs = session.run({"input": np.load(net.folder / "rows.npy")})
        assert outputs["label"].shape == (5,)
        assert bob.verify(model.uri).ok


def test_the_readme_s_example_runs_as_it_stands(net: Devnet) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=net.folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"9\d% of rows that it has not seen\n", done.stdout)


def test_a_purchase_that_was_killed_is_completed_and_paid_once(net: Devnet) -> None:
    uri = net.publish("killed")
    for delay in (0.8, 1.6, 2.4):
        with subprocess.Popen(
            [*CAIMI, "buy", uri, "-l", "b", "-k", "bob"],
            cwd=net.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(delay)
            process.kill()
    done = subprocess.run(
        [*CAIMI, "buy", uri, "-l", "b", "-k", "bob", "--json"],
        cwd=net.folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    document = json.loads(done.stdout)
    assert document["ok"] is True or document["error"]["code"] == "CAIMI-C011"
    bare = uri.split("@", maxsplit=1)[0]
    events = [line["event"] for line in net.run("history", bare)["history"]]
    assert events.count("purchase opened") == 1
    assert events.count("licence granted") == 1


def test_two_dead_nodes_are_named_and_harm_nobody(net: Devnet) -> None:
    uri = net.publish("without-two")
    killed = ["supervisor", "node-2", "node-5"]  # the first would start the others again
    for name in killed:
        net.kill(name)
    health = net.run("devnet", "status", status=1)["processes"]
    assert [line["name"] for line in health if not line["ok"]] == killed
    net.run("buy", uri, "-l", "b", "-k", "bob")
    net.run("pull", uri, "opened-without-two", "-k", "bob")
    net.kill("node-1")
    refusal = net.run("pull", uri, "never", "-k", "bob", status=1)["error"]
    assert refusal["code"] == "CAIMI-K006"
    assert not (net.folder / "never").exists()
