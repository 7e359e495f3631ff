"""The next step that an error names is taken, in the situation that raised it, and helps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app

runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAIMI_CONFIG", raising=False)
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    monkeypatch.setenv("CAIMI_ANVIL", "/bin/false")
    return tmp_path


def refused(*words: str) -> dict[str, str]:
    """Run a command, and give the error that it must end with."""
    done = runner.invoke(app, [*words, "--json"])
    assert done.exit_code == 1, done.output
    return dict(json.loads(done.output)["error"])


def advised(error: dict[str, str], number: int = 0) -> list[str]:
    """Give a command of our own out of an error's next step."""
    found = re.findall(r"`caimi ([^`]+)`", error["next"])
    return str(found[number]).split()


def done(*words: str) -> None:
    """Run a command that must succeed."""
    ended = runner.invoke(app, list(words))
    assert ended.exit_code == 0, ended.output


def test_without_a_configuration_init_writes_one(here: Path) -> None:
    error = refused("keys", "list")
    assert error["code"] == "CAIMI-C001"
    done(*advised(error, 1))
    done("keys", "list")


def test_a_missing_key_is_listed_or_made(here: Path) -> None:
    done("init")
    error = refused("withdraw")
    assert error["code"] == "CAIMI-C004"
    done(*advised(error, 0))
    done(*(word.replace("NAME", "alice") for word in advised(error, 1)))
    done("withdraw")


def test_a_taken_or_wrong_name_is_replaced_by_another(here: Path) -> None:
    done("init")
    for name, code in (("alice", ""), ("alice", "CAIMI-C005"), ("../alice", "CAIMI-U010")):
        if code:
            assert refused("keys", "new", name)["code"] == code
        else:
            done("keys", "new", name)
    done("keys", "new", "model-2")


def test_a_locked_key_opens_with_the_variable_or_the_file(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("init")
    done("keys", "new", "alice")
    monkeypatch.setenv("CAIMI_PASSPHRASE", "wrong")
    assert refused("withdraw")["code"] == "CAIMI-C006"
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    (here / "secret").write_text("correct horse")
    (here / "secret").chmod(0o644)
    (here / "caimi.toml").write_text('[keys]\npassphrase_file = "secret"\n')
    error = refused("withdraw")
    mode, file = re.findall(r"`chmod (\d+) ([^`]+)`", error["next"])[0]
    Path(file).chmod(int(mode, 8))
    done("withdraw")


def test_a_damaged_journal_is_left_behind_by_another_state(here: Path) -> None:
    done("init")
    done("keys", "new", "alice")
    (here / "state").mkdir()
    (here / "state" / "journal.sqlite").write_bytes(b"no database " * 100)
    error = refused("withdraw")
    assert error["code"] == "CAIMI-C007"
    assert "set state in caimi.toml" in error["next"]
    (here / "caimi.toml").write_text('state = "another"\n')
    done("withdraw")


def test_a_state_that_cannot_be_written_is_another_directory_too(here: Path) -> None:
    done("init")
    done("keys", "new", "alice")
    (here / "state").write_text("a file")
    assert refused("withdraw")["code"] == "CAIMI-C055"
    (here / "caimi.toml").write_text('state = "another"\n')
    done("withdraw")


def test_a_network_that_was_taken_down_or_failed_can_be_started_again(here: Path) -> None:
    error = refused("devnet", "status")
    assert error["code"] == "CAIMI-N008"
    for _ in range(2):  # its anvil ends at once, so each start fails, and says so alike
        failed = refused(*advised(error))
        assert failed["code"] != "CAIMI-N007"
        assert "devnet up" in failed["next"] or failed["code"].startswith("CAIMI-L")
    (here / ".caimi" / "processes.json").write_text("damaged")
    assert refused("devnet", "down")["code"] == "CAIMI-N030"
    (here / ".caimi" / "processes.json").unlink()
    (here / "caimi.toml").write_text("")  # as the last start wrote it
    assert refused("devnet", "up")["code"] == failed["code"]


def test_a_place_is_looked_at_and_replaced(here: Path) -> None:
    (here / "file").write_text("")
    error = refused("init", str(here / "file"))
    assert error["code"] == "CAIMI-X001"
    assert f"`ls -ld {here / 'file'}`" in error["next"]
    done("init", str(here / "another"))
    assert refused("init", str(here / "another"))["code"] == "CAIMI-C021"
