"""A day of a seller, a buyer and an operator, by commands alone, on a network of real processes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from running_devnet import Devnet, earned, eventually

from caimi.client.keyring import Keyring
from caimi.composition.ledgers import open_ledgers
from caimi.config import load_config
from caimi.datasets import train
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import LedgerId
from token_contracts import make_token

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]
A, B = "eip155:31337", "eip155:31338"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    folder = tmp_path_factory.mktemp("day")
    trained = train("breast-cancer", seed=0)
    (folder / "model.onnx").write_bytes(trained.onnx)
    np.save(folder / "rows.npy", trained.holdout_x[:5])
    network = Devnet(folder)
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


def held(net: Devnet, key: str) -> dict[tuple[str, str], float]:
    found = net.run("balance", "-k", key)["balances"]
    return {(each["ledger"], each["symbol"]): float(each["amount"]) for each in found}


@pytest.mark.timeout(300)
def test_a_day_of_seller_buyer_and_operator(net: Devnet) -> None:
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

    # He buys at home for coins and abroad for tokens, follows the packet, opens and runs it.
    too_little = net.run("buy", uri, "-l", "a", "-k", "bob", "--max-price", "4", status=1)
    assert "5" in too_little["error"]["what"]
    net.run("buy", uri, "-l", "a", "-k", "bob", "--max-price", "5")
    before = held(net, "bob")
    abroad = net.run("buy", uri, "EURX", "-l", "b", "-k", "bob", "--again")
    assert before[B, "EURX"] - held(net, "bob")[B, "EURX"] == 12.5
    licences = net.run("licences", "-k", "bob")["licences"]
    assert [(each["name"], each["live"]) for each in licences] == [("tumour-mlp", True)] * 2
    net.run("pull", uri, "opened", "-k", "bob")
    assert net.run("verify", uri, "--files", "opened")["ok"]
    assert len(net.run("run", uri, "-i", "rows.npy", "-k", "bob")["outputs"]["label"]) == 5

    # While the relayer is asleep he buys once more, and the price rises: the money comes back.
    net.tell("relayer", signal.SIGSTOP)
    late = net.start("buy", uri, "EURX", "-l", "b", "-k", "bob", "--again")
    eventually(lambda: held(net, "bob")[B, "EURX"], 75.0, 30)
    net.run("price", "set", model, "20", "EURX", "-k", "alice")
    net.tell("relayer", signal.SIGCONT)
    answer = json.loads(late.communicate(timeout=90)[0])
    assert answer["error"]["code"] == "CAIMI-C012", answer
    assert "12.5 EURX came back" in answer["error"]["what"]
    assert held(net, "bob")[B, "EURX"] == 87.5

    # The seller looks at what came of it, and has it paid out; a second time there is nothing.
    owed = net.run("earnings", "-k", "alice")["earnings"]
    assert {(each["ledger"], each["amount"], each["symbol"]) for each in owed} >= {
        (B, "12.5", "EURX")
    }
    assert earned(net, "alice")[A] == "5"
    paid = net.run("withdraw", "-k", "alice")["withdrawn"]
    assert len(paid) == 2
    assert earned(net, "alice") == {}
    assert held(net, "alice")[B, "EURX"] == 12.5

    # The operator follows a packet, reads logs, and has what was killed started again.
    (packet,) = net.run("packet", "show", abroad["tx"])["packets"]
    assert packet["outcome"] == "completed"
    assert net.run("logs", "relayer", "--lines", "5")["lines"]
    net.kill("worker")
    assert eventually(lambda: net.run("devnet", "status", status=None)["ok"], True, 30)

    # He closes a route: nothing is sold over it, doctor tells, and the other one goes on.
    assert net.run("route", "remove", "a", "c", "-k", "guardian", "--yes")["changed"]
    refused = net.run("buy", uri, "-l", "c", "-k", "bob", "--again", status=1)["error"]
    assert refused["code"].startswith("CAIMI-")
    found = net.run("doctor", "-k", "relayer")["checks"]
    assert {each["state"] for each in found if each["subject"].startswith("route")} == {
        "ok",
        "warning",
    }
    net.run("buy", uri, "-l", "b", "-k", "bob", "--again")

    # The seller moves an alias, withdraws a version, and reads what the day brought.
    net.run("alias", uri, "production", "-k", "alice")
    net.run("deprecate", uri, "-k", "alice")
    assert net.run("buy", uri, "-l", "a", "-k", "bob", "--again", status=1)["ok"] is False
    events = [line["event"] for line in net.run("history", model)["history"]]
    assert events.count("licence granted") == 3
    assert {"version published", "purchase opened", "alias set"} <= set(events)
