"""Commands that administer or are paid on ledgers of two families act on each by its own key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.keystore import LocalSigner
from caimi.messaging.checkpoint import make_committee
from two_families import EVM, FAR, TwoFamilies, two_families

HOUR = 3600


@dataclass
class Administrator:
    """Alice, who has a key on each of two ledgers, and the keystores of their committee."""

    world: TwoFamilies
    keystores: list[Path]

    @property
    def folder(self) -> Path:
        return self.world.config.parent

    def run(self, *arguments: str) -> dict[str, object]:
        command = [*arguments, "--config", str(self.world.config), "--json"]
        done = CliRunner().invoke(app, command)
        document: dict[str, object] = json.loads(done.output)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def signed_handover(self) -> str:
        """Plan a hand-over to a new committee, and have the present one sign it."""
        file = str(self.folder / "next.json")
        named = [f"--member=0x{LocalSigner.generate().account.hex()}" for _ in range(2)]
        self.run("committee", "plan", *named, "--threshold", "2", "-o", file)
        for keystore in self.keystores:
            self.run("committee", "sign", file, "--keystore", str(keystore))
        return file

    def epochs(self) -> dict[str, int]:
        found = self.run("committee", "show")["committees"]
        return {each["ledger"]: each["committee"]["epoch"] for each in found}

    def calls_on_far(self) -> int:
        return self.world.chain.count(self.world.people["alice"].signer_on(FAR))


@pytest.fixture
def administrator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Administrator]:
    members = [LocalSigner.generate() for _ in range(2)]
    keystores = [tmp_path / f"member-{at}.json" for at, _ in enumerate(members)]
    for member, keystore in zip(members, keystores, strict=True):
        member.save(keystore, b"correct horse", scrypt_n=2)
    committee = make_committee(0, 2, [each.account for each in members])
    with two_families(tmp_path, monkeypatch, ("alice",), committee) as world:
        yield Administrator(world, keystores)


def test_a_hand_over_is_brought_to_each_ledger_by_its_own_key(administrator: Administrator) -> None:
    file = administrator.signed_handover()
    applied = administrator.run("committee", "apply", file, "-k", "alice")
    assert [each["outcome"] for each in applied["clients"]] == ["handed over"] * 2
    assert administrator.epochs() == {EVM: 1, FAR: 1}
    assert administrator.calls_on_far() == 1


def test_without_a_key_on_one_ledger_a_hand_over_is_brought_to_none(
    administrator: Administrator,
) -> None:
    file = administrator.signed_handover()
    (administrator.folder / "keys" / "alice.word").unlink()
    refused = administrator.run("committee", "apply", file, "-k", "alice")["error"]
    assert refused["code"] == "CAIMI-C004"
    assert f"caimi keys new alice --ledger {FAR}" in str(refused)
    assert administrator.epochs() == {EVM: 0, FAR: 0}


def test_fees_are_paid_given_back_and_withdrawn_by_the_account_of_their_ledger(
    administrator: Administrator,
) -> None:
    world = administrator.world
    far, alice, client = world.far, world.people["alice"], world.clients[FAR]

    async def send() -> None:
        key, registry = alice.signer_on(FAR), far.registry
        await far.submit(registry.publish("m", "1.0.0", b"\1" * 32), key)
        model = registry.model_id(alice.account(FAR), "m")
        await far.submit(registry.approve(model, far.bridge.account), key)
        timeout = (await far.head()).time + HOUR
        await far.submit(far.bridge.send(client, model, alice.account(EVM), timeout), key)

    def owed() -> int:
        return asyncio.run(far.fees.owed(alice.account(FAR))).units

    asyncio.run(send())
    packet, of, by = (client, "1"), ("-l", "far", "-k", "alice"), ("--relayer", "somebody")
    administrator.run("fees", "pay", *packet, "7", *by, *of)
    world.chain.advance(31 * 24 * HOUR)
    parties = (*by, "--payer", "alice", "--abandoned")
    administrator.run("fees", "refund", *packet, *parties, *of)
    assert owed() == 7
    (due,) = administrator.run("earnings", "-k", "alice")["earnings"]
    assert (due["ledger"], due["source"], due["units"]) == (FAR, "fees", "7")
    (paid,) = administrator.run("withdraw", "-k", "alice")["withdrawn"]
    assert (paid["ledger"], paid["source"]) == (FAR, "fees")
    assert owed() == 0


def test_what_is_owed_elsewhere_is_paid_out_where_one_ledger_has_no_key(
    administrator: Administrator,
) -> None:
    (administrator.folder / "keys" / "alice.word").unlink()
    assert administrator.run("withdraw", "-k", "alice")["withdrawn"] == []
    refused = administrator.run("withdraw", "-k", "alice", "-l", "far")["error"]
    assert refused["code"] == "CAIMI-C004"
