"""`caimi packet show`: without a key, by the packet's id or a transaction, and why it is stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from payer import Payer, runner, two_ledgers
from test_cli_fees import RELAYER

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.client.network import AsyncNetwork
from caimi.config import load_config
from caimi.ledgers.port import Account


@pytest.fixture
def payer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payer]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    with two_ledgers(tmp_path) as ready:
        yield ready


def test_a_packet_that_nobody_carried_says_why(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{payer.client}/1"
    fee = ("fees", "pay", payer.client, "1", "7", "--relayer", RELAYER, "-l", "a", "-k", "a")
    assert payer.run(*fee)["ok"]
    signer = Keyring(load_config(payer.config)).open("a").signer
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    (packet,) = payer.run("packet", "show", name)["packets"]
    assert (packet["source"], packet["destination"]) == ("eip155:31337", "eip155:31338")
    assert packet["carries"][0].endswith(", 0.0000000000000005 coin")
    (escrowed,) = packet["fees"]
    assert (escrowed["units"], escrowed["held"]) == ("7", True)
    assert packet["waits_for"] == "a relayer to deliver it to eip155:31338"
    (sent,) = packet["steps"]
    assert payer.run("packet", "show", sent["tx"], "-l", "a")["packets"] == [packet]

    done = runner.invoke(app, ["packet", "show", name, "--config", str(payer.config)])
    told = " ".join(done.output.split())
    for said in (f"Packet {name}", "sent", sent["tx"], "waits for a relayer", "next Run the"):
        assert said in told
    for wrong in (f"{payer.client}/2", "0x" + "77" * 32, "b/0"):
        assert payer.run("packet", "show", wrong)["error"]["code"] == "CAIMI-M018"

    pausing = payer.ledger.watching.pause_route(payer.client)
    asyncio.run(payer.ledger.submit(pausing, signer))
    assert payer.run("packet", "show", name)["packets"] == [packet]  # it is sent already
    payer.config.write_text(payer.config.read_text().replace("depth:0", "depth:1000", 1))
    (packet,) = payer.run("packet", "show", name)["packets"]
    assert not packet["steps"][0]["final"]
    assert packet["waits_for"].endswith("block 0 is")


def test_a_route_that_is_paused_is_named(payer: Payer) -> None:
    text = payer.config.read_text()
    signer = Keyring(load_config(payer.config)).open("a").signer

    async def work() -> None:
        async with AsyncNetwork.connect(load_config(payer.config), reading=True) as net:
            there = net.context.ledger("eip155:31338")
            client = (await there.gateway.routes())[0].client_id
            await there.submit(there.watching.pause_route(client), signer)
            assert await there.coins.balance(Account(there.id, signer.account))

    asyncio.run(work())
    assert payer.config.read_text() == text
    (packet,) = payer.run("packet", "show", f"{payer.client}/1")["packets"]
    assert "is paused" in packet["waits_for"]
    assert "guardians of eip155:31338" in packet["next_step"]
