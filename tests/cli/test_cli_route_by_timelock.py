"""`caimi route add` where timelocks administer: proposed, waited for, gone on with when killed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from test_cli_route import COMMITTEE, A, B, KilledHere, Office, kill_at, office
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.ledgers.evm.administration.batches import read_batch
from caimi.ledgers.evm.administration.governance import hand_over
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.in_process import embedded_chain
from multisig_account import MultisigAccount

__all__ = ["office"]

DAY = 86_400
DELAY = 2 * DAY


def ledgers_of(office: Office) -> list[EvmLedger]:
    """The office's two ledgers, reached in this process."""
    config = load_config(office.config)
    return [
        EvmLedger(embedded_chain(chain), Deployment.from_dict(config.ledger(name).model_dump()))
        for name, chain in zip("ab", office.chains, strict=True)
    ]


def handed_over(office: Office, *proposers: bytes, which: slice = slice(None)) -> None:
    """Give ledgers to timelocks to which the deployer, or somebody else, proposes."""
    deployer = Keyring(load_config(office.config)).open("deployer").signer

    async def hand() -> None:
        for ledger in ledgers_of(office)[which]:
            who = proposers or (deployer.account,)
            await hand_over(ledger, deployer, proposers=who, delay=DELAY)

    asyncio.run(hand())


def wait(office: Office, seconds: int = DELAY) -> None:
    for chain in office.chains:
        chain.advance(seconds)


def governance(office: Office, *words: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["governance", *words, "--config", str(office.config), "--json"])
    return json.loads(done.stdout)


def test_a_route_is_added_by_two_timelocks_in_three_runs(office: Office) -> None:
    handed_over(office)
    planned = office.run("add", "a", "b", "--plan", *COMMITTEE)["plans"]
    assert [step["what"] for step in planned[0]["steps"]] == [
        f"Deploying CommitteeClient of {B}",
        f"Proposing the route to {B}",
        f"Carrying it out once it has waited: the route to {B}",
        "Proposing the counterparty's name",
        "Carrying it out once it has waited: the counterparty's name",
    ]
    first = office.add()
    assert not first["added"]
    assert [each["ledger"] for each in first["waits"]] == [A, B]
    (pending,) = governance(office, "show", "-l", "a")["pending"]
    assert pending["id"] == first["waits"][0]["operation"]
    assert pending["ready_at"] == first["waits"][0]["ready_at"]
    assert pending["says"][0].startswith("gateway.addClient(0x")
    assert "setTargetFunctionRole" in pending["says"][1]
    sent = office.sent()
    early = office.add()  # nothing is sent before it may be
    assert early["waits"] == first["waits"]
    assert office.sent() == sent
    assert office.run("list")["routes"] == []

    wait(office)
    second = office.add()
    assert not second["added"]
    assert office.run("list")["routes"] == []  # each is on its ledger, and names no other end
    assert second["waits"][0]["operation"] != first["waits"][0]["operation"]
    wait(office)
    done = office.add()
    assert done["added"]
    assert done["clients"] == {A: "caimi-31337-0", B: "caimi-31338-0"}
    here, there = office.run("list")["routes"]
    assert here["joined"]
    assert there["joined"]
    assert governance(office, "show", "-l", "a")["pending"] == []
    assert office.add() == {**done, "added": False}


def test_it_may_be_killed_at_every_transaction(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over(office)
    before = office.sent()
    for run in range(60):
        with monkeypatch.context() as killing:
            kill_at(killing, recorded=bool(run % 2))
            try:
                done = office.add()
            except KilledHere:
                continue
        if done["added"]:
            break
        wait(office)
    else:
        pytest.fail("no end")
    # At each end: the client, two proposals, and what carried them out.
    assert [now - then for now, then in zip(office.sent(), before, strict=True)] == [5, 5]
    assert len(office.run("list")["routes"]) == 2


def test_one_end_may_be_an_account_s_and_the_other_a_timelock_s(office: Office) -> None:
    handed_over(office, which=slice(1))
    first = office.add()
    assert [each["ledger"] for each in first["waits"]] == [A]
    wait(office)
    second = office.add()
    assert [each["ledger"] for each in second["waits"]] == [A]
    wait(office)
    assert office.add()["added"]


def test_what_somebody_else_carried_out_is_gone_on_with(office: Office) -> None:
    handed_over(office)
    first = office.add()
    wait(office)
    for change in first["waits"]:
        at = ["-l", change["ledger"], "-k", "guard"]
        assert governance(office, "execute", change["operation"], *at)["ok"]
    second = office.add()
    assert "added" in second, second
    assert not second["added"]
    wait(office)
    assert office.add()["added"]


def test_who_may_not_propose_is_refused_before_anything_is_sent(office: Office) -> None:
    handed_over(office)
    before = [chain.nonce(office.accounts["guard"], None) for chain in office.chains]
    refused = office.add(key="guard")["error"]
    assert refused["code"] == "CAIMI-L062"
    assert "proposes nothing" in refused["what"]
    assert [chain.nonce(office.accounts["guard"], None) for chain in office.chains] == before


def test_a_proposal_that_was_cancelled_is_not_made_again_by_itself(office: Office) -> None:
    handed_over(office)
    (change, _) = office.add()["waits"]
    at = ["-l", "a", "-k", "deployer"]
    assert governance(office, "cancel", change["operation"], *at)["ok"]
    refused = office.add()["error"]
    assert refused["code"] == "CAIMI-L033"
    assert "cancelled" in refused["what"]
    assert governance(office, "show", "-l", "a")["pending"] == []


def test_a_multisignature_account_proposes_what_is_written_for_it(
    office: Office, tmp_path: Path
) -> None:
    """2 of 3 sign; one of them proposes nothing, and neither does the deployer."""
    keyring = Keyring(load_config(office.config))
    deployer = keyring.open("deployer").signer
    owners = [keyring.new(f"owner{number}").signer for number in range(3)]

    async def accounts() -> list[MultisigAccount]:
        return [
            await MultisigAccount.create(ledger, deployer, owners, 2)
            for ledger in ledgers_of(office)
        ]

    boards = asyncio.run(accounts())
    for place, board in enumerate(boards):
        handed_over(office, board.address, which=slice(place, place + 1))
    folder = tmp_path / "batches"

    def act() -> None:
        """Each board signs and sends its file, after looking at it."""

        async def signed(board: MultisigAccount, content: bytes) -> None:
            batch = read_batch(content, board.ledger.chain.number)
            assert batch.safe == board.address
            call = await board.signed(batch.calls, owners[:2])
            await board.ledger.submit(call, deployer)

        for board in boards:
            file = folder / f"{board.ledger.id.replace(':', '-')}.json"
            checked = governance(office, "check-batch", str(file), "-l", board.ledger.id)
            assert checked["proposes"], checked
            asyncio.run(signed(board, file.read_bytes()))

    assert office.add()["error"]["code"] == "CAIMI-L062"
    first = office.add("--batch", str(folder))
    assert [each["ready_at"] for each in first["waits"]] == [0, 0]
    says = first["written"][0]["says"]
    assert says[0] == f"propose, to be carried out together after {DELAY} s"
    assert says[1].startswith("  route add: a new route: gateway.addClient(0x")
    assert "letting guardians freeze" in says[2]
    act()
    assert office.add("--batch", str(folder))["waits"][0]["ready_at"] > 0
    wait(office)
    second = office.add("--batch", str(folder))
    assert "naming the other end" in second["written"][0]["says"][1]
    act()
    wait(office)
    assert office.add("--batch", str(folder))["added"]
    assert all(each["joined"] for each in office.run("list")["routes"])
