"""`caimi route`: both ends of a route, once whatever is killed; listed without a key; closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from peer_certificates import peer_certificate
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.journal import Journal
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from embedded_node import node_of

runner = CliRunner()
COIN = 10**18
A, B = "eip155:31337", "eip155:31338"
MEMBERS = [f"0x{LocalSigner.generate().account.hex()}" for _ in range(3)]
COMMITTEE = [word for each in MEMBERS for word in ("--member", each)] + ["--signers", "2"]


class KilledHere(BaseException):
    """Ends the command where a kill would."""


@dataclass
class Office:
    """Two ledgers with CAIMI that know nothing of one another."""

    chains: tuple[EmbeddedChain, EmbeddedChain]
    config: Path
    accounts: dict[str, bytes]

    def run(self, *words: str, key: str = "deployer") -> dict[str, object]:
        flag = [] if words[0] == "list" else ["-k", key]
        at = ["--config", str(self.config), "--json", *flag]
        done = runner.invoke(app, ["route", *words, *at], catch_exceptions=False)
        document = json.loads(done.stdout)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def add(self, *words: str, key: str = "deployer") -> dict[str, object]:
        return self.run("add", "a", "b", "--yes", *COMMITTEE, *words, key=key)

    def sent(self) -> list[int]:
        return [chain.nonce(self.accounts["deployer"], None) for chain in self.chains]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    keyring = Keyring(load_config(config))
    signers = {name: keyring.new(name).signer for name in ("deployer", "guard")}
    rich = {signer.account: 1000 * COIN for signer in signers.values()}
    chains = EmbeddedChain(31337, rich), EmbeddedChain(31338, rich)

    async def put() -> list[Deployment]:
        return [
            await deploy(
                embedded_chain(chain), signers["deployer"], guardian=signers["guard"].account
            )
            for chain in chains
        ]

    with ExitStack() as stack:
        text = ""
        for name, chain, put_there in zip("ab", chains, asyncio.run(put()), strict=True):
            url = stack.enter_context(node_of(chain))
            contracts = "".join(
                f'{each} = "0x{address.hex()}"\n' for each, address in put_there.contracts.items()
            )
            text += (
                f'[[ledgers]]\nid = "{put_there.ledger}"\nname = "{name}"\nrpc = "{url}"\n'
                f'finality = "depth:0"\ndeployed_at = {put_there.deployed_at}\n'
                f"[ledgers.contracts]\n{contracts}"
            )
        config.write_text(text)
        yield Office(chains, config, {name: one.account for name, one in signers.items()})


def kill_at(monkeypatch: pytest.MonkeyPatch, *, recorded: bool) -> None:
    """Kill the next run at its first new transaction, before or after it is written down."""
    real = Journal.record

    async def record(self: Journal, key: str, call: object) -> None:
        if recorded:
            await real(self, key, call)
        raise KilledHere

    monkeypatch.setattr(Journal, "record", record)


def test_a_route_is_planned_added_at_both_ends_and_listed_without_a_key(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = office.sent()
    planned = office.run("add", "a", "b", "--plan", *COMMITTEE)
    assert planned["committee"]["threshold"] == 2
    assert planned["committee"]["members"] == sorted(MEMBERS)
    one, other = planned["plans"]
    assert [one["ledger"], other["ledger"]] == [A, B]
    assert one["steps"][0]["what"] == f"Deploying CommitteeClient of {B}"
    assert office.sent() == before
    assert office.run("list")["routes"] == []

    done = office.add()
    assert done["clients"] == {A: "caimi-31337-0", B: "caimi-31338-0"}
    after = office.sent()
    assert [now - then for now, then in zip(after, before, strict=True)] == [4, 4]
    again = office.run("add", "b", "a", *COMMITTEE)  # nobody has to agree to nothing
    assert not again["added"]
    assert again["clients"] == done["clients"]
    assert office.sent() == after

    monkeypatch.delenv("CAIMI_PASSPHRASE")
    here, there = office.run("list")["routes"]
    assert here["route"]["counterparty_client_id"] == there["route"]["client_id"]
    assert (here["client"], here["signers"]) == ("committee", "2 of 3")
    assert here["joined"]
    assert not here["paused"]


def test_runs_that_are_killed_at_every_transaction_add_one_route(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = office.sent()
    for run in range(40):
        with monkeypatch.context() as killing:
            kill_at(killing, recorded=bool(run % 2))
            try:
                assert office.add()["added"]
            except KilledHere:
                continue
            break
    else:
        pytest.fail("no end")
    assert run >= 8
    assert [now - then for now, then in zip(office.sent(), before, strict=True)] == [4, 4]
    assert len(office.run("list")["routes"]) == 2


def test_other_terms_do_not_finish_what_was_begun(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killing:
        kill_at(killing, recorded=True)
        with pytest.raises(KilledHere):
            office.add()
    refused = office.add("--client", "committee", "--client", "storage-proof")["error"]
    assert refused["code"] == "CAIMI-L063"
    declined = office.run("add", "a", "b", "--anew", "--client", "storage-proof", *COMMITTEE)
    assert declined["error"]["code"] == "CAIMI-C071"  # and what was begun is not forgotten
    plans = office.run("add", "a", "b", "--plan", *COMMITTEE)["plans"]
    assert sum(step["begun"] for plan in plans for step in plan["steps"]) >= 1
    assert office.add("--client", "storage-proof", "--anew")["added"]


def test_clients_of_every_kind_are_had_by_choice(office: Office) -> None:
    chosen = ["--client", "committee", "--client", "storage-proof", "--client", "optimistic"]
    done = office.add(
        *chosen, "--needed", "2", "--bond", "0.5", "--window", "30m", "--back", "committee"
    )
    assert done["added"]
    here, there = office.run("list")["routes"]
    assert here["client"] == "2 of committee, storage-proof, optimistic"
    assert there["client"] == "committee"
    assert here["joined"]
    assert there["joined"]


@pytest.mark.parametrize(
    ("chosen", "described"),
    [
        (["endorsed-reads"], "endorsed-reads"),
        (["committee", "endorsed-reads"], "2 of committee, endorsed-reads"),
    ],
)
def test_organisations_reads_are_believed_by_choice(
    office: Office, tmp_path: Path, chosen: list[str], described: str
) -> None:
    words = [word for kind in chosen for word in ("--client", kind)] + ["--back", "committee"]
    for name in ("One", "Two"):
        words += ["--endorser", f"{name}={peer_certificate(tmp_path, name)}"]
    assert office.add(*words, "--channel", "trade")["added"]
    here, there = office.run("list")["routes"]
    assert (here["client"], there["client"]) == (described, "committee")
    assert not office.add(*words, "--channel", "trade")["added"]  # it is there
    assert office.add(*words)["error"]["code"] == "CAIMI-L063"  # not of another channel


def test_what_cannot_be_is_refused_before_anything_is_sent(office: Office) -> None:
    before = office.sent()
    assert office.add(key="guard")["error"]["code"] == "CAIMI-L062"
    assert office.add("--client", "optimistic")["error"]["code"] == "CAIMI-L062"
    assert office.add("--client", "endorsed-reads")["error"]["code"] == "CAIMI-L062"
    assert office.add("--client", "nonsense")["error"]["code"] == "CAIMI-C020"
    optimistic = ("--client", "optimistic", "--bond", "0.5")
    for window in ("9m", "13h", "3d"):
        assert office.add(*optimistic, "--window", window)["error"]["code"] == "CAIMI-L062"
    assert office.run("add", "a", "a", *COMMITTEE)["error"]["code"] == "CAIMI-C020"
    assert office.run("add", "a", "b")["error"]["code"] == "CAIMI-L062"  # no committee
    assert office.run("add", "a", "b", *COMMITTEE)["error"]["code"] == "CAIMI-C071"
    assert office.run("remove", "a", "b")["error"]["code"] == "CAIMI-C019"
    assert office.sent() == before


def test_options_that_neither_end_would_use_are_refused(office: Office) -> None:
    for words in (
        ["--needed", "1"],
        ["--needed", "1", "--client", "storage-proof", "--back", "committee"],
        ["--bond", "0.5"],
        ["--window", "1h", "--client", "committee", "--client", "storage-proof"],
        ["--proposer", MEMBERS[0], "--back", "storage-proof"],
        ["--endorser", "One=a.pem"],
        ["--endorsements", "2", "--client", "committee"],
    ):
        refused = office.add(*words)["error"]
        assert refused["code"] == "CAIMI-C020"
        assert refused["what"].startswith(words[0])


def test_options_are_of_use_where_one_end_uses_them(office: Office) -> None:
    for words in (
        ["--back", "committee", "--back", "storage-proof", "--needed", "1"],
        ["--back", "optimistic", "--bond", "0.5", "--window", "30m", "--proposer", MEMBERS[0]],
    ):
        assert office.run("add", "a", "b", "--plan", *COMMITTEE, *words)["ok"]


def test_a_guardian_closes_it_at_both_ends_and_an_administrator_does_not(office: Office) -> None:
    office.add()
    assert office.run("remove", "a", "b", "--yes")["error"]["code"] == "CAIMI-L024"
    done = office.run("remove", "a", "b", "--yes", key="guard")
    assert done["changed"]
    assert [each["paused"] for each in office.run("list")["routes"]] == [True, True]
    again = office.run("remove", "b", "a", key="guard")
    assert not again["changed"]
    assert again["paused"] == done["paused"]
