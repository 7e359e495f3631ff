"""Keys of every kind of ledgers are made, taken from files, shown and bound by one command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import word_family
from caimi.cli.app import app
from caimi.keystore import LocalSigner

CONFIG = """
[[ledgers]]
id = "eip155:1"
name = "a"
rpc = "http://127.0.0.1:1"
deployed_at = 0
[ledgers.contracts]
gateway = "0x1111111111111111111111111111111111111111"
"""
FAR = '[[ledgers]]\nid = "local:far"\nname = "far"\nfamily = "word"\n'
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    word_family.install(tmp_path / "installed", monkeypatch)
    config = tmp_path / "caimi.toml"
    config.write_text(CONFIG + FAR)

    def keys(*arguments: str, status: int = 0) -> dict[str, Any]:
        command = ["keys", *arguments, "--config", str(config), "--json"]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == status, done.output
        return json.loads(done.output)

    return keys


def test_a_name_is_shown_with_its_account_on_each_ledger(run: Run) -> None:
    own = run("new", "alice")["account"]
    shown = run("show")
    assert (shown["name"], shown["account"]) == ("alice", own)
    assert shown["accounts"] == [
        {"ledger": "eip155:1", "account": f"eip155:1:{own}", "bound": 0},
        {"ledger": "local:far", "account": "local:far:alice", "bound": 0},
    ]
    assert run("show", "bob", status=1)["error"]["code"] == "CAIMI-C004"


def test_accounts_are_bound_for_anyone_to_check(run: Run, tmp_path: Path) -> None:
    run("new", "alice")
    bound = run("bind", "alice")
    assert bound["accounts"][1] == "local:far:alice"
    assert [each["bound"] for each in run("show")["accounts"]] == [1, 1]
    file = Path(bound["file"])
    file.write_text(file.read_text().replace('"issued_at": 1', '"issued_at": 2'))
    assert run("show", status=1)["error"]["code"] == "CAIMI-C060"


def test_a_name_with_an_account_on_one_ledger_binds_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "caimi.toml").write_text(CONFIG)
    run("new", "alice")
    assert run("bind", status=1)["error"]["code"] == "CAIMI-C020"


def test_a_key_for_a_ledger_that_was_added_later_is_made_on_its_own(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "caimi.toml").write_text(CONFIG)
    own = run("new", "alice")["account"]
    (tmp_path / "caimi.toml").write_text(CONFIG + FAR)
    assert run("show")["accounts"][1]["account"] is None
    made = run("new", "alice", "--ledger", "far")
    assert made["account"] == "local:far:alice"
    assert run("show")["account"] == own
    assert run("new", "alice", "--ledger", "far", status=1)["error"]["code"] == "CAIMI-C005"
    assert run("new", "alice", "--ledger", "a", status=1)["error"]["code"] == "CAIMI-C005"


def test_a_keystore_of_other_tools_is_taken_with_its_own_passphrase(
    run: Run, tmp_path: Path
) -> None:
    theirs, secret = LocalSigner.generate(), tmp_path / "their-passphrase"
    theirs.save(tmp_path / "UTC--x.json", b"their horse", scrypt_n=2)
    secret.touch(mode=0o600)
    secret.write_text("their horse")
    file, opened_by = str(tmp_path / "UTC--x.json"), ("--opened-by", str(secret))
    assert run("import", "alice", file, status=1)["error"]["code"] == "CAIMI-C006"
    assert run("list")["keys"] == []
    taken = run("import", "alice", file, *opened_by)
    assert bytes.fromhex(taken["account"][2:]) == theirs.account
    kept = LocalSigner.load(tmp_path / "keys" / "alice.json", b"correct horse")
    assert kept.account == theirs.account
    assert run("import", "alice", file, *opened_by, status=1)["error"]["code"] == "CAIMI-C005"


def test_a_ledgers_own_kind_of_key_is_taken_from_its_file(run: Run, tmp_path: Path) -> None:
    word_family.WORDS.keys.generate("wonderland").save(tmp_path / "w", b"correct horse")
    run("new", "alice")
    (tmp_path / "keys" / "alice.word").unlink()
    taken = run("import", "alice", str(tmp_path / "w"), "--ledger", "far")
    assert taken["account"] == "local:far:wonderland"


def test_a_key_is_exported_and_taken_in_again_under_another_name(run: Run, tmp_path: Path) -> None:
    own = run("new", "alice")["account"]
    secret = tmp_path / "secret"
    secret.write_text("another passphrase")
    secret.chmod(0o600)
    file = tmp_path / "wallet.json"
    run("export", "alice", str(file), "--opened-by", str(secret))
    assert run("import", "carol", str(file), "--opened-by", str(secret))["account"] == own
    assert run("export", "alice", str(file), status=1)["error"]["code"] == "CAIMI-C005"
    word = tmp_path / "alice.key"
    run("export", "alice", str(word), "--ledger", "far")
    assert b"ENCRYPTED" in word.read_bytes()


def test_a_key_is_renamed_without_its_passphrase(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    own = run("new", "alice")["account"]
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    assert run("rename", "alice", "seller")["default_names_it"] is False
    assert run("show", "seller")["account"] == own
    assert run("rename", "alice", "buyer", status=1)["error"]["code"] == "CAIMI-C004"
