"""A token by its symbol: priced, bought, told and paid out by commands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from payer import Payer, runner, two_ledgers

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account
from caimi.uri import ModelUri
from token_contracts import Token, make_token

PRICE = 12_500_000


class Stall:
    """A model of a seller who is somebody else, for sale in a token that `a` has."""

    def __init__(self, payer: Payer) -> None:
        self.payer = payer
        ledger, keyring = payer.ledger, Keyring(load_config(payer.config))
        self.rich = keyring.open("a").signer
        seller = keyring.new("seller").signer
        self.seller = Account(ledger.id, seller.account)
        self.me = Account(ledger.id, self.rich.account)

        async def open_stall() -> Token:
            gift = ledger.coins.transfer(self.seller, ledger.coins.asset.of(10**18))
            await ledger.submit(gift, self.rich)
            await ledger.submit(ledger.registry.publish("m", "1.0.0", b"\x11" * 32), seller)
            token = await make_token(ledger, self.rich)
            await token.do("mint", self.rich.account, 100_000_000)
            return token

        self.token = asyncio.run(open_stall())
        model = ledger.registry.model_id(self.seller, "m")
        self.uri = str(ModelUri(ledger.id, model, "1.0.0"))
        self.configure(self.token.section())

    def configure(self, section: str) -> None:
        text = self.payer.config.read_text().split("[[assets]]")[0]
        self.payer.config.write_text(text + section)

    def people_read(self, *arguments: str) -> str:
        done = runner.invoke(app, [*arguments, "--config", str(self.payer.config)])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())


@pytest.fixture
def stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stall]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    with two_ledgers(tmp_path) as payer:
        yield Stall(payer)


def test_a_day_with_a_token(stall: Stall, monkeypatch: pytest.MonkeyPatch) -> None:
    run, uri = stall.payer.run, stall.uri
    (asked,) = run("price", "set", uri, "12.50", "EURX", "-k", "seller")["prices"]
    assert (asked["amount"], asked["symbol"], asked["units"]) == ("12.5", "EURX", str(PRICE))
    assert run("price", "set", uri, "5", "-k", "seller")["ok"]
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    told = stall.people_read("price", "show", uri)
    assert f"5 coin on {stall.payer.ledger.id}, to" in told
    assert f"12.5 EURX on {stall.payer.ledger.id}, to" in told
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    refused = run("buy", uri, "--max-price", "12.49", "EURX", "-k", "a")
    assert "12.5 EURX" in str(refused["error"])
    bought = run("buy", uri, "--max-price", "13", "EURX", "-k", "a")
    assert (bought["price"], bought["symbol"]) == ("12.5", "EURX")
    balances = run("balance", "-k", "a", "-l", "a")["balances"]
    assert [(each["symbol"], each["amount"]) for each in balances][1:] == [("EURX", "87.5")]
    (due,) = run("earnings", "-k", "seller")["earnings"]
    assert (due["amount"], due["symbol"]) == ("12.5", "EURX")
    (paid,) = run("withdraw", "-k", "seller")["withdrawn"]
    assert (paid["amount"], paid["symbol"]) == ("12.5", "EURX")
    assert asyncio.run(stall.token.units(stall.seller)) == PRICE
    assert "12.5 EURX" in stall.people_read("balance", "-k", "seller", "-l", "a")


def test_a_model_is_priced_where_its_seller_wants_and_taken_off_sale(stall: Stall) -> None:
    run, uri = stall.payer.run, stall.uri
    (asked,) = run("price", "set", uri, "5", "-l", "b", "-k", "seller")["prices"]
    assert (asked["ledger"], asked["amount"]) == ("eip155:31338", "5")
    run("price", "set", uri, "12.50", "EURX", "-k", "seller")
    shown = run("price", "show", uri)
    assert [each["symbol"] for each in shown["prices"]] == ["EURX", "coin"]
    assert shown["unpriced"] == []
    told = run("price", "withdraw", uri, "-l", "b", "-k", "seller")
    assert [each["ledger"] for each in told["withdrawn"]] == ["eip155:31338"]
    assert [each["symbol"] for each in told["prices"]] == ["EURX"]
    assert run("price", "show", uri)["unpriced"] == ["eip155:31338"]
    read = stall.people_read("price", "show", uri)
    assert "not for sale on eip155:31338 for anything that is configured here" in read
    stall.configure("")  # the token is not configured any more
    assert run("price", "show", uri)["prices"] == []
    (gone,) = run("price", "withdraw", uri, "-k", "seller")["withdrawn"]
    assert gone["units"] == str(PRICE)
    stall.configure(stall.token.section())
    assert run("buy", uri, "EURX", "-k", "a")["error"]["code"] == "CAIMI-C009"
    said = stall.people_read("price", "withdraw", uri, "-k", "seller")
    assert "It was not for sale there: nothing to withdraw." in said
    refused = run("price", "withdraw", uri, "USDX", "-k", "seller")["error"]
    assert refused["code"] == "CAIMI-C077"


@pytest.mark.parametrize("words", [("--asset", "EURX"), ("--payee", "eip155:31337:0x00")])
def test_what_goes_with_a_price_is_refused_without_one(
    stall: Stall, words: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "w.bin").write_bytes(b"w")
    command = ["publish", str(tmp_path / "w.bin"), "-n", "m", "-v", "1.0.0", *words]
    done = runner.invoke(app, [*command, "--config", str(stall.payer.config)])
    assert done.exit_code == 2
    assert "go with --price" in done.stderr


def test_a_token_that_says_otherwise_is_named_and_hides_no_coin(stall: Stall) -> None:
    run = stall.payer.run
    stall.configure(stall.token.section(decimals=18))
    refused = run("price", "set", stall.uri, "1", "EURX", "-k", "seller")["error"]
    assert refused["code"] == "CAIMI-C078"
    told = run("balance", "-k", "a", "-l", "a")
    assert (told["ok"], [each["symbol"] for each in told["balances"]]) == (False, ["coin"])
    assert "CAIMI-C078" in told["unread"][0]["error"]
    assert run("price", "set", stall.uri, "1", "USDX", "-k", "seller")["error"]["code"] == (
        "CAIMI-C077"
    )


@pytest.mark.parametrize(
    "change",
    [
        ("EURX", "coin"),
        ("EURX", "1234"),
        ("EURX", "E\\u001bX"),
        ("EURX", "E" * 33),
        ("EURX", ""),
        ("decimals = 6", "decimals = 78"),
        ("decimals = 6", "decimals = -1"),
        ("decimals = 6", 'decimals = "6"'),
        ("decimals = 6", "decimals = 6\nnative = true"),
        ("31337", "1"),
        ("0x", "1x"),
    ],
)
def test_assets_are_read_strictly(stall: Stall, change: tuple[str, str]) -> None:
    stall.configure(stall.token.section().replace(*change))
    assert stall.payer.run("balance", "-k", "a")["error"]["code"] == "CAIMI-C002"


def test_a_symbol_or_an_address_is_of_one_asset_on_a_ledger(stall: Stall) -> None:
    other = stall.token.section().replace("0x", "0x" + "77" * 20 + "#")
    other = other.split("#")[0] + '"\ndecimals = 6\n'
    for twice in (
        stall.token.section(symbol="eurx") + stall.token.section(),
        stall.token.section() + stall.token.section(symbol="USDX"),
        stall.token.section() + other,
    ):
        stall.configure(twice)
        assert stall.payer.run("balance", "-k", "a")["error"]["code"] == "CAIMI-C002"
    elsewhere = other.replace(stall.payer.ledger.id, "b")
    stall.configure(stall.token.section() + elsewhere)
    told = stall.payer.run("balance", "-k", "a")
    assert [each["ledger"] for each in told["unread"]] == ["eip155:31338"]


def test_nobody_reads_a_token_of_an_address_that_is_none(stall: Stall) -> None:
    nobody = LocalSigner.generate().account
    section = stall.token.section().replace(stall.token.asset.native.hex(), nobody.hex())
    stall.configure(section)
    refused = stall.payer.run("price", "set", stall.uri, "1", "EURX", "-k", "seller")["error"]
    assert refused["code"] == "CAIMI-L055"
