"""A day of a seller, a buyer and an operator, by commands alone, on a network of real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running_devnet import Devnet, earned, eventually
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.composition.ledgers import open_ledgers
from caimi.config import load_config
from caimi.datasets import train
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import LedgerId
from token_contracts import make_token

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]
A, B = "eip155:31337", "eip155:31338"


class Day(Devnet):
    """The network, asked by commands in this process: each would load all that it needs anew."""

    def run(self, *arguments: str, status: int | None = 0) -> dict[str, Any]:
        if arguments[0] == "devnet":
            return super().run(*arguments, status=status)
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(app, [*arguments, "--json"])
        assert status in (None, done.exit_code), f"{arguments}: {done.output}"
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("day")
    trained = train("breast-cancer", seed=0)
    (folder / "model.onnx").write_bytes(trained.onnx)
    np.save(folder / "rows.npy", trained.holdout_x[:5])
    network = Day(folder)
    network.run("devnet", "up")
    try:
        asyncio.run(mint(folder / "caimi.toml"))
        yield network
    finally:
        network.run("devnet", "down")


async def mint(file: Path) -> None:
    """Put a token on both ledgers, which Bob has 100 of, and name it in the configuration."""
    config = load_config(file)
    alice, bob = (Keyring(config).open(name) for name in ("alice", "bob"))
    async with AsyncExitStack() as stack:
        opened = await open_ledgers(stack, config.ledgers)
        for name in (A, B):
            ledger = opened[LedgerId(name)]
            assert isinstance(ledger, EvmLedger)
            token = await make_token(ledger, alice.signer_on(ledger.id))
            await token.do("mint", bob.account(ledger.id).native, 100_000_000)
            with file.open("a") as opened_file:
                opened_file.write(token.section())


def held(net: Day, key: str) -> dict[tuple[str, str], float]:
    found = net.run("balance", "-k", key)["balances"]
    return {(each["ledger"], each["symbol"]): float(each["amount"]) for each in found}


@pytest.mark.timeout(900)
def test_a_day_of_seller_buyer_and_operator(net: Day) -> None:
    # In the morning the operator finds all well.
    assert net.run("devnet", "status")["ok"]
    checks = net.run("doctor", "-k", "relayer")["checks"]
    assert {each["state"] for each in checks} == {"ok"}

    # The seller publishes, for coins and for a token; somebody takes the name for something else.
    uri = net.publish("tumour-mlp")
    model = uri.split("@")[0]
    net.run("price", "set", model, "12.5", "EURX", "-k", "alice")
    prices = net.run("price", "show", model)["prices"]
    assert {(each["ledger"], each["symbol"]) for each in prices} >= {(A, "EURX"), (B, "EURX")}
    named = ("-n", "tumour-mlp", "-v", "1.0.0", "-l", "b", "-k", "bob")
    other = net.run("publish", "model.onnx", *named)["uri"].split("@")[0]

    # The buyer looks for it: of two that call themselves so, one has a price.
    both = net.run("search", "tumour-mlp", "--exact")["models"]
    assert {each["uri"] for each in both} == {model, other}
    (sold,) = net.run("search", "tumour", "--for-sale")["models"]
    assert sold["uri"] == model
    assert net.run("search", "tumour", "--limit", "1", "--page", "2")["total"] == 2
    (of_alice,) = net.run("search", "--publisher", sold["publisher"].rsplit(":")[-1])["models"]
    assert of_alice["uri"] == model

    # He buys at home, for coins; and abroad, for tokens. While the relayer is asleep the price
    # rises: the money comes back.
    too_little = net.run("buy", uri, "-l", "a", "-k", "bob", "--max-price", "4", status=1)
    assert "5" in too_little["error"]["what"]
    net.run("buy", uri, "-l", "a", "-k", "bob", "--max-price", "5")
    abroad = ("buy", uri, "EURX", "-l", "b", "-k", "bob", "--again")
    net.tell("relayer", signal.SIGSTOP)
    late = net.start(*abroad)
    assert eventually(lambda: held(net, "bob")[B, "EURX"], 87.5) == 87.5
    net.run("price", "set", model, "20", "EURX", "-k", "alice")
    net.tell("relayer", signal.SIGCONT)
    answer = json.loads(late.communicate(timeout=90)[0])
    assert answer["error"]["code"] == "CAIMI-C012", answer
    assert "12.5 EURX came back" in answer["error"]["what"]
    assert held(net, "bob")[B, "EURX"] == 100

    # At the price that it has now he has it, opens and runs it.
    bought = net.run(*abroad, "--max-price", "20")
    assert held(net, "bob")[B, "EURX"] == 80
    assert net.run(*abroad, status=1)["error"]["code"] == "CAIMI-C011"
    licences = net.run("licences", "-k", "bob")["licences"]
    assert [(each["name"], each["live"]) for each in licences] == [("tumour-mlp", True)] * 2
    net.run("pull", uri, "opened", "-k", "bob")
    assert net.run("verify", uri, "--files", "opened")["ok"]
    assert len(net.run("run", uri, "-i", "rows.npy", "-k", "bob")["outputs"]["label"]) == 5

    # The seller looks at what came of it, and has it paid out; a second time there is nothing.
    owed = net.run("earnings", "-k", "alice")["earnings"]
    assert {(each["ledger"], each["amount"], each["symbol"]) for each in owed} >= {
        (B, "20", "EURX")
    }
    assert earned(net, "alice")[A] == "5"
    paid = net.run("withdraw", "-k", "alice")["withdrawn"]
    assert len(paid) == 2
    assert earned(net, "alice") == {}
    assert held(net, "alice")[B, "EURX"] == 20

    # The operator follows a packet, reads logs, and has what was killed started again.
    (packet,) = net.run("packet", "show", bought["tx"])["packets"]
    assert packet["outcome"] == "completed"
    assert "acknowledge" in net.run("logs", "relayer", "--lines", "1")["line"]
    net.kill("worker")
    assert eventually(lambda: net.run("devnet", "status", status=None)["ok"], True, 30)

    # He closes a route: nothing is sold over it, doctor tells, and the other one goes on.
    assert net.run("route", "remove", "a", "c", "-k", "guardian", "--yes")["changed"]
    refused = net.run("buy", uri, "-l", "c", "-k", "worker", status=1)["error"]
    assert refused["code"].startswith("CAIMI-")
    found = net.run("doctor", "-k", "relayer")["checks"]
    assert {each["state"] for each in found if each["subject"].startswith("route")} == {
        "ok",
        "warning",
    }
    net.run("buy", uri, "-l", "b", "-k", "worker")

    # The seller moves an alias, withdraws a version, and reads what the day brought.
    net.run("alias", uri, "production", "-k", "alice")
    net.run("deprecate", uri, "--reason", "superseded", "-k", "alice")
    assert net.run("buy", uri, "-l", "a", "-k", "guardian", status=1)["ok"] is False
    events = [line["event"] for line in net.run("history", model)["history"]]
    assert events.count("licence granted") == 3
    assert {"version published", "purchase opened", "alias set"} <= set(events)
