"""`caimi deploy` and `caimi route` are the same for a ledger in a file, of another distribution."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from embedded_node import node_of
from offered_example import offer_example

runner = CliRunner()
COIN = 10**18
MEMBERS = [f"0x{LocalSigner.generate().account.hex()}" for _ in range(3)]
COMMITTEE = [word for each in MEMBERS for word in ("--member", each)] + ["--signers", "2"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    offer_example(tmp_path / "installed", monkeypatch)
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    file = tmp_path / "caimi.toml"
    lite = (
        '[[ledgers]]\nid = "local:lite"\nname = "lite"\nfamily = "sqlite"\n'
        f'file = "{tmp_path / "lite.sqlite"}"\n'
    )
    file.write_text(lite)
    deployer = Keyring(load_config(file)).new("deployer")
    Keyring(load_config(file)).new("stranger")
    chain = EmbeddedChain(31337, {deployer.signer.account: 100 * COIN})
    with node_of(chain) as url:
        file.write_text(
            f'{lite}[[ledgers]]\nid = "eip155:31337"\nname = "evm"\nrpc = "{url}"\n'
            'finality = "depth:0"\n'
        )
        yield file


def run(config: Path, *words: str) -> dict[str, Any]:
    done = runner.invoke(app, [*words, "--config", str(config), "--json"], catch_exceptions=False)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["ok"] == (done.exit_code == 0), document
    return document


def test_ledgers_of_two_families_are_deployed_on_and_joined(config: Path) -> None:
    text = config.read_text()
    planned = run(config, "deploy", "lite", "--plan", "-k", "deployer")["plan"]
    assert planned["most"] is None
    assert run(config, "deploy", "lite", "--yes", "-k", "deployer")["deployed"]
    assert config.read_text() == text  # such a section says all from the start
    assert not run(config, "deploy", "lite", "--yes", "-k", "deployer")["deployed"]
    assert run(config, "deploy", "evm", "--yes", "-k", "deployer")["deployed"]

    add = ["route", "add", "evm", "lite", *COMMITTEE, "--yes"]
    assert run(config, *add, "-k", "stranger")["error"]["code"] == "CAIMI-L062"
    proofs = run(config, *add, "--client", "storage-proof", "-k", "deployer")["error"]
    assert proofs["code"] == "CAIMI-L062"
    joined = run(config, *add, "-k", "deployer")["clients"]
    assert set(joined) == {"eip155:31337", "local:lite"}
    listed = run(config, "route", "list")["routes"]
    assert [each["joined"] for each in listed] == [True, True]
    refused = run(config, "route", "remove", "evm", "lite", "--yes", "-k", "deployer")["error"]
    assert refused["code"] == "CAIMI-L047"
    assert [each["paused"] for each in run(config, "route", "list")["routes"]] == [False] * 2
