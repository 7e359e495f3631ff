"""`caimi balance`, `caimi earnings` and `caimi withdraw`."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from payer import COIN, Payer
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.journal import Operation
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account, Price

STRANGER = "0x" + "77" * 20


def sell(payer: Payer, units: int, name: str = "mine") -> None:
    """Have the account sell a licence on the first ledger."""
    ledger, signer = payer.ledger, Keyring(load_config(payer.config)).open("a").signer
    buyer = LocalSigner.generate()
    me, them = (Account(ledger.id, each.account) for each in (signer, buyer))
    price = ledger.coins.asset.of(units)

    async def work() -> None:
        await ledger.submit(ledger.registry.publish(name, "1.0.0", b"\x11" * 32), signer)
        model = ledger.registry.model_id(me, name)
        await ledger.submit(ledger.market.set_prices(model, [Price(price, me)]), signer)
        await ledger.submit(
            ledger.coins.transfer(them, ledger.coins.asset.of(units + COIN)), signer
        )
        await ledger.submit(ledger.market.buy(model, "1.0.0", price), buyer)

    asyncio.run(work())


def units(payer: Payer) -> dict[str, int]:
    told = payer.run("balance")["balances"]
    return {each["ledger"]: int(each["units"]) for each in told}


def test_what_an_account_has_is_told_without_its_passphrase(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    told = payer.run("balance", "-k", "a")["balances"]
    assert [each["ledger"] for each in told] == ["eip155:31337", "eip155:31338"]
    assert all(each["account"].lower().endswith(payer.account) for each in told)
    assert 999 < float(told[1]["amount"]) <= 1000
    (only,) = payer.run("balance", "--account", f"eip155:31338:{STRANGER}")["balances"]
    assert (only["amount"], only["units"]) == ("0", "0")
    assert "CAIMI-C004" in str(payer.run("balance", "-k", "nobody"))
    assert "CAIMI-C003" in str(payer.run("balance", "--account", f"eip155:1:{STRANGER}"))


def test_what_is_owed_is_told_and_paid_out_once(payer: Payer) -> None:
    sell(payer, 5 * COIN)
    (owed,) = payer.run("earnings")["earnings"]
    assert (owed["ledger"], owed["source"], owed["amount"]) == ("eip155:31337", "licences", "5")
    before = units(payer)
    (paid,) = payer.run("withdraw")["withdrawn"]
    assert (paid["source"], paid["amount"]) == ("licences", "5")
    after = units(payer)
    assert 4 * COIN < after["eip155:31337"] - before["eip155:31337"] < 5 * COIN
    assert after["eip155:31338"] == before["eip155:31338"]
    assert payer.run("earnings")["earnings"] == []
    assert payer.run("withdraw")["withdrawn"] == []


def test_it_is_paid_to_another_of_one_named_ledger(payer: Payer) -> None:
    sell(payer, 5 * COIN)
    assert "--ledger" in str(payer.run("withdraw", "--to", STRANGER))
    payer.run("withdraw", "--to", STRANGER, "-l", "a")
    (theirs,) = payer.run("balance", "--account", f"eip155:31337:{STRANGER}")["balances"]
    assert theirs["amount"] == "5"


def test_a_withdrawal_that_was_killed_is_finished_and_not_made_again(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(payer, 5 * COIN)

    class Killed(BaseException):
        """The end of the process, between the ledger's answer and the journal's last line."""

    async def die(self: Operation) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Operation, "finish", die)
        with pytest.raises(Killed):
            payer.run("withdraw")
    assert payer.run("earnings")["earnings"] == []
    sell(payer, 3 * COIN, "another")
    finished, besides = payer.run("withdraw")["withdrawn"]
    assert finished["tx"] != besides["tx"]
    assert (finished["amount"], besides["amount"]) == ("", "3")
    assert payer.run("withdraw")["withdrawn"] == []


def test_a_ledger_that_does_not_answer_hides_no_other(payer: Payer) -> None:
    text = payer.config.read_text()
    before, url = text.split('name = "b"\nrpc = "')
    payer.config.write_text(
        f'{before}name = "b"\nrpc = "http://127.0.0.1:9' + url[url.index('"') :]
    )
    told = payer.run("balance")
    assert told["ok"] is False
    assert [each["ledger"] for each in told["balances"]] == ["eip155:31337"]
    (unread,) = told["unread"]
    assert unread["ledger"] == "eip155:31338"
    assert json.dumps(unread["error"]).count("CAIMI-L") == 1


def test_history_is_a_line_an_event_with_ids_that_are_whole_in_json(payer: Payer) -> None:
    sell(payer, 5 * COIN)
    (model,) = payer.run("search", "mine")["models"]
    told = payer.run("history", model["uri"])["history"]
    at = ["--config", str(payer.config)]
    lines = CliRunner().invoke(app, ["history", model["uri"], *at]).stdout.splitlines()
    assert len(lines) == len(told)
    for line, each in zip(lines, told, strict=True):
        assert f"{each['ledger']}  {each['who'].removeprefix(each['ledger'] + ':')} " in line
        assert each["what"] in line
    (granted,) = (each["details"] for each in told if each["event"] == "licence granted")
    assert re.fullmatch(r"0x[0-9a-f]{64}", granted["licence id"])
    assert re.fullmatch(rf"{payer.ledger.id}:0x[0-9a-fA-F]{{40}}", granted["consumer"])
