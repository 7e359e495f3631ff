"""`caimi price --payee` and `caimi buy --reader` say on the ledger who is paid, and who reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Identity, Keyring
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.port import Account, Price
from embedded_node import node_of

COIN = 10**18
MISTYPED = "0x52908400098527886E0F7030069857D2E4169Ee7"
"""An account whose checksum does not hold."""


@dataclass
class Shop:
    """A ledger on which alice has published a model that costs 5, and bob and carol have keys."""

    config: Path
    ledger: EvmLedger
    people: dict[str, Identity]
    model: bytes

    @property
    def uri(self) -> str:
        return f"caimi:{self.ledger.id}:0x{self.model.hex()}@1.0.0"

    def run(self, *arguments: str) -> dict[str, object]:
        command = [*arguments, "--config", str(self.config), "--json"]
        done = CliRunner().invoke(app, command)
        document: dict[str, object] = json.loads(done.output)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def account(self, name: str) -> Account:
        return self.people[name].account(self.ledger.id)

    def price(self) -> Price | None:
        return asyncio.run(self.ledger.market.price(self.model, self.ledger.coins.asset))

    def may_read(self, who: Account) -> bool:
        return asyncio.run(self.ledger.market.licence(self.model, "1.0.0", who)).live

    def owed(self, who: Account) -> int:
        return asyncio.run(self.ledger.market.owed(who)).units


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    keyring = Keyring(load_config(config))
    people = {name: keyring.new(name) for name in ("alice", "bob", "carol")}
    coins = {each.signer.account: 1000 * COIN for each in people.values()}
    chain, alice = EmbeddedChain(31337, coins), people["alice"]

    async def open_shop() -> tuple[EvmLedger, bytes]:
        connection = embedded_chain(chain)
        ledger = EvmLedger(connection, await deploy(connection, alice.signer))
        model = ledger.registry.model_id(alice.account(ledger.id), "m")
        price = Price(ledger.coins.asset.of(5 * COIN), alice.account(ledger.id))
        await ledger.submit(ledger.registry.publish("m", "1.0.0", b"\1" * 32), alice.signer)
        await ledger.submit(ledger.market.set_prices(model, [price]), alice.signer)
        return ledger, model

    ledger, model = asyncio.run(open_shop())
    with node_of(chain) as url:
        contracts = ledger.deployment.contracts.items()
        config.write_text(
            f'[[ledgers]]\nid = "{ledger.id}"\nname = "a"\nrpc = "{url}"\nfinality = "depth:0"\n'
            f"deployed_at = {ledger.deployed_at}\n[ledgers.contracts]\n"
            + "".join(f'{name} = "0x{address.hex()}"\n' for name, address in contracts)
        )
        yield Shop(config, ledger, people, model)


def test_a_payee_that_is_named_is_paid_by_whoever_buys(shop: Shop) -> None:
    payee = Account(shop.ledger.id, LocalSigner.generate().account)
    name = f"{shop.ledger.id}:{shop.ledger.accounts.text(payee)}"
    told = shop.run("price", "set", shop.uri, "7", "--payee", name, "-k", "alice")
    (asked,) = told["prices"]
    assert (asked["ledger"], asked["amount"], asked["payee"]) == (shop.ledger.id, "7", name)
    assert shop.price() == Price(shop.ledger.coins.asset.of(7 * COIN), payee)
    shop.run("buy", shop.uri, "-k", "bob")
    assert (shop.owed(payee), shop.owed(shop.account("alice"))) == (7 * COIN, 0)
    shop.run("price", "set", shop.uri, "7", "-k", "alice")
    assert shop.price() == Price(shop.ledger.coins.asset.of(7 * COIN), shop.account("alice"))


def test_a_payee_that_is_no_account_changes_no_price(shop: Shop) -> None:
    before = shop.price()
    for payee, code in (
        ("bob", "CAIMI-U003"),
        (f"{shop.ledger.id}:0x77", "CAIMI-U003"),
        (f"{shop.ledger.id}:{MISTYPED}", "CAIMI-U003"),
        (f"eip155:9:{MISTYPED.lower()}", "CAIMI-C003"),
    ):
        refused = shop.run("price", "set", shop.uri, "7", "--payee", payee, "-k", "alice")
        assert refused["error"]["code"] == code, payee
    assert shop.price() == before


@pytest.mark.parametrize("form", ["name of a key", "address", "CAIP-10 id"])
def test_a_licence_is_the_readers_and_not_the_buyers(shop: Shop, form: str) -> None:
    carol = shop.account("carol")
    address = shop.ledger.accounts.text(carol)
    reader = {
        "name of a key": "carol",
        "address": address,
        "CAIP-10 id": f"{shop.ledger.id}:{address}",
    }[form]
    told = shop.run("buy", shop.uri, "--reader", reader, "-k", "bob")
    assert told["consumer"] == f"{shop.ledger.id}:{address}"
    assert shop.may_read(carol)
    assert not shop.may_read(shop.account("bob"))
    assert shop.owed(shop.account("alice")) == 5 * COIN


def test_nothing_is_bought_for_a_reader_who_is_no_account(shop: Shop) -> None:
    for reader, code in (
        ("dave", "CAIMI-C020"),
        ("0x77", "CAIMI-C020"),
        (MISTYPED, "CAIMI-C020"),
        (f"{shop.ledger.id}:0x77", "CAIMI-C020"),
        (f"eip155:9:{MISTYPED.lower()}", "CAIMI-C003"),
    ):
        refused = shop.run("buy", shop.uri, "--reader", reader, "-k", "bob")
        assert refused["error"]["code"] == code, reader
    assert shop.owed(shop.account("alice")) == 0
