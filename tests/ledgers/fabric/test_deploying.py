"""Two organisations put CAIMI on their channel by the command line, each its own part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from consortium import Consortium, Home, two_organisations

from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.journal import Journal
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from embedded_node import node_of

DEPLOY = ("deploy", "consortium", "-k", "operator", "--yes")
MEMBERS = [f"0x{LocalSigner.generate().account.hex()}" for _ in range(3)]
COMMITTEE = [word for each in MEMBERS for word in ("--member", each)] + ["--signers", "2"]


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[Consortium]:
    with two_organisations(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """One that has an accounting asset, issued by the first organisation's operator."""
    with two_organisations(tmp_path_factory.mktemp("founded")) as found:
        found.begin(issuer=True)
        for home in found.homes:
            home.serve(home.package())
        first, second = found.homes
        assert first.refused(*DEPLOY)["code"] == "CAIMI-F045"
        assert second.refused(*DEPLOY)["code"] == "CAIMI-F049"
        for home in found.homes:
            assert home.run(*DEPLOY)["deployed"]
        yield found


def account_of(home: Home, ledger: str) -> str:
    listed = home.run("keys", "show", "operator")["accounts"]
    (account,) = (each["account"] for each in listed if each["ledger"] == ledger)
    return str(account)


@pytest.mark.timeout(240)
def test_each_organisation_does_its_part_until_the_ledger_is_founded(
    consortium: Consortium,
) -> None:
    first, second = consortium.homes
    told = first.run("fabric", "channel", str(consortium.block))
    assert told["ledger"] == consortium.ledger
    assert told["organisations"] == ["Org1MSP", "Org2MSP"]
    consortium.begin()
    ours, theirs = first.package(), second.package()
    assert first.package() == ours != theirs

    waits = first.refused(*DEPLOY)
    assert waits["code"] == "CAIMI-F045"
    assert "Org2MSP" in waits["what"]
    assert "approveformyorg --channelID caimi --name caimi --version 1" in waits["next"]
    assert first.refused(*DEPLOY)["code"] == "CAIMI-F045"  # and again, with nothing done twice

    silent = second.refused(*DEPLOY)  # it approves and commits, and nothing answers
    assert silent["code"] == "CAIMI-F047"
    assert theirs in silent["next"]

    other = second.folder / "other.toml"
    words = ("--administrator", account_of(second, consortium.ledger).rpartition(":")[2])
    second.run("fabric", "terms", consortium.ledger, *words, f"--output={other}")
    serving = [first.serve(ours), second.serve(theirs, other)]
    assert first.refused(*DEPLOY)["code"] == "CAIMI-F048"  # the second agreed to other terms
    assert second.stop(serving.pop()) == 0
    serving.append(second.serve(theirs))

    assert second.refused(*DEPLOY)["code"] == "CAIMI-F049"  # it is not whom the terms name
    terms = first.run("fabric", "show", str(first.terms))["fingerprint"]
    assert first.run(*DEPLOY)["ledger"]["terms"] == terms
    assert second.run(*DEPLOY)["deployed"]
    assert f'terms = "{terms}"' in second.config.read_text()
    assert first.run("deploy", "consortium", "-k", "operator")["ok"]  # all is as it was left
    ended = [home.stop(each) for home, each in zip(consortium.homes, serving, strict=True)]
    assert ended == [0, 0]


@pytest.mark.timeout(240)
def test_the_issuer_alone_makes_what_whoever_has_it_redeems(founded: Consortium) -> None:
    first, second = founded.homes
    theirs = account_of(second, founded.ledger)
    on = ("-l", "consortium", "-k", "operator")
    planned = first.run("asset", "mint", "100", "EUR", theirs, *on, "--plan")["plan"]
    assert len(planned["steps"]) == 1
    assert second.run("balance", *on)["balances"][0]["amount"] == "0"
    assert first.refused("asset", "mint", "100", "EUR", theirs, *on)["code"] == "CAIMI-C071"
    assert first.refused("asset", "mint", "1", "USD", theirs, *on, "--yes")["code"] == "CAIMI-C020"
    assert first.run("asset", "mint", "100", "EUR", theirs, *on, "--yes")["tx"]
    assert second.run("balance", *on)["balances"][0]["amount"] == "100"
    not_the_issuer = second.refused("asset", "mint", "1", "EUR", theirs, *on, "--yes")
    assert "NotTheIssuer" in not_the_issuer["what"]
    redeem = ("asset", "redeem", "12.50", "EUR", "--reference", "invoice-7", *on, "--yes")
    assert second.run(*redeem)["tx"]
    assert second.run("balance", *on)["balances"][0]["amount"] == "87.5"
    assert first.run("asset", "show", "-l", "consortium")["supply"] == "87.5"


class KilledHere(BaseException):
    """Ends the command where a kill would."""


@pytest.mark.timeout(240)
def test_a_route_to_an_evm_ledger_is_added_once_however_often_it_is_killed(
    founded: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = founded.homes
    for name, value in first.environment.items():
        monkeypatch.setenv(name, value)
    keyring = Keyring(load_config(first.config))
    rich = {bytes.fromhex(keyring.account("operator").removeprefix("0x")): 100 * 10**18}
    with node_of(EmbeddedChain(31337, rich)) as url:
        market = f'[[ledgers]]\nid = "eip155:31337"\nname = "market"\nrpc = "{url}"\n'
        text = first.config.read_text()
        first.config.write_text(f'{text}\n{market}finality = "depth:0"\n')
        assert first.run("deploy", "market", "-k", "operator", "--yes")["deployed"]
        add = ("route", "add", "market", "consortium", *COMMITTEE, "-k", "operator", "--yes")
        real = Journal.record
        for run in range(40):

            async def record(
                self: Journal, key: str, call: object, *, written: bool = bool(run % 2)
            ) -> None:
                if written:
                    await real(self, key, call)
                raise KilledHere

            with monkeypatch.context() as killing:
                killing.setattr(Journal, "record", record)
                try:
                    assert first.run(*add)["added"]
                except KilledHere:
                    continue
                break
        else:
            pytest.fail("no end")
        assert run >= 6
        listed = first.run("route", "list")["routes"]
        assert [each["joined"] for each in listed] == [True, True]
        assert not first.run(*add)["added"]
        first.config.write_text(text)
