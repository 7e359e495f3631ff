"""`caimi fees` from a quote to a withdrawal."""

from __future__ import annotations

import asyncio

import pytest
from payer import Payer

from caimi.cli.one_ledger import send_as
from caimi.client.fees import escrow
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.journal import Operation
from caimi.ledgers.port import RelayFee

RELAYER = "0x" + "77" * 20


def test_a_fee_is_quoted_paid_and_given_back_when_nobody_carries(payer: Payer) -> None:
    amount = str(payer.run("fees", "quote", "a", "b")["amount"])
    assert int(amount) > 0
    assert "relayer" not in payer.run("fees", "quote", "a", "b")
    paid = payer.run("fees", "pay", payer.client, "1", amount, "--relayer", RELAYER, "-l", "a")
    assert paid["ledger"] == payer.ledger.id
    parties = ["--relayer", RELAYER, "--payer", payer.account, "-l", "a"]
    early = payer.run("fees", "refund", payer.client, "1", *parties, "--abandoned")
    assert "NotAbandoned" in str(early)
    payer.pass_time(3600 + 30 * 86_400)
    payer.run("fees", "refund", payer.client, "1", *parties, "--abandoned")
    assert payer.owed(payer.account) == int(amount)
    payer.run("fees", "withdraw", "-l", "a")
    assert payer.owed(payer.account) == 0


def test_a_payment_that_was_killed_is_finished_and_not_made_again(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ["fees", "pay", payer.client, "1", "7", "--relayer", RELAYER, "-l", "a"]
    parse = payer.ledger.accounts.parse
    fee, nothing = (parse(RELAYER), parse(payer.account)), payer.ledger.coins.asset.of(0)

    def held() -> int:
        known = RelayFee(payer.client, 1, *fee, nothing, 0, 0)
        return asyncio.run(payer.ledger.fees.held([known]))[0].units

    class Killed(BaseException):
        """The end of the process, between the ledger's answer and the journal's last line."""

    async def die(self: Operation) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Operation, "finish", die)
        with pytest.raises(Killed):
            asyncio.run(_send_here(payer))
    assert held() == 7
    payer.run(*order)
    assert held() == 7
    payer.run(*order)  # whoever pays again when it is done adds to it
    assert held() == 14


async def _send_here(payer: Payer) -> None:
    """Do what the command does, up to where the process ends."""
    signer = Keyring(load_config(payer.config)).open("a").signer
    call = await escrow(
        payer.ledger,
        payer.client,
        1,
        payer.ledger.accounts.parse(RELAYER),
        payer.ledger.coins.asset.of(7),
    )
    await send_as(payer.ledger, call, payer.config, signer)


def test_what_cannot_be_paid_for_is_named(payer: Payer) -> None:
    arguments = ["--relayer", RELAYER, "-l", "a"]
    assert "CAIMI-M018" in str(payer.run("fees", "pay", payer.client, "2", "5", *arguments))
    assert "CAIMI-M018" in str(payer.run("fees", "pay", "caimi-1-9", "1", "5", *arguments))
    wrong = payer.run("fees", "pay", payer.client, "1", "5", "--relayer", "0x77", "-l", "a")
    assert "CAIMI-U003" in str(wrong)
    assert "NothingOwed" in str(payer.run("fees", "withdraw", "-l", "a"))
    assert "NothingOwed" in str(
        payer.run("fees", "withdraw", "-l", "a", "--licences", "--to", RELAYER)
    )
    assert "`--to`" in str(payer.run("fees", "withdraw", "-l", "a", "--unsigned"))


def test_a_call_for_a_multi_signature_account_is_printed_and_not_sent(payer: Payer) -> None:
    call = payer.run(
        "fees", "pay", payer.client, "1", "7", "--relayer", RELAYER, "-l", "a", "--unsigned"
    )
    assert call["to"] == f"0x{payer.ledger.deployment.contracts['fees'].hex()}"
    assert call["value"] == "7"
    call = payer.run("fees", "withdraw", "-l", "a", "--licences", "--to", RELAYER, "--unsigned")
    assert call["to"] == f"0x{payer.ledger.deployment.contracts['market'].hex()}"
    assert RELAYER.removeprefix("0x").lower() in str(call["data"])


def test_without_a_route_there_is_no_quote(payer: Payer) -> None:
    assert "CAIMI-C019" in str(payer.run("fees", "quote", "a", "a"))
