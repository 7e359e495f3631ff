"""`caimi deploy`: a plan first, done once whatever is killed, checked, and written down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.journal import Journal, Operation
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.persistence import open_journal
from embedded_node import node_of

runner = CliRunner()
COIN = 10**18
LEDGER = "eip155:31337"
TRANSACTIONS = 13
ENOUGH_FOR_ONE = 2 * 10**16
NOTE = "# a note of the operator's"


class KilledHere(BaseException):
    """Ends the command where a kill would."""


@dataclass
class Bench:
    """A ledger without CAIMI, a configuration that names it, and two keys with coins."""

    chain: EmbeddedChain
    config: Path
    accounts: dict[str, bytes]

    def run(self, *words: str, key: str = "deployer") -> dict[str, object]:
        at = ["--config", str(self.config), "--json", "-k", key]
        done = runner.invoke(app, ["deploy", *words, *at], catch_exceptions=False)
        document = json.loads(done.stdout)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def told(self, *words: str, typed: str = "") -> str:
        at = ["--config", str(self.config), "-k", "deployer"]
        return runner.invoke(
            app, ["deploy", *words, *at], input=typed, env={"COLUMNS": "200"}
        ).output

    def sent(self, name: str = "deployer") -> int:
        return self.chain.nonce(self.accounts[name], None)


def ledger_table(url: str, number: int = 31337) -> str:
    return (
        f'[[ledgers]]\nid = "eip155:{number}"\nname = "a"\nrpc = "{url}"  {NOTE}\n'
        'finality = "depth:0"\n'
    )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    keyring = Keyring(load_config(config))
    names = ("deployer", "second", "poor")
    accounts = {name: keyring.new(name).signer.account for name in names}
    rich = dict.fromkeys(accounts.values(), 1000 * COIN)
    chain = EmbeddedChain(31337, {**rich, accounts["poor"]: ENOUGH_FOR_ONE})
    with node_of(chain) as url:
        config.write_text(ledger_table(url))
        yield Bench(chain, config, accounts)


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int, *, recorded: bool) -> None:
    """Kill the next run at its transaction of that number, before or after it is written down."""
    real, seen = Journal.record, []

    async def record(self: Journal, key: str, call: object) -> None:
        seen.append(key)
        if len(seen) == number and not recorded:
            raise KilledHere
        await real(self, key, call)
        if len(seen) == number:
            raise KilledHere

    monkeypatch.setattr(Journal, "record", record)


def test_it_is_planned_deployed_checked_and_written_down(bench: Bench) -> None:
    planned = bench.run("a", "--plan")["plan"]
    assert [step["what"] for step in planned["steps"]][:2] == [
        "Deploying AccessManager",
        "Deploying Gateway",
    ]
    assert 0 < planned["likely"] <= planned["most"] < planned["held"] == 1000 * COIN
    assert bench.sent() == 0

    done = bench.run("a", "--yes")
    assert done["deployed"]
    assert bench.sent() == TRANSACTIONS == len(planned["steps"])
    text = bench.config.read_text()
    assert NOTE in text
    (section,) = load_config(bench.config).ledgers
    assert section.model_dump(mode="json", exclude_none=True) == done["ledger"]

    again = bench.run("a", "--yes")
    assert not again["deployed"]
    assert bench.sent() == TRANSACTIONS
    assert bench.config.read_text() == text


def test_nothing_is_done_without_a_yes(bench: Bench) -> None:
    assert bench.run("a")["error"]["code"] == "CAIMI-C071"
    assert "CAIMI-C071" in bench.told("a", typed="n\n")
    assert bench.sent() == 0
    shown = bench.told("a", "--plan")
    assert "Deploying ModelRegistry, about 4600000 gas" in shown
    assert "1000 coin" in shown


def test_runs_that_are_killed_at_every_transaction_are_finished_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in range(2 * TRANSACTIONS):
        with monkeypatch.context() as killing:
            kill_at(killing, 1, recorded=bool(run % 2))
            with pytest.raises(KilledHere):
                bench.run("a", "--yes")
    assert "contracts" not in bench.config.read_text()
    assert all(step["begun"] for step in bench.run("a", "--plan")["plan"]["steps"])
    assert bench.run("a", "--yes")["deployed"]
    assert bench.sent() == TRANSACTIONS


@pytest.mark.parametrize("number", [3, 8])
def test_a_run_that_is_killed_among_transactions_is_finished_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as killing:
        kill_at(killing, number, recorded=True)
        with pytest.raises(KilledHere):
            bench.run("a", "--yes")
    real, keys = Journal.record, []

    async def record(self: Journal, key: str, call: object) -> None:
        keys.append(key)
        await real(self, key, call)

    monkeypatch.setattr(Journal, "record", record)
    assert bench.run("a", "--yes")["deployed"]
    assert bench.sent() == TRANSACTIONS == number + len(keys)  # none was signed twice


def test_a_run_that_is_killed_before_it_writes_the_file_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KilledHere

    with monkeypatch.context() as killing:
        killing.setattr("caimi.composition.deploying.add_to_ledger", killed)
        with pytest.raises(KilledHere):
            bench.run("a", "--yes")
    assert not load_config(bench.config).ledgers
    assert not bench.run("a")["deployed"]  # no key, no yes: nothing is left to be sent
    assert bench.sent() == TRANSACTIONS
    assert load_config(bench.config).ledgers


def test_a_run_that_is_killed_after_it_wrote_the_file_is_ended_by_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(_: Operation) -> None:
        raise KilledHere

    with monkeypatch.context() as killing:
        killing.setattr(Operation, "finish", killed)
        with pytest.raises(KilledHere):
            bench.run("a", "--yes")
    assert load_config(bench.config).ledgers
    assert not bench.run("a")["deployed"]
    journal = open_journal(load_config(bench.config))
    (known,) = asyncio.run(journal.operations())
    journal.close()
    assert known.finished


def test_another_account_does_not_go_on_with_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killing:
        kill_at(killing, 5, recorded=True)
        with pytest.raises(KilledHere):
            bench.run("a", "--yes")
    refused = bench.run("a", "--yes", key="second")["error"]
    assert refused["code"] == "CAIMI-L061"
    assert bench.accounts["deployer"].hex() in refused["what"]
    assert "5 of 13" in refused["what"]
    guarded = bench.run("a", "--yes", "--guardian", "0x" + "11" * 20)["error"]
    assert guarded["code"] == "CAIMI-C054"
    assert bench.sent("second") == 0
    declined = bench.run("a", "--anew", key="second")["error"]
    assert declined["code"] == "CAIMI-C071"  # and what was begun is not forgotten
    assert sum(step["begun"] for step in bench.run("a", "--plan")["plan"]["steps"]) == 5
    assert bench.run("a", "--yes", "--anew", key="second")["deployed"]
    assert bench.sent("second") == TRANSACTIONS


def test_other_code_at_an_address_is_named(bench: Bench) -> None:
    bench.run("a", "--yes")
    (section,) = load_config(bench.config).ledgers
    places = section.model_extra["contracts"]
    text = bench.config.read_text()
    bench.config.write_text(text.replace(places["fees"], places["receipts"]))
    wrong = bench.run("a")["error"]
    assert wrong["code"] == "CAIMI-L060"
    assert "is not this version's RelayFees" in wrong["what"]
    bench.config.write_text(text.replace(places["fees"], "0x" + "11" * 20))
    assert "no code of fees" in bench.run("a")["error"]["what"]


def lag(monkeypatch: pytest.MonkeyPatch, height: int) -> None:
    """Have the node know blocks up to a height alone."""
    monkeypatch.setattr(EmbeddedChain, "head", property(lambda self: self.header(height)))


def missing_at(bench: Bench, section: dict[str, object], height: int) -> int:
    contracts = section["contracts"]
    assert isinstance(contracts, dict)
    return sum(not bench.chain.code(bytes.fromhex(at[2:]), height) for at in contracts.values())


@pytest.mark.parametrize("words", [("--plan",), ("--yes",)])
@pytest.mark.parametrize("missing", ["one", "all"])
def test_a_node_that_lags_has_no_deployment_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], missing: str
) -> None:
    before = bench.config.read_text()
    section = bench.run("a", "--yes")["ledger"]
    bench.config.write_text(before)  # as a kill before it was written leaves it
    heights = range(bench.chain.head.block_number)
    height = next(at for at in heights if missing_at(bench, section, at) == 1)
    with monkeypatch.context() as lagging:
        lag(lagging, height if missing == "one" else 0)
        kill_at(lagging, 1, recorded=False)  # or what is sent would be waited for
        refused = bench.run("a", *words)["error"]
    if missing == "one":
        assert refused["code"] == "CAIMI-L060"
        assert "there is no code of" in refused["what"]
    else:
        assert refused["code"] == "CAIMI-L041"
        assert "--anew" in refused["next"]
    assert "again in a while" in refused["next"]
    again = bench.run("a")
    assert not again["deployed"]
    assert again["ledger"] == section
    assert bench.sent() == TRANSACTIONS


def test_a_ledger_that_was_started_anew_gets_it_again(bench: Bench) -> None:
    before = bench.config.read_text()
    bench.run("a", "--yes")
    chain = EmbeddedChain(31337, {bench.accounts["deployer"]: 1000 * COIN})
    chain.mine()  # what is final is no older than the deployment was
    with node_of(chain) as url:
        bench.config.write_text(ledger_table(url))
        planned = bench.run("a", "--plan")["plan"]
        assert not any(step["begun"] for step in planned["steps"])
        assert bench.run("a")["error"]["code"] == "CAIMI-C071"
        assert "Nothing is left on eip155:31337" in bench.told("a", typed="n\n")
        bench.config.write_text(before)
        assert not bench.run("a")["deployed"]  # nobody agreed: it is not forgotten
        bench.config.write_text(ledger_table(url))
        assert bench.run("a", "--yes")["deployed"]
        assert chain.nonce(bench.accounts["deployer"], None) == TRANSACTIONS


def test_whoever_knows_that_a_ledger_is_new_need_not_wait(bench: Bench) -> None:
    bench.run("a", "--yes")
    chain = EmbeddedChain(31337, {bench.accounts["deployer"]: 1000 * COIN})
    with node_of(chain) as url:
        bench.config.write_text(ledger_table(url))
        assert bench.run("a", "--yes")["error"]["code"] == "CAIMI-L041"
        assert bench.run("a", "--yes", "--anew")["deployed"]


def test_a_profiles_ledger_is_written_down_in_the_profile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = bench.config.read_text()  # whose ledger has the same id and is no profile's
    table = text.replace("[[ledgers]]", "[[profiles.test.ledgers]]")
    bench.config.write_text(text + table)
    monkeypatch.setenv("CAIMI_PROFILE", "test")
    assert bench.run("a", "--yes")["deployed"]
    assert load_config(bench.config).ledgers
    monkeypatch.delenv("CAIMI_PROFILE")
    assert not load_config(bench.config).ledgers
    assert bench.config.read_text().startswith(text + table)


def test_too_few_coins_a_wrong_ledger_and_a_silent_node_are_named_before_anything(
    bench: Bench,
) -> None:
    lacking = bench.run("a", "--yes", key="poor")["error"]
    assert lacking["code"] == "CAIMI-L007"
    planned = bench.run("a", "--plan", key="poor")["plan"]  # which says what it takes
    assert planned["held"] == ENOUGH_FOR_ONE < planned["likely"]
    assert "are missing" in lacking["what"]
    assert bench.sent("poor") == 0
    text = bench.config.read_text()
    bench.config.write_text(text.replace(LEDGER, "eip155:5"))
    assert bench.run("a", "--yes")["error"]["code"] == "CAIMI-L002"
    bench.config.write_text(ledger_table("http://127.0.0.1:1"))
    assert bench.run("a", "--yes")["error"]["code"] == "CAIMI-L001"
    assert bench.run("b", "--yes")["error"]["code"] == "CAIMI-C003"
    assert bench.sent() == 0


def test_other_commands_say_that_it_is_not_there_yet(bench: Bench) -> None:
    at = ["--config", str(bench.config), "--json"]
    shown = runner.invoke(app, ["governance", "show", "-l", "a", *at])
    assert "caimi deploy a" in json.loads(shown.stdout)["error"]["next"]
