"""`caimi fees` from a quote to a withdrawal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.cli.one_ledger import send_as
from caimi.client.fees import escrow
from caimi.client.keyring import Keyring
from caimi.composition.joining import join_ledgers
from caimi.config import load_config
from caimi.journal import Operation
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.administration.founding import EvmAdministered
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.port import Account, Asset, RelayFee
from caimi.messaging.checkpoint import make_committee
from embedded_node import node_of

runner = CliRunner()
COIN = 10**18
RELAYER = "0x" + "77" * 20


@dataclass
class Payer:
    """Two joined ledgers, and a packet that was sent on the first."""

    config: Path
    account: str
    ledger: EvmLedger
    client: str

    def run(self, *arguments: str) -> dict[str, object]:
        done = runner.invoke(app, ["fees", *arguments, "--config", str(self.config), "--json"])
        document: dict[str, object] = json.loads(done.output)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def owed(self, account: str) -> int:
        who = self.ledger.accounts.parse(account)
        return asyncio.run(self.ledger.fees.owed(who)).units

    def pass_time(self, seconds: int) -> None:
        async def work() -> None:
            await self.ledger.chain.rpc.ask("evm_increaseTime", seconds)
            await self.ledger.chain.rpc.ask("evm_mine")

        asyncio.run(work())


@pytest.fixture
def payer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payer]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    rich = Keyring(load_config(config)).new("a").signer
    chains = [EmbeddedChain(31337 + n, {rich.account: 1000 * COIN}) for n in range(2)]
    members = tuple(LocalSigner.generate().account for _ in range(3))

    async def prepare() -> tuple[list[EvmLedger], str]:
        a, b = [
            EvmLedger(embedded_chain(one), await deploy(embedded_chain(one), rich))
            for one in chains
        ]
        client, _ = await join_ledgers(
            EvmAdministered(a, rich), EvmAdministered(b, rich), make_committee(0, 2, members)
        )
        model = b.registry.model_id(Account(b.id, rich.account), "m")
        timeout = (await a.head()).time + 3600
        call = await a.market.buy_remote(client, model, "1.0.0", Asset(a.id, b"").of(500), timeout)
        await a.submit(call, rich)
        return [a, b], client

    ledgers, client = asyncio.run(prepare())
    with ExitStack() as stack:
        text = ""
        for name, chain, ledger in zip("ab", chains, ledgers, strict=True):
            contracts = "".join(
                f'{place} = "0x{address.hex()}"\n'
                for place, address in ledger.deployment.contracts.items()
            )
            text += (
                f'[[ledgers]]\nid = "{ledger.id}"\nname = "{name}"\n'
                f'rpc = "{stack.enter_context(node_of(chain))}"\nfinality = "depth:0"\n'
                f"deployed_at = {ledger.deployed_at}\n[ledgers.contracts]\n{contracts}"
            )
        config.write_text(text)
        yield Payer(config, f"0x{rich.account.hex()}", ledgers[0], client)


def test_a_fee_is_quoted_paid_and_given_back_when_nobody_carries(payer: Payer) -> None:
    amount = str(payer.run("quote", "a", "b")["amount"])
    assert int(amount) > 0
    assert "relayer" not in payer.run("quote", "a", "b")
    paid = payer.run("pay", payer.client, "1", amount, "--relayer", RELAYER, "-l", "a")
    assert paid["ledger"] == payer.ledger.id
    parties = ["--relayer", RELAYER, "--payer", payer.account, "-l", "a"]
    early = payer.run("refund", payer.client, "1", *parties, "--abandoned")
    assert "NotAbandoned" in str(early)
    payer.pass_time(3600 + 30 * 86_400)
    payer.run("refund", payer.client, "1", *parties, "--abandoned")
    assert payer.owed(payer.account) == int(amount)
    payer.run("withdraw", "-l", "a")
    assert payer.owed(payer.account) == 0


def test_a_payment_that_was_killed_is_finished_and_not_made_again(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ["pay", payer.client, "1", "7", "--relayer", RELAYER, "-l", "a"]
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
    assert "CAIMI-M018" in str(payer.run("pay", payer.client, "2", "5", *arguments))
    assert "CAIMI-M018" in str(payer.run("pay", "caimi-1-9", "1", "5", *arguments))
    wrong = payer.run("pay", payer.client, "1", "5", "--relayer", "0x77", "-l", "a")
    assert "CAIMI-U003" in str(wrong)
    assert "NothingOwed" in str(payer.run("withdraw", "-l", "a"))
    assert "NothingOwed" in str(payer.run("withdraw", "-l", "a", "--licences", "--to", RELAYER))
    assert "`--to`" in str(payer.run("withdraw", "-l", "a", "--unsigned"))


def test_a_call_for_a_multi_signature_account_is_printed_and_not_sent(payer: Payer) -> None:
    call = payer.run("pay", payer.client, "1", "7", "--relayer", RELAYER, "-l", "a", "--unsigned")
    assert call["to"] == f"0x{payer.ledger.deployment.contracts['fees'].hex()}"
    assert call["value"] == "7"
    call = payer.run("withdraw", "-l", "a", "--licences", "--to", RELAYER, "--unsigned")
    assert call["to"] == f"0x{payer.ledger.deployment.contracts['market'].hex()}"
    assert RELAYER.removeprefix("0x").lower() in str(call["data"])


def test_without_a_route_there_is_no_quote(payer: Payer) -> None:
    assert "CAIMI-C019" in str(payer.run("quote", "a", "a"))
