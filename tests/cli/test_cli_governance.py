"""`caimi governance` from the deployer's hand-over to a change that was carried out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.cli.exits import heirs_in
from caimi.client.keyring import Keyring
from caimi.composition.joining import join_ledgers
from caimi.config import load_config
from caimi.errors.ledgers import ExitInvalid
from caimi.errors.operations import UsageError
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.messaging.checkpoint import make_committee
from embedded_node import node_of

runner = CliRunner()
COIN = 10**18
DAY = 86_400
COMMITTEE = ("board", "auditor", "guard")


@dataclass
class Office:
    """A ledger with a route, a configuration that names it, and the keys of who governs it."""

    chain: EmbeddedChain
    config: Path
    accounts: dict[str, str]
    route: str

    def run(self, *arguments: str, key: str = "") -> dict[str, object]:
        at = ["--config", str(self.config), "--json", *(["-k", key] if key else [])]
        done = runner.invoke(app, ["governance", *arguments, *at])
        document = json.loads(done.output)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def told(self, *arguments: str) -> str:
        return runner.invoke(
            app, ["governance", *arguments, "--config", str(self.config)], env={"COLUMNS": "300"}
        ).output

    def hand_over(self) -> dict[str, object]:
        return self.run(
            "hand-over",
            "--delay",
            "3d",
            "--proposer",
            self.accounts["board"],
            "--canceller",
            self.accounts["auditor"],
            key="deployer",
        )


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    keyring = Keyring(load_config(config))
    signers = {name: keyring.new(name).signer for name in ("deployer", "board", "auditor", "guard")}
    chain, other = (
        EmbeddedChain(number, {who.account: 1000 * COIN for who in signers.values()})
        for number in (31337, 31338)
    )

    async def prepare() -> tuple[EvmLedger, str]:
        ledgers = [
            EvmLedger(
                embedded_chain(one),
                await deploy(
                    embedded_chain(one), signers["deployer"], guardian=signers["guard"].account
                ),
            )
            for one in (chain, other)
        ]
        members = tuple(signers[name].account for name in COMMITTEE)
        route, _ = await join_ledgers(
            EvmAdministered(ledgers[0], signers["deployer"]),
            EvmAdministered(ledgers[1], signers["deployer"]),
            make_committee(0, 2, members),
        )
        await ledgers[0].submit(ledgers[0].watching.pause_route(route), signers["guard"])
        return ledgers[0], route

    ledger, route = asyncio.run(prepare())
    contracts = "\n".join(
        f'{name} = "0x{address.hex()}"' for name, address in ledger.deployment.contracts.items()
    )
    with node_of(chain) as url:
        config.write_text(
            f'[[ledgers]]\nid = "{ledger.id}"\nname = "a"\nrpc = "{url}"\nfinality = "depth:0"\n'
            f"deployed_at = {ledger.deployed_at}\n[ledgers.contracts]\n{contracts}\n"
        )
        accounts = {name: f"0x{signer.account.hex()}" for name, signer in signers.items()}
        yield Office(chain, config, accounts, route)


def test_before_the_hand_over_it_says_that_nothing_waits(office: Office) -> None:
    shown = office.run("show")
    assert shown["administrators"] == [office.accounts["deployer"]]
    assert shown["timelock"] == "0x"
    assert "administers without delay" in shown["ways_around"][0]
    told = office.told("show")
    assert "there is no timelock" in told
    refused = office.run("propose", "unpause-bridge", key="board")["error"]
    assert refused["code"] == "CAIMI-L032"
    assert "hand-over" in refused["next"]


def test_a_change_is_proposed_shown_waited_for_and_carried_out(office: Office) -> None:
    done = office.hand_over()
    assert done["administrators"] == [done["timelock"]]
    assert done["delay"] == 3 * DAY
    assert office.hand_over() == done  # the same command again finds what it did

    proposed = office.run("propose", "unpause-route", "-r", office.route, key="board")
    again = office.run("propose", "unpause-route", "-r", office.route, key="board")
    assert again["error"]["code"] == "CAIMI-L033"
    assert proposed["operation"] in again["error"]["what"]
    shown = office.run("show", "-l", "a")
    (waiting,) = shown["pending"]
    assert waiting["id"] == proposed["operation"]
    assert waiting["says"] == [f"gateway.unpauseRoute({office.route})"]
    assert 3 * DAY - 60 < waiting["ready_at"] - shown["time"] <= 3 * DAY
    told = office.told("show")
    assert proposed["operation"] in told
    assert "anyone" in told
    assert "in 2d 23h" in told or "in 3d" in told

    early = office.run("execute", str(proposed["operation"]), key="guard")
    assert "TimelockUnexpectedOperationState" in early["error"]["what"]
    office.chain.advance(3 * DAY)
    assert "ready" in office.told("show")
    carried = office.run("execute", str(proposed["operation"]), key="guard")
    assert carried["tx"]
    assert office.run("show")["pending"] == []
    gone = office.run("execute", str(proposed["operation"]), key="guard")
    assert gone["error"]["code"] == "CAIMI-L033"


def test_a_canceller_takes_a_change_back_and_a_guardian_cannot(office: Office) -> None:
    office.hand_over()
    client = "0x" + "11" * 20
    proposed = office.run(
        "propose", "migrate-client", "-r", office.route, "--client", client, key="board"
    )
    refused = office.run("cancel", str(proposed["operation"]), key="guard")
    assert refused["error"]["code"] == "CAIMI-L024"
    assert office.run("cancel", str(proposed["operation"]), key="auditor")["tx"]
    assert office.run("show")["pending"] == []


def test_each_named_change_is_what_it_is_called_and_is_sent_or_only_printed(office: Office) -> None:
    done = office.hand_over()
    told = office.run("propose", "unpause-bridge", "--unsigned")
    assert told["to"] == done["timelock"]
    assert str(told["data"]).startswith("0x01d5062a")  # schedule
    assert office.run("show")["pending"] == []

    changes = {
        "close-breaker -r caimi-31337-0": "bridge.closeBreaker(caimi-31337-0)",
        "close-breaker -r caimi-31337-0 --licences": "market.closeBreaker(caimi-31337-0)",
        "unpause-bridge": "bridge.unpause()",
        "set-sales -r caimi-31337-0 --count 2 --per-day 9": (
            "market.setLimits(caimi-31337-0, True, (2, 9, 0, 0, 0))"
        ),
        "set-payments -r caimi-31337-0 --count 2 --per-day 9 --most 0.5 --amount 5 "
        f"--amount-per-day 7 --token 0x{'33' * 20}": (
            f"market.setLimits(caimi-31337-0/0x{'33' * 20}, False, "
            f"(2, 9, {COIN // 2}, {5 * COIN}, {7 * COIN}))"
        ),
        "set-limits -r caimi-31337-0 --count 2 --per-day 9 --receiving": (
            "bridge.setLimits(caimi-31337-0, True, (2, 9, 0, 0, 0))"
        ),
        "set-supply-cap -r caimi-31337-0 --cap 7": "bridge.setSupplyCap(caimi-31337-0, 7)",
        f"recover-client -r caimi-31337-0 --client 0x{'22' * 20}": (
            f"gateway.recoverClient(caimi-31337-0, 0x{'22' * 20})"
        ),
    }
    for change in changes:
        office.run("propose", *change.split(), key="board")
    said = {one["says"][0] for one in office.run("show")["pending"]}
    assert said == set(changes.values())


def test_what_makes_no_sense_is_refused_and_changes_nothing(office: Office) -> None:
    for delay, proposer, code in (
        ("3", "0x" + "11" * 20, "CAIMI-C020"),
        ("1h", "0x" + "11" * 20, "CAIMI-L030"),
        ("3d", "board", "CAIMI-C020"),
        ("3d", "0x" + "00" * 20, "CAIMI-L031"),
    ):
        asked = ["--delay", delay, "--proposer", proposer]
        assert office.run("hand-over", *asked, key="deployer")["error"]["code"] == code
    assert office.run("show")["administrators"] == [office.accounts["deployer"]]
    office.hand_over()
    assert office.run("cancel", "0x12", key="board")["error"]["code"] == "CAIMI-C020"
    unknown = office.run("cancel", "0x" + "12" * 32, key="board")["error"]
    assert unknown["code"] == "CAIMI-L033"
    assert all(unknown[part] for part in ("what", "why", "next"))


def test_an_exit_is_opened_signed_by_the_committee_declared_and_stopped(
    office: Office, tmp_path: Path
) -> None:
    office.hand_over()
    proposed = office.run("propose", "open-exit", "-r", office.route, key="board")
    office.chain.advance(3 * DAY)
    office.run("execute", str(proposed["operation"]), key="guard")
    (opened,) = office.run("show")["exits"]
    assert opened["client_id"] == office.route
    assert "not declared" in office.told("show")

    model = "0x" + "33" * 32
    heirs = tmp_path / "heirs.json"
    heirs.write_text(json.dumps([{"model": model, "sequence": 1, "to": office.accounts["board"]}]))
    about = [str(heirs), "-r", office.route, "--height", "99"]
    signed = [office.run("exit", "sign", *about, key=name) for name in COMMITTEE]
    assert len({one["digest"] for one in signed}) == 1
    office.chain.advance(30 * DAY)
    few = office.run(
        "exit", "declare", *about, "--signature", str(signed[0]["signature"]), key="guard"
    )
    assert few["error"]["code"] == "CAIMI-L034"
    all_of_them = [part for one in signed for part in ("--signature", str(one["signature"]))]
    assert office.run("exit", "declare", *about, *all_of_them, key="guard")["tx"]
    (declared,) = office.run("show")["exits"]
    assert declared["heirs"] == signed[0]["list"]

    # The list is the contract's: it is too early, not somebody else's list.
    asked = ["-r", office.route, "--model", model]
    early = office.run("exit", "unlock", str(heirs), *asked, key="guard")["error"]
    assert "TooEarly" in early["what"]
    again = office.run("exit", "refund", *asked, "--sender", office.accounts["board"], key="guard")
    assert "TooEarly" in again["error"]["what"]
    assert office.run("exit", "stop", "-r", office.route, key="guard")["tx"]
    assert office.run("show")["exits"] == []


@pytest.mark.parametrize(
    "text", ["", "[", "{}", '[{"model": "0x12", "sequence": 1, "to": "0x34"}]', "[7]"]
)
def test_a_list_of_heirs_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    heirs = tmp_path / "heirs.json"
    heirs.write_text(text)
    with pytest.raises((ExitInvalid, UsageError)):
        heirs_in(heirs)
