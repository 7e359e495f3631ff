"""The shell is offered what files of this machine tell: no ledger is asked, nothing is printed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from payer import Payer
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.ledgers.port import Account

runner = CliRunner()
CONFIG = """
[[ledgers]]
id = "eip155:1"
name = "main"
[profiles.test]
keys.directory = "others"
[profiles.trial]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CAIMI_CONFIG", raising=False)
    monkeypatch.delenv("CAIMI_PROFILE", raising=False)
    (tmp_path / "caimi.toml").write_text(CONFIG)
    for folder, name in (("keys", "alice"), ("keys", "albert"), ("keys", "bob"), ("others", "al")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.json").write_text("no key at all")
        (tmp_path / folder / f"{name}.signing.pem").write_text("")
    return tmp_path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "here" not in request.fixturenames:
        return

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def offered(*words: str) -> list[str]:
    """Give what is offered for the last of these words."""
    line = {"_CAIMI_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": " ".join(("caimi", *words))}
    done = runner.invoke(
        app, [], prog_name="caimi", env={**line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    assert done.stderr == ""
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return [each.partition("\t")[0] for each in done.stdout.splitlines() if each]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["balance", "-k", "al"], ["albert", "alice"]),
        (["keys", "show", "b"], ["bob"]),
        (["keys", "rename", "b"], ["bob"]),
        (["service", "relayer", "--key", "al"], ["albert", "alice"]),
        (["balance", "--profile", "test", "-k", "al"], ["al"]),
        (["search", "--profile", "t"], ["test", "trial"]),
        (["search", "-l", "m"], ["main"]),
        (["search", "-l", "eip155"], ["eip155:1"]),
        (["keys", "new", "--ledger", "m"], ["main"]),
        (["governance", "show", "-l", "m"], ["main"]),
        (["sea"], ["search"]),
        (["keys", "ren"], ["rename"]),
    ],
    ids=str,
)
def test_names_are_offered(here: Path, words: list[str], names: list[str]) -> None:
    assert offered(*words) == names


@pytest.mark.parametrize(
    "wrong", ["= 1", "keys = {directory = 3}\nledgers = 7\nprofiles = 1\n", None]
)
@pytest.mark.parametrize(
    "words",
    [["balance", "-k", "a"], ["search", "-l", "m"], ["show", "c"], ["search", "--profile", "t"]],
)
def test_what_is_wrong_with_a_file_is_no_error(
    here: Path, wrong: str | None, words: list[str]
) -> None:
    if wrong is None:
        (here / "caimi.toml").unlink()
        (here / "caimi.toml").mkdir()
    else:
        (here / "caimi.toml").write_text(wrong)
    models = here / "home" / ".cache" / "caimi" / "models"
    models.mkdir(parents=True)
    (models / "aa.sqlite").write_bytes(b"no database " * 100)
    assert offered(*words) == []


def test_models_are_offered_once_a_search_has_heard_of_them(
    payer: Payer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    ledger, signer = payer.ledger, Keyring(load_config(payer.config)).open("a").signer
    model = ledger.registry.model_id(Account(ledger.id, signer.account), "mine")
    uri = f"caimi:{ledger.id}:0x{model.hex()}"
    at = ["--config", str(payer.config)]
    assert offered("show", "cai") == []

    async def publish() -> None:
        await ledger.submit(ledger.registry.publish("mine", "1.0.0", b"\x11" * 32), signer)
        await ledger.submit(ledger.registry.set_alias(model, "production", "1.0.0"), signer)

    asyncio.run(publish())
    assert payer.run("search", "mine")["models"]
    assert offered("show", "caimi:eip155:3133") == [
        uri,
        f"{uri}@production",
        f"{uri}@1.0.0",
    ]
    assert offered("history", *at, uri, "--alias", "pro") == ["production"]
