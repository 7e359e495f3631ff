"""`caimi grant` and `caimi revoke`: whose licence it is is said as elsewhere, on two families."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account, LedgerId
from caimi.messaging.checkpoint import make_committee
from caimi.uri import ModelUri
from two_families import EVM, FAR, TwoFamilies, two_families

MISTYPED = "0x52908400098527886E0F7030069857D2E4169Ee7"
"""An account whose checksum does not hold."""


class Office:
    """Alice's, who has published a model on each of two ledgers; bob and carol have keys there."""

    def __init__(self, world: TwoFamilies) -> None:
        self.world = world
        self.uris: dict[LedgerId, str] = {}
        alice = world.people["alice"]

        async def publish(ledger_id: LedgerId) -> str:
            ledger = world.ledgers[ledger_id]
            call = ledger.registry.publish("m", "1.0.0", b"\1" * 32)
            await ledger.submit(call, alice.signer_on(ledger_id))
            model = ledger.registry.model_id(alice.account(ledger_id), "m")
            return str(ModelUri(ledger_id, model, "1.0.0"))

        for each in world.ledgers:
            self.uris[each] = asyncio.run(publish(each))

    def say(self, *arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--config", str(self.world.config)])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    def run(self, *arguments: str) -> dict[str, object]:
        command = [*arguments, "--config", str(self.world.config), "--json"]
        done = CliRunner().invoke(app, command)
        document: dict[str, object] = json.loads(done.output)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def account(self, name: str, ledger: LedgerId) -> Account:
        return self.world.people[name].account(ledger)

    def text(self, name: str, ledger: LedgerId) -> str:
        accounts = self.world.ledgers[ledger].accounts
        return accounts.text(self.account(name, ledger))

    def live(self, home: LedgerId, reader: Account) -> bool:
        model = ModelUri.parse(self.uris[home]).model_id
        market = self.world.ledgers[home].market
        return asyncio.run(market.licence(model, "1.0.0", reader)).live


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    # A chain in memory begins like any other of its name: what is known of an earlier one fits it.
    monkeypatch.setenv("HOME", str(tmp_path))
    committee = make_committee(0, 2, [LocalSigner.generate().account for _ in range(2)])
    with two_families(tmp_path, monkeypatch, ("alice", "bob", "carol"), committee) as world:
        yield Office(world)


@pytest.mark.parametrize("home", [EVM, FAR])
def test_a_licence_is_granted_listed_and_revoked(office: Office, home: LedgerId) -> None:
    uri, named = office.uris[home], f"{home}:{office.text('bob', home)}"
    given = office.run("grant", uri, "--to", "bob", "-k", "alice")
    assert (given["uri"], given["consumer"], given["ledger"]) == (uri, named, home)
    (held,) = office.run("licences", "-k", "bob")["licences"]
    assert (held["uri"], held["consumer"], held["live"]) == (uri, named, True)
    assert office.run("grant", uri, "--to", "bob", "-k", "alice")["error"]["code"] == "CAIMI-C011"
    told = office.say("revoke", uri, "--from", "bob", "-k", "alice")
    assert f"Revoked uri {uri} consumer {named}" in told
    assert str(given["licence_id"]) in told
    assert office.run("licences", "-k", "bob")["licences"][0]["live"] is False
    assert "REVOKED" in office.say("licences", "-k", "bob")
    again = office.run("revoke", uri, "--from", "bob", "-k", "alice")["error"]
    assert again["code"] == "CAIMI-C094"
    assert "Granted uri" in office.say("grant", uri, "--to", "bob", "-k", "alice")
    assert office.live(home, office.account("bob", home))


@pytest.mark.parametrize("home", [EVM, FAR])
@pytest.mark.parametrize("form", ["address", "CAIP-10 id", "address with -l", "name with -l"])
def test_an_account_of_either_ledger_is_named_in_each_form(
    office: Office, home: LedgerId, form: str
) -> None:
    other = FAR if home == EVM else EVM
    where = home if form == "address" else other
    bob, short = office.text("bob", where), "far" if other == FAR else str(EVM)
    words = {
        "address": (bob,),
        "CAIP-10 id": (f"{where}:{bob}",),
        "address with -l": (bob, "-l", short),
        "name with -l": ("bob", "-l", short),
    }[form]
    given = office.run("grant", office.uris[home], "-k", "alice", "--to", *words)
    assert given["consumer"] == f"{where}:{bob}"
    assert office.live(home, office.account("bob", where))
    taken = office.run("revoke", office.uris[home], "-k", "alice", "--from", *words)
    assert (taken["consumer"], taken["licence_id"]) == (given["consumer"], given["licence_id"])
    assert not office.live(home, office.account("bob", where))


@pytest.mark.parametrize("home", [EVM, FAR])
def test_who_does_not_own_the_model_grants_and_revokes_nothing(
    office: Office, home: LedgerId
) -> None:
    uri = office.uris[home]
    for words in (("grant", uri, "--to", "bob"), ("revoke", uri, "--from", "carol")):
        if words[0] == "revoke":
            office.run("grant", uri, "--to", "carol", "-k", "alice")
        refused = office.run(*words, "-k", "bob")["error"]
        assert refused["code"] == "CAIMI-C015"
        assert office.text("alice", home) in str(refused["what"])
    assert not office.live(home, office.account("bob", home))
    assert office.live(home, office.account("carol", home))


def test_nothing_is_granted_to_who_is_no_account(office: Office) -> None:
    uri = office.uris[EVM]
    for words, code in (
        (("dave",), "CAIMI-C020"),
        (("0x77",), "CAIMI-C020"),
        ((MISTYPED,), "CAIMI-C020"),
        ((f"{EVM}:{MISTYPED}",), "CAIMI-U003"),
        ((f"{EVM}:{office.text('bob', EVM)}", "-l", "far"), "CAIMI-C020"),
        ((f"eip155:9:{MISTYPED.lower()}",), "CAIMI-C003"),
        (("bob", "-l", "nowhere"), "CAIMI-C003"),
    ):
        refused = office.run("grant", uri, "-k", "alice", "--to", *words)
        assert refused["error"]["code"] == code, words
    model = ModelUri.parse(uri).model_id
    assert asyncio.run(office.world.evm.market.tally(model))[0] == 0
    refused = office.run("revoke", uri.partition("@")[0], "--from", "bob", "-k", "alice")
    assert refused["error"]["code"] == "CAIMI-C020"
