"""`caimi committee` from a plan to every ledger's new committee."""

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
from caimi.client.keyring import Keyring
from caimi.composition.joining import join_ledgers
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.messaging.checkpoint import make_committee
from embedded_node import node_of

runner = CliRunner()
COIN = 10**18


@dataclass
class Consortium:
    """Three joined ledgers, a committee of three whose keystores are here, and its successors."""

    folder: Path
    config: Path
    members: list[LocalSigner]
    successors: list[LocalSigner]

    @property
    def file(self) -> Path:
        return self.folder / "next.json"

    def run(self, *arguments: str) -> dict[str, object]:
        done = runner.invoke(app, ["committee", *arguments, "--config", str(self.config), "--json"])
        document = json.loads(done.output)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def plan(self) -> dict[str, object]:
        named = [text for s in self.successors for text in ("--member", f"0x{s.account.hex()}")]
        return self.run("plan", *named, "--threshold", "3", "-o", str(self.file))

    def sign(self, place: int) -> dict[str, object]:
        keystore = self.folder / f"member-{place}.json"
        return self.run("sign", str(self.file), "--keystore", str(keystore))

    def apply(self) -> list[str]:
        return [each["outcome"] for each in self.run("apply", str(self.file), "-k", "a")["clients"]]

    def epochs(self) -> list[int]:
        return [each["committee"]["epoch"] for each in self.run("show")["committees"]]


@pytest.fixture
def consortium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Consortium]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    config = tmp_path / "caimi.toml"
    config.write_text("")
    rich = Keyring(load_config(config)).new("a").signer
    chains = [EmbeddedChain(31337 + n, {rich.account: 1000 * COIN}) for n in range(3)]
    members = sorted((LocalSigner.generate() for _ in range(3)), key=lambda m: m.account)
    for place, member in enumerate(members):
        member.save(tmp_path / f"member-{place}.json", b"correct horse")

    async def prepare() -> list[EvmLedger]:
        ledgers = [
            EvmLedger(embedded_chain(one), await deploy(embedded_chain(one), rich))
            for one in chains
        ]
        signers = make_committee(0, 2, [member.account for member in members])
        for a, b in ((0, 1), (1, 2)):
            await join_ledgers(
                EvmAdministered(ledgers[a], rich), EvmAdministered(ledgers[b], rich), signers
            )
        return ledgers

    with ExitStack() as stack:
        text = ""
        for chain, ledger in zip(chains, asyncio.run(prepare()), strict=True):
            url = stack.enter_context(node_of(chain))
            contracts = ledger.deployment.contracts.items()
            text += f'[[ledgers]]\nid = "{ledger.id}"\nname = "{ledger.id[-1]}"\nrpc = "{url}"\n'
            text += f'finality = "depth:0"\ndeployed_at = {ledger.deployed_at}\n'
            text += "[ledgers.contracts]\n"
            text += "".join(f'{name} = "0x{address.hex()}"\n' for name, address in contracts)
        config.write_text(text)
        successors = [LocalSigner.generate() for _ in range(5)]
        yield Consortium(tmp_path, config, members, successors)


def test_one_signing_hands_over_on_every_ledger_and_once(consortium: Consortium) -> None:
    planned = consortium.plan()["rotations"]
    assert [each["ledger"] for each in planned] == ["eip155:31337", "eip155:31338", "eip155:31339"]
    consortium.sign(0)
    assert consortium.run("apply", str(consortium.file), "-k", "a")["error"]["code"] == "CAIMI-M012"
    assert consortium.epochs() == [0] * 4
    assert {each["missing"] for each in consortium.sign(2)["rotations"]} == {0}
    assert consortium.apply() == ["handed over"] * 4
    shown = consortium.run("show")["committees"]
    accounts = sorted(f"0x{s.account.hex()}" for s in consortium.successors)
    assert all(each["committee"]["members"] == accounts for each in shown)
    assert all(each["committee"]["threshold"] == 3 for each in shown)
    assert consortium.apply() == ["already"] * 4


def test_a_plan_is_not_written_over_and_an_impossible_one_not_at_all(
    consortium: Consortium,
) -> None:
    consortium.plan()
    assert consortium.plan()["error"]["code"].startswith("CAIMI-C")
    member = f"0x{consortium.successors[0].account.hex()}"
    other = str(consortium.folder / "other.json")
    refused = consortium.run("plan", "--member", member, "--threshold", "1", "-o", other)
    assert refused["error"]["code"] == "CAIMI-M003"
    assert not Path(other).exists()
    both = [
        text for s in consortium.successors[:2] for text in ("--member", f"0x{s.account.hex()}=7")
    ]
    refused = consortium.run("plan", *both, "--threshold", "2", "-o", other)
    assert "Operator 7" in refused["error"]["what"]


def test_people_see_who_follows_and_what_to_do_next(consortium: Consortium) -> None:
    consortium.plan()
    told = runner.invoke(
        app,
        ["committee", "sign", str(consortium.file), "--config", str(consortium.config),
         "--keystore", str(consortium.folder / "member-0.json")],
        env={"COLUMNS": "200"},
    ).output  # fmt: skip
    assert all(f"0x{s.account.hex()}" in told for s in consortium.successors)
    assert "caimi committee sign" in told
    assert "correct horse" not in told
