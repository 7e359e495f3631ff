"""`caimi init` writes a configuration that works for the chosen ledgers, or says why not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from payer import Payer, runner, two_ledgers

from caimi.cli.app import app
from caimi.composition.config_file import with_added
from caimi.config import load_config
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from embedded_node import node_of


class Killed(BaseException):
    """The process ends here."""


ACCOUNT = f"0x{'11' * 20}"


@pytest.fixture
def payer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payer]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    there = tmp_path / "there"
    there.mkdir()
    with two_ledgers(there) as payer:
        yield payer


@pytest.fixture
def node() -> Iterator[str]:
    with node_of(EmbeddedChain(31340, {})) as url:
        yield url


def init(folder: Path, *words: str) -> dict[str, object]:
    ended = runner.invoke(app, ["init", str(folder), *words, "--json"])
    document: dict[str, object] = json.loads(ended.output)
    assert document["ok"] == (ended.exit_code == 0)
    return document


def refused(folder: Path, *words: str) -> dict[str, str]:
    document = init(folder, *words)
    assert not document["ok"]
    assert not (folder / "caimi.toml").exists()
    return document["error"]


@pytest.mark.parametrize("how", ["{}", "eip155:31340@{}", "main=eip155:31340@{}"])
def test_a_node_is_asked_which_ledger_it_serves_and_deploying_there_comes_next(
    tmp_path: Path, node: str, how: str
) -> None:
    told = init(tmp_path, "--ledgers", how.format(node))
    name = "main" if how.startswith("main") else "a"
    assert told["ledgers"] == [{"id": "eip155:31340", "name": name}]
    assert told["missing"] == [name]
    assert f"caimi deploy {name} -k alice" in told["next"]
    (place,) = load_config(tmp_path / "caimi.toml").places
    assert (place.id, place.name) == ("eip155:31340", name)
    assert place.told == {"rpc": node, "finality": "finalized"}
    text = (tmp_path / "caimi.toml").read_text()
    added = {"deployed_at": 1, "contracts": {"gateway": ACCOUNT}}
    assert "[ledgers.contracts]" in with_added(text, place.id, added)  # as `caimi deploy` does


def test_another_configuration_is_taken_with_what_is_public_of_it(
    tmp_path: Path, payer: Payer, node: str
) -> None:
    said = payer.config.read_text()
    token = f'[[assets]]\nsymbol = "EURX"\nledger = "b"\naddress = "0x{"11" * 20}"\ndecimals = 6\n'
    committee = (
        f'[committee]\ngroup_key = "0x{"02" * 33}"\n[[committee.custodians]]\nindex = 1\n'
        f'url = "https://127.0.0.1:1"\naccount = "0x{"11" * 20}"\ntrust = "one.pem"\n'
    )
    secret = '[database]\nurl = "postgresql://me:secret@db/caimi"\n'
    carried = '[delivery]\nmode = "service"\n'
    payer.config.write_text(said + token + committee + secret + carried)
    told = init(tmp_path, "--ledgers", f"{payer.config.parent},{node}")
    assert [each["name"] for each in told["ledgers"]] == ["a", "b", "c"]
    assert told["missing"] == ["c"]
    was, now = load_config(payer.config), load_config(tmp_path / "caimi.toml")
    assert now.ledgers == was.ledgers
    assert [(each.symbol, each.ledger) for each in now.assets] == [("EURX", "eip155:31338")]
    assert now.committee.group_key == was.committee.group_key
    (custodian,) = now.committee.custodians
    assert custodian.trust == str(payer.config.parent / "one.pem")
    assert now.delivery.mode == "service"  # whoever keeps that network carries its packets
    assert now.path(now.store.path) == was.path(was.store.path)
    assert now.database is None
    assert "secret" not in (tmp_path / "caimi.toml").read_text()


def test_of_two_stores_neither_is_taken(tmp_path: Path, payer: Payer) -> None:
    ledgers = payer.config.read_text().split("[[ledgers]]")
    for name, ledger in (("one", ledgers[1]), ("other", ledgers[2])):
        (tmp_path / name).mkdir()
        store = f'[store]\npath = "{name}"\n'
        (tmp_path / name / "caimi.toml").write_text(f"{store}[[ledgers]]{ledger}")
    init(tmp_path, "--ledgers", f"{tmp_path / 'one'},{tmp_path / 'other'}")
    assert load_config(tmp_path / "caimi.toml").store.path == "store"


def test_what_deploy_printed_is_taken(tmp_path: Path, payer: Payer) -> None:
    (section, _) = load_config(payer.config).ledgers
    file = tmp_path / "deployed.json"
    said = section.model_dump(mode="json", exclude_none=True)
    file.write_text(json.dumps({"ok": True, "deployed": True, "ledger": said}))
    told = init(tmp_path, "--ledgers", f"mine={file}")
    assert (told["ledgers"], told["missing"]) == ([{"id": section.id, "name": "mine"}], [])
    checks = runner.invoke(app, ["doctor", "--config", str(tmp_path / "caimi.toml"), "--json"])
    found = json.loads(checks.output)["checks"]
    assert not [each for each in found if each["state"] == "wrong" and "mine" in each["subject"]]


@pytest.mark.parametrize(
    ("chosen", "code", "said"),
    [
        ("anvil", "CAIMI-C020", "devnet up --ledgers anvil"),
        ("embedded", "CAIMI-C020", "caimi demo --ledgers embedded"),
        ("", "CAIMI-C020", "neither a URL"),
        ("ftp://127.0.0.1", "CAIMI-C020", "neither a URL"),
        ("http://127.0.0.1:1", "CAIMI-C093", "node runs"),
        ("http://me:secret@127.0.0.1:1/", "CAIMI-C093", "node runs"),
        ("eip155:1@{node}", "CAIMI-C093", "eip155:31340 answers"),
        ("{node},{node}", "CAIMI-C020", "id eip155:31340"),
        ("{broken}", "CAIMI-C020", "deploy --json"),
        ("{empty}", "CAIMI-C020", "tells of no ledger"),
        ("x" * 5000, "CAIMI-C020", "neither a URL"),
    ],
)
def test_what_cannot_be_begun_with_is_named_and_nothing_is_written(
    tmp_path: Path, node: str, chosen: str, code: str, said: str
) -> None:
    for name, text in (("broken", "{"), ("empty", '{"ledger": {"id": "eip155:1"}, "ok": 1}')):
        (tmp_path / f"{name}.json").write_text(text)
    files = {name: tmp_path / f"{name}.json" for name in ("broken", "empty")}
    error = refused(tmp_path / "new", "--ledgers", chosen.format(node=node, **files))
    assert said in f"{error['what']} {error['next']}"
    assert "secret" not in str(error)
    assert error["code"] == code
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("access", ["link", "fsync"])
def test_killed_while_it_writes_the_earlier_file_is_there_or_all_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, access: str
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    file = tmp_path / "caimi.toml"
    monkeypatch.setattr(os, access, die)
    for words in ([], ["--force"]):
        with pytest.raises(Killed):
            runner.invoke(app, ["init", str(tmp_path), *words])
        assert not file.exists()
    file.write_text("# first\n")
    with pytest.raises(Killed):
        runner.invoke(app, ["init", str(tmp_path), "--force"])
    assert file.read_text() == "# first\n"


def test_a_file_is_replaced_only_where_that_is_asked_for_and_kept(
    tmp_path: Path, node: str
) -> None:
    file = tmp_path / "caimi.toml"
    for number, text in enumerate(("# first\n", "# second\n"), start=1):
        file.write_text(text)
        assert init(tmp_path, "--ledgers", node)["error"]["code"] == "CAIMI-C021"
        assert init(tmp_path)["error"]["code"] == "CAIMI-C021"
        assert file.read_text() == text
        assert init(tmp_path, "--ledgers", "http://127.0.0.1:1", "--force")["ok"] is False
        assert file.read_text() == text
        told = init(tmp_path, "--ledgers", node, "--force")
        assert told["kept"] == f"{file}.{number}"
        assert Path(told["kept"]).read_text() == text
    assert not [*tmp_path.glob(".caimi-*")]
    (tmp_path / ".caimi").mkdir()
    assert "devnet up" in init(tmp_path)["error"]["next"]
