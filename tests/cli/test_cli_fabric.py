"""`caimi fabric`: packages, terms and a channel's name, without asking any peer."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.ledgers.fabric.local.network import lay_out
from caimi.ledgers.machine.ed25519_keys import Ed25519Key

LEDGER = "fabric:00112233445566778899aabbccddeeff"


def run(*words: object) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["fabric", *map(str, words), "--json"], catch_exceptions=False)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["ok"] == (done.exit_code == 0)
    return document


def account() -> str:
    return Ed25519Key().account.decode()


def test_a_package_is_for_its_owner_alone_and_the_same_each_time(tmp_path: Path) -> None:
    parts = {name: tmp_path / name for name in ("roots", "certificate", "key")}
    for name, file in parts.items():
        file.write_text(f"-----{name}-----")
    words = ["package", "cc.example:7052", "--roots", parts["roots"]]
    words += ["--peer-certificate", parts["certificate"], "--peer-key", parts["key"]]
    output = tmp_path / "caimi.tar.gz"
    made = run(*words, "--output", output)
    first = output.read_bytes()
    assert run(*words, "--output", output)["id"] == made["id"]
    assert output.read_bytes() == first
    assert output.stat().st_mode & 0o777 == 0o600
    with tarfile.open(output) as outer:
        assert outer.getnames() == ["metadata.json", "code.tar.gz"]
        assert json.load(outer.extractfile("metadata.json")) == {"type": "ccaas", "label": "caimi"}
        with tarfile.open(fileobj=io.BytesIO(outer.extractfile("code.tar.gz").read())) as inner:
            assert inner.getnames() == ["connection.json"]
            said = json.load(inner.extractfile("connection.json"))
    assert said["address"] == "cc.example:7052"
    assert said["client_auth_required"] is True
    assert run("package", "nowhere", *words[2:], "--output", output)["error"]["code"] == (
        "CAIMI-F026"
    )
    assert output.read_bytes() == first


def test_terms_are_written_shown_and_compared(tmp_path: Path) -> None:
    file, who, stops, issuer = tmp_path / "terms.toml", account(), account(), account()
    words = ["terms", LEDGER, "--administrator", who, "--output", file]
    plain = run(*words)
    assert (plain["administrator"], plain["guardian"], plain["accounting"]) == (who, who, None)
    told = run(*words, "--guardian", stops, "--issuer", issuer, "--symbol", "CHF")
    assert told["accounting"] == {"issuer": issuer, "symbol": "CHF", "decimals": 2}
    assert told["fingerprint"] != plain["fingerprint"]
    assert run("show", file) == told


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (["eip155:1", "--administrator", "ACCOUNT"], "CAIMI-C020"),
        ([LEDGER, "--administrator", "nobody"], "CAIMI-F055"),
        ([LEDGER, "--administrator", "ACCOUNT", "--guardian", "0x00"], "CAIMI-F055"),
        (
            [LEDGER, "--administrator", "ACCOUNT", "--issuer", "ACCOUNT", "--symbol", "a b"],
            "CAIMI-C020",
        ),
    ],
)
def test_terms_that_are_none_are_not_written(changed: list[str], code: str, tmp_path: Path) -> None:
    file = tmp_path / "terms.toml"
    who = account()
    words = [who if each == "ACCOUNT" else each for each in changed]
    assert run("terms", *words, "--output", file)["error"]["code"] == code
    assert not file.exists()


def test_a_channel_is_named_by_its_first_block_alone(tmp_path: Path) -> None:
    layout = lay_out(tmp_path / "network", first_port=21_200)
    told = run("channel", layout.genesis)
    assert told["ledger"].startswith("fabric:")
    assert told["organisations"] == ["Org1MSP", "Org2MSP"]
    cut = tmp_path / "cut.block"
    cut.write_bytes(layout.genesis.read_bytes()[:-10])
    assert run("channel", cut)["error"]["code"].startswith("CAIMI-F0")
