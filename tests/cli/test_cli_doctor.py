"""`caimi doctor`: each thing that can be wrong is told with what to do, and nothing is asked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi import __version__
from caimi.cli.app import app
from caimi.client.doctor.clocks import check_clock, check_head
from caimi.client.doctor.finding import Finding, within_time
from caimi.client.doctor.machine import check_disk
from caimi.client.keyring import Keyring
from caimi.config import Config, load_config
from caimi.custody.dkg.in_process import generate_in_process
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.persistence import open_journal
from embedded_node import node_of
from organisations import Organisation

runner = CliRunner()
COIN = 10**18


@dataclass
class Patient:
    """A ledger with CAIMI and its configuration."""

    config: Path
    text: str
    keys: Path

    def checks(self, *words: str) -> list[dict[str, str]]:
        at = ["--config", str(self.config), "--json"]
        done = runner.invoke(app, ["doctor", *words, *at], catch_exceptions=False)
        document = json.loads(done.stdout)
        checks = document["checks"]
        assert document["ok"] == all(each["state"] != "wrong" for each in checks)
        assert done.exit_code == (0 if document["ok"] else 1)
        assert all(each["next_step"] for each in checks if each["state"] != "ok")
        return checks

    def of(self, subject: str, *words: str) -> dict[str, str]:
        return next(each for each in self.checks(*words) if each["subject"].startswith(subject))


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    keyring = Keyring(load_config(config))
    rich = keyring.new("rich").signer
    keyring.new("poor")
    chain = EmbeddedChain(31337, {rich.account: 1000 * COIN})
    put = asyncio.run(deploy(embedded_chain(chain), rich))
    with node_of(chain) as url:
        contracts = "".join(f'{n} = "0x{each.hex()}"\n' for n, each in put.contracts.items())
        text = (
            f'[[ledgers]]\nid = "{put.ledger}"\nname = "a"\nrpc = "{url}"\n'
            f'finality = "depth:0"\ndeployed_at = {put.deployed_at}\n'
            f"[ledgers.contracts]\n{contracts}"
        )
        config.write_text(text)
        monkeypatch.delenv("CAIMI_PASSPHRASE")
        yield Patient(config, text, tmp_path / "keys")


def test_what_is_well_is_said_so_and_nothing_is_changed(patient: Patient) -> None:
    before = sorted(patient.config.parent.rglob("*"))
    checks = patient.checks("-k", "rich")
    assert {each["state"] for each in checks if each["subject"] != "committee"} == {"ok"}
    assert sorted(patient.config.parent.rglob("*")) == before
    shown = runner.invoke(app, ["doctor", "--config", str(patient.config)])
    assert shown.exit_code == 0
    assert "contracts a: Code, links and roles" in shown.stdout
    assert len(shown.stdout.splitlines()) == len(patient.checks())


def test_a_key_that_others_can_read_is_named(patient: Patient) -> None:
    (patient.keys / "rich.json").chmod(0o644)
    found = patient.of("keys")
    assert found["state"] == "wrong"
    assert f"chmod 600 {patient.keys / 'rich.json'}" in found["next_step"]
    (patient.keys / "rich.json").chmod(0o600)
    patient.keys.chmod(0o755)
    assert f"chmod 700 {patient.keys}" in patient.of("keys")["next_step"]


def test_a_certificate_that_ended_or_ends_soon_is_named_with_what_to_do(patient: Patient) -> None:
    ours = Organisation(patient.config.parent, "Ours")
    own, theirs = ours.issue("relayer"), ours.issue("hsm", "127.0.0.1")
    account = f"0x{'11' * 20}"
    patient.config.write_text(
        f'[tls]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\ntrust = ["{ours.trust}"]\n'
        f'[keys.remote.treasury]\nurl = "https://127.0.0.1:1/sign"\naccount = "{account}"\n'
        f'trust = "{theirs.certificate}"\n{patient.text}'
    )
    assert patient.of("certificate relayer.pem")["state"] == "ok"
    assert patient.of("certificate authority.pem")["state"] == "ok"
    assert patient.of("certificate hsm.pem")["state"] == "ok"
    ours.issue("relayer", lasts=timedelta(days=3, hours=1))
    soon = patient.of("certificate relayer.pem")
    assert soon["state"] == "warning"
    assert "in 3 days" in soon["said"]
    assert "caimi certificates sign" in soon["next_step"]
    ours.issue("hsm", "127.0.0.1", lasts=timedelta(seconds=1))
    time.sleep(1.5)
    ended = patient.of("certificate hsm.pem")
    assert ended["state"] == "wrong"
    assert "expired on" in ended["said"]
    own.key.chmod(0o644)
    assert "chmod 600" in patient.of("certificate relayer.pem")["next_step"]


def test_an_account_without_coins_and_a_key_that_is_not_there_are_named(patient: Patient) -> None:
    assert patient.of("account", "-k", "poor")["state"] == "warning"
    assert patient.of("account", "-k", "rich")["state"] == "ok"
    assert patient.of("key nobody", "-k", "nobody")["state"] == "wrong"


def test_whom_a_treasury_keeps_and_a_treasury_that_drains_are_named(patient: Patient) -> None:
    table = (
        '[[treasuries]]\nledger = "a"\nkey = "rich"\nfloor = "1"\nceiling = "4"\n'
        'daily_cap = "10"\nkeys = ["poor"]\n'
    )
    before = sorted(patient.config.parent.rglob("*"))
    patient.config.write_text(patient.text + table)
    assert patient.of("treasury a")["state"] == "ok"
    assert "10 coin of 10 coin may leave" in patient.of("treasury a")["said"]
    low = patient.of("account")
    assert (low["state"], low["said"]) == ("warning", "It has 0 coin, and its floor is 1 coin.")
    assert "caimi treasury refill" in low["next_step"]
    assert sorted(patient.config.parent.rglob("*")) == before
    patient.config.write_text(patient.text + table + 'low = "100000"\n')
    drains = patient.of("treasury a")
    assert drains["state"] == "warning"
    assert drains["next_step"].startswith("Send coins to 0x")
    patient.config.write_text(patient.text + table.replace('"4"', '"1000000"'))
    assert patient.of("treasury a")["state"] == "wrong"
    patient.config.write_text(patient.text + table * 2)
    assert "two treasuries" in patient.of("treasuries")["said"]


def test_a_silent_node_another_chain_and_other_contracts_are_named(patient: Patient) -> None:
    patient.config.write_text(patient.text.replace("http://127", "http://127.0.0.1:1/#"))
    silent = patient.checks("-k", "rich")
    assert [each["subject"][:8] for each in silent if each["state"] == "wrong"] == ["ledger a"]
    patient.config.write_text(patient.text.replace("eip155:31337", "eip155:5"))
    assert "serves eip155:31337" in patient.of("ledger a")["said"]
    places = load_config_contracts(patient.text)
    patient.config.write_text(patient.text.replace(places["fees"], places["receipts"]))
    assert "is not this version's RelayFees" in patient.of("contracts a")["said"]
    patient.config.write_text(
        patient.text + '[[ledgers]]\nid = "eip155:7"\nname = "n"\nrpc = "http://127.0.0.1:1"\n'
    )
    assert "caimi deploy n" in patient.of("ledger n")["next_step"]


def load_config_contracts(text: str) -> dict[str, str]:
    lines = text.partition("[ledgers.contracts]\n")[2].splitlines()
    return {name: place.strip('"') for name, _, place in (line.partition(" = ") for line in lines)}


def test_a_journal_with_unfinished_work_and_a_damaged_one_are_named(patient: Patient) -> None:
    async def begin(*, noted: bool) -> None:
        journal = open_journal(load_config(patient.config))
        async with journal.operation("deploy", "eip155:31337") as operation:
            if noted:
                await operation.note(account="alice")
        journal.close()

    asyncio.run(begin(noted=False))
    assert patient.of("journal")["state"] == "ok"
    asyncio.run(begin(noted=True))
    assert "1 of deploy" in patient.of("journal")["said"]
    load_config(patient.config).journal_path.write_bytes(b"no journal" * 1000)
    assert patient.of("journal")["state"] == "wrong"


@contextmanager
def answering(identity: dict[str, object], health: int = 200) -> Iterator[str]:
    """A peer that says of itself what is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({**identity, "time": time.time()}).encode()
            self.send_response(health if self.path == "/health" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def group() -> str:
    shares = generate_in_process([LocalSigner.generate().private_key for _ in range(3)], 2)
    return f"0x{shares[0].group.to_bytes().hex()}"


def committee(group: str, urls: list[str]) -> str:
    text = f'[committee]\ngroup_key = "{group}"\n'
    for index, url in enumerate(urls, start=1):
        text += f'[[committee.custodians]]\nindex = {index}\nurl = "{url}"\n'
        text += f'account = "0x{index:040x}"\n'
    return text


def said_by(index: int, group: str, **other: object) -> dict[str, object]:
    known = {"index": index, "account": f"0x{index:040x}", "group_key": group}
    return {**known, "version": __version__, **other}


def test_nodes_that_are_not_well_are_named_with_how_many_are_needed(
    patient: Patient, group: str
) -> None:
    silent = "http://127.0.0.1:1"
    with (
        answering(said_by(1, group)) as well,
        answering(said_by(2, group, version="0.0.1")) as older,
        answering(said_by(3, group)) as third,
    ):
        patient.config.write_text(patient.text + committee(group, [well, older, third]))
        assert patient.of("committee")["state"] == "ok"
        assert patient.of("node 1")["state"] == "ok"
        assert patient.of("clock")["state"] == "ok"
        assert "Its version is 0.0.1" in patient.of("node 2")["said"]
        patient.config.write_text(patient.text + committee(group, [well, older, silent]))
        assert patient.of("committee")["state"] == "warning"
        assert patient.of("node 3")["state"] == "wrong"
        patient.config.write_text(patient.text + committee(group, [well, silent, silent]))
        assert "1 of 3 nodes are well, and 2 are needed" in patient.of("committee")["said"]
        patient.config.write_text(patient.text + committee(group, [third, older, well]))
        assert "another member" in patient.of("node 1")["said"]
    for wrong in ({"account": "0x11"}, {"group_key": None}):
        with answering(said_by(1, group, **wrong)) as other:
            patient.config.write_text(patient.text + committee(group, [other]))
            assert patient.of("node 1")["state"] == "wrong"
    with answering(said_by(1, group), health=503) as ill:
        patient.config.write_text(patient.text + committee(group, [ill]))
        assert "cannot read all of its ledgers" in patient.of("node 1")["said"]


def test_certificates_that_end_or_have_ended_are_named_with_what_to_do(
    patient: Patient, group: str, tmp_path: Path
) -> None:
    ours = Organisation(tmp_path, "Ours")
    trusting = committee(group, ["https://127.0.0.1:9"] * 3).replace(
        "account =", f'trust = "{ours.trust}"\naccount ='
    )

    def shown(lasts: timedelta) -> dict[str, dict[str, str]]:
        own = ours.issue("operator", lasts=lasts)
        tls = f'[tls]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\n'
        patient.config.write_text(patient.text + trusting + tls)
        return {each["subject"]: each for each in patient.checks()}

    own, believed = "certificate operator.pem", f"certificate {ours.trust.name}"
    well = shown(timedelta(days=300))
    assert well[own]["state"] == well[believed]["state"] == "ok"
    soon = shown(timedelta(days=3))[own]
    assert soon["state"] == "warning"
    assert "in 2 days" in soon["said"]
    ended = shown(timedelta(seconds=-1))
    assert ended[own]["state"] == "wrong"
    assert "CAIMI-T002" in ended[own]["said"]
    assert "certificates sign" in ended[own]["next_step"]
    assert "CAIMI-T002" in ended["committee"]["said"]  # nobody can be asked, and the rest is told
    ours.trust.unlink()
    assert "cannot be read" in shown(timedelta(days=300))[believed]["said"]


def test_a_clock_that_is_off_is_named() -> None:
    assert check_clock({}) == []
    assert [each.state for each in check_clock({"a": 1.0, "b": -2.0})] == ["ok"]
    (ours,) = check_clock({"a": 100.0, "b": 130.0, "c": 90.0})
    assert ours.state == "wrong"
    assert "100 s ahead of ours" in ours.said
    (theirs,) = check_clock({"a": 0.0, "b": -40.0, "c": 1.0})
    assert theirs.state == "warning"
    assert "The clock of b is 40 s behind ours" in theirs.said
    assert check_head("x", 1000, 1000.0, 12).state == "ok"
    assert check_head("x", 1100, 1000.0, 12).state == "wrong"
    assert check_head("x", 1000, 2000.0, 12).state == "warning"


async def test_a_check_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caimi.client.doctor.finding.CHECK_SECONDS", 0.05)

    async def forever() -> list[Finding]:
        await asyncio.sleep(60)
        return []

    (found,) = await within_time("it", forever())
    assert found.state == "wrong"
    assert "did not answer" in found.said


def test_little_room_and_a_place_that_is_not_ours_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(home=tmp_path)
    assert [each.state for each in check_disk(config)] == ["ok"]
    for free, state in ((500, "warning"), (50, "wrong")):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: Usage(free << 20))
        assert [each.state for each in check_disk(config)] == [state]
    monkeypatch.undo()
    monkeypatch.setattr("os.access", lambda *_: False)
    assert {each.state for each in check_disk(config)} == {"wrong"}


@dataclass
class Usage:
    free: int
